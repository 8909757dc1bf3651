//! Texts for terminals that show ASCII only.

use super::Language;

/// The text in ASCII: letters without their marks, German ones as two, typographic signs as those of
/// a typewriter. What has no such form is a question mark.
pub(super) fn ascii(text: &str, language: Language) -> String {
    let mut plain = String::with_capacity(text.len());
    // French quotation marks stand apart from what they quote, those of a typewriter do not.
    for c in text.replace("«\u{a0}", "«").replace("\u{a0}»", "»").chars() {
        match c {
            c if c.is_ascii() => plain.push(c),
            c => plain.push_str(form(c, language == Language::German)),
        }
    }
    plain
}

fn form(c: char, german: bool) -> &'static str {
    match c {
        'ä' if german => "ae",
        'ö' if german => "oe",
        'ü' if german => "ue",
        'Ä' if german => "Ae",
        'Ö' if german => "Oe",
        'Ü' if german => "Ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => "a",
        'À' | 'Á' | 'Â' | 'Ã' | 'Ä' | 'Å' => "A",
        'æ' => "ae",
        'Æ' => "Ae",
        'œ' => "oe",
        'Œ' => "Oe",
        'ç' => "c",
        'Ç' => "C",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'È' | 'É' | 'Ê' | 'Ë' => "E",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' => "I",
        'ñ' => "n",
        'Ñ' => "N",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ö' => "O",
        'ù' | 'ú' | 'û' | 'ü' => "u",
        'Ù' | 'Ú' | 'Û' | 'Ü' => "U",
        'ÿ' => "y",
        '\u{a0}' | '\u{202f}' => " ",
        '‘' | '’' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '–' | '—' => "-",
        '…' => "...",
        '¿' | '¡' => "",
        _ => "?",
    }
}
