use std::collections::BTreeMap;

use super::*;

/// The longest values that are usual.
const TO: &str = "a*****@mail.example.com";
const WORDS: [&str; 2] = ["totp", "email"];
/// What a message needs, so that the compiler asks for the one after a new one.
const SAMPLE: Message<'static> = Message::Prompt { text: "text" };

/// The message after this one, so that none can be forgotten here.
fn after(message: Message<'_>) -> Option<Message<'static>> {
    Some(match message {
        Message::Prompt { .. } => Message::WithWords { text: "text", words: "words" },
        Message::WithWords { .. } => Message::Resend,
        Message::Resend => Message::Code,
        Message::Code => Message::IssuedCode,
        Message::IssuedCode => Message::FirstCode,
        Message::FirstCode => Message::Combined,
        Message::Combined => Message::Sent { to: TO },
        Message::Sent { .. } => Message::NotSent { to: TO },
        Message::NotSent { .. } => Message::NoFurther { to: TO },
        Message::NoFurther { .. } => Message::SentForLater { to: TO },
        Message::SentForLater { .. } => Message::NeededForLater,
        Message::NeededForLater => Message::Scan,
        Message::Scan => Message::GiveKey,
        Message::GiveKey => Message::OrTypeKey,
        Message::OrTypeKey => Message::Key,
        Message::Key => Message::CounterBased,
        Message::CounterBased => Message::Algorithm { name: "SHA256" },
        Message::Algorithm { .. } => Message::Digits { digits: 8 },
        Message::Digits { .. } => Message::Period { seconds: 60 },
        Message::Period { .. } => Message::WithinMinutes { minutes: 60 },
        Message::WithinMinutes { .. } => Message::WithinSeconds { seconds: 90 },
        Message::WithinSeconds { .. } => Message::Again,
        Message::Again => Message::AgainOrQr { qr: "qr" },
        Message::AgainOrQr { .. } => Message::AgainOrViews { text: "text", invert: "invert" },
        Message::AgainOrViews { .. } => Message::Register { uri: "https://id.example.com/otp" },
        Message::Register { .. } => return None,
    })
}

fn all() -> impl Iterator<Item = Message<'static>> {
    std::iter::successors(Some(SAMPLE), |message| after(*message))
}

fn locales() -> impl Iterator<Item = Locale> {
    Language::ALL.into_iter().map(|(_, language)| Locale { language, ascii: false })
}

/// The messages of a catalogue with the names of their values, straight from the file.
fn placeholders(language: Language) -> BTreeMap<String, Vec<String>> {
    let mut messages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in catalogue::source(language).lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
            current = name.to_owned();
            assert!(!messages.contains_key(name), "{name} is there twice");
        }
        let values = line.split('$').skip(1);
        let names = values.map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            rest[..end].to_owned()
        });
        messages.entry(current.clone()).or_default().extend(names);
    }
    messages.remove("");
    messages.values_mut().for_each(|names| {
        names.sort();
        names.dedup();
    });
    messages
}

#[test]
fn no_text_is_missing_in_any_language_and_none_is_over() {
    for (name, language) in Language::ALL {
        let bundle = catalogue::read(catalogue::source(language), language).unwrap();
        let mut known = Vec::new();
        for message in all() {
            let text = catalogue::format(&bundle, message)
                .unwrap_or_else(|why| panic!("{name}.ftl: {why}"));
            assert!(!text.trim().is_empty() && !text.contains(['{', '}', '$']), "{name}: {text}");
            known.push(message.parts().0.to_owned());
        }
        known.sort();
        let there: Vec<_> = placeholders(language).into_keys().collect();
        assert_eq!(there, known, "{name}.ftl");
    }
}

#[test]
fn every_translation_has_the_values_of_the_english_text() {
    let english = placeholders(Language::English);
    for message in all() {
        let (name, values) = message.parts();
        let mut values: Vec<_> = values.into_iter().map(|(name, _)| name.to_owned()).collect();
        values.sort();
        assert_eq!(english[name], values, "en.ftl: {name}");
    }
    for (name, language) in Language::ALL {
        assert_eq!(placeholders(language), english, "{name}.ftl");
    }
}

#[test]
fn texts_can_be_shown() {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    for locale in locales() {
        for message in all() {
            let text = locale.say(message);
            let most = match message {
                Message::SentForLater { .. } | Message::NeededForLater => 120,
                // Beside the QR code, in three lines.
                Message::AgainOrViews { .. } => 105,
                // After "(alice.smith@login.example.com) ".
                Message::Scan | Message::GiveKey => 44,
                _ => 80,
            };
            assert!(text.chars().count() <= most, "{} {text}", text.chars().count());
            assert!(!text.contains(hidden), "{text:?}");
            assert_eq!(text, text.trim(), "{text:?}");
            assert!(locale.language != Language::English || text.is_ascii(), "{text}");
        }
    }
}

#[test]
fn prompts_end_with_a_colon_and_fit_on_a_line() {
    for locale in locales() {
        let resend = locale.resend();
        assert!(resend.chars().all(|c| c.is_ascii_lowercase()), "{resend}: anybody can type it");
        let plain = [Message::Code, Message::IssuedCode, Message::FirstCode, Message::Combined];
        let sent = [Message::Sent { to: TO }, Message::NotSent { to: TO }];
        let asked = plain
            .map(|message| locale.ask(message, &WORDS))
            .into_iter()
            .chain(sent.map(|message| locale.ask(message, &[&resend, "totp", "sms"])))
            .chain([locale.ask(Message::NoFurther { to: TO }, &WORDS)]);
        for prompt in asked {
            assert!(prompt.ends_with(": "), "{prompt:?}");
            assert!(prompt.chars().count() <= 80, "{} {prompt}", prompt.chars().count());
            let spaced = prompt.matches("\u{a0}:").count();
            let colons = prompt.matches(':').count();
            let french = locale.language == Language::French;
            assert_eq!(spaced, if french { colons } else { 0 }, "{prompt:?}");
        }
    }
}

#[test]
fn values_stand_in_texts_as_they_are() {
    let odd = "{ $to } \"\\u00A0\" \u{2068}+49*****81";
    for locale in locales() {
        assert!(locale.say(Message::Sent { to: odd }).contains(odd));
    }
    let texts = [
        (Language::English, 1, "Then give its first code below, within a minute."),
        (Language::English, 10, "Then give its first code below, within 10 minutes."),
        (Language::German, 1, "Dann hier innerhalb einer Minute den ersten Code der App eingeben."),
        (
            Language::German,
            5,
            "Dann hier innerhalb von 5 Minuten den ersten Code der App eingeben.",
        ),
        (Language::French, 1, "Puis saisissez ci-dessous son premier code, dans la minute."),
        (Language::French, 2, "Puis saisissez ci-dessous son premier code, dans les 2 minutes."),
        (Language::Spanish, 1, "Luego introduzca el primer código, en menos de un minuto."),
        (Language::Spanish, 5, "Luego introduzca el primer código, en menos de 5 minutos."),
    ];
    for (language, minutes, text) in texts {
        let locale = Locale { language, ascii: false };
        assert_eq!(locale.say(Message::WithinMinutes { minutes }), text);
    }
}

#[test]
fn what_can_be_typed_stands_in_quotation_marks() {
    for (tag, hint) in [
        ("en", "Enter shows this again, \"qr\" shows a QR code."),
        ("de", "Enter zeigt dies erneut an, „qr“ einen QR-Code."),
        ("fr", "Entrée réaffiche ceci, «\u{a0}qr\u{a0}» affiche un code QR."),
        ("es", "Intro vuelve a mostrar esto, «qr» muestra un código QR."),
        ("de.ISO-8859-1", "Enter zeigt dies erneut an, \"qr\" einen QR-Code."),
        ("fr.ISO-8859-1", "Entree reaffiche ceci, \"qr\" affiche un code QR."),
        ("es.ISO-8859-1", "Intro vuelve a mostrar esto, \"qr\" muestra un codigo QR."),
    ] {
        let locale = Locale::of(Some(tag), Language::English);
        assert_eq!(locale.say(Message::AgainOrQr { qr: "qr" }), hint);
    }
}

#[test]
fn the_session_says_which_language() {
    use Language::{English, French, German, Spanish};
    for (tag, language, ascii) in [
        (Some("de_AT.UTF-8"), German, false),
        (Some("de"), German, false),
        (Some("DE-ch.utf8"), German, false),
        (Some("de_DE@euro"), German, false),
        (Some("de_DE.ISO-8859-15@euro"), German, true),
        (Some("fr_CA.UTF-8"), French, false),
        (Some("es_419"), Spanish, false),
        (Some("en_GB.UTF-8"), English, false),
        (Some("en_US.iso88591"), English, true),
        (Some("C"), English, true),
        (Some("POSIX"), English, true),
        (Some("C.UTF-8"), English, false),
        (Some("it_IT.UTF-8"), French, false),
        (Some("it_IT.ISO-8859-1"), French, true),
        (Some("german"), French, false),
        (Some("../../de"), French, true),
        (Some("de_DE.\u{1b}[2J"), German, true),
        (Some("."), French, true),
        (Some(""), French, false),
        (None, French, false),
    ] {
        assert_eq!(Locale::of(tag, French), Locale { language, ascii }, "{tag:?}");
    }
}

#[test]
fn a_terminal_of_ascii_gets_ascii() {
    for (tag, prompt) in [
        ("de_DE.ISO-8859-1", "Bestaetigungscode (oder: sms): "),
        ("fr_FR.ISO-8859-1", "Code de verification (ou : sms) : "),
        ("es_ES.ISO-8859-1", "Codigo de verificacion (o: sms): "),
        ("C", "Verification code (or: sms): "),
    ] {
        let locale = Locale::of(Some(tag), Language::German);
        assert_eq!(locale.ask(Message::Code, &["sms"]), prompt);
        assert!(locale.ask_as_configured("Größe? “日” ", &[]).is_ascii());
        for message in all() {
            let text = locale.say(message);
            assert!(text.is_ascii() && !text.contains('?'), "{text}");
        }
    }
}

#[test]
fn words_stand_before_the_colon_of_a_configured_prompt() {
    let german = Locale { language: Language::German, ascii: false };
    let french = Locale { language: Language::French, ascii: false };
    for (locale, text, prompt) in [
        (german, "Code: ", "Code (oder: sms, email): "),
        (german, "Code:", "Code (oder: sms, email):"),
        (german, "Code", "Code (oder: sms, email): "),
        (german, "Code? ", "Code? (oder: sms, email): "),
        (german, "a: b > ", "a: b > (oder: sms, email): "),
        (french, "Code\u{a0}: ", "Code (ou\u{a0}: sms, email)\u{a0}: "),
    ] {
        assert_eq!(locale.ask_as_configured(text, &["sms", "email"]), prompt);
        assert_eq!(locale.ask_as_configured(text, &[]), text);
    }
}

#[test]
fn a_word_for_another_code_is_heard_in_english_and_in_the_own_language() {
    for locale in locales() {
        for word in ["resend", "RESEND", &locale.resend()] {
            assert!(locale.is_resend(word), "{word}");
        }
        assert!(!locale.is_resend("sms") && !locale.is_resend(""));
    }
    assert!(!Locale::default().is_resend("erneut"));
}
