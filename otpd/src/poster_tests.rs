use proptest::prelude::*;

use super::*;
use crate::text::Language;

const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn uri(issuer: &str, account: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("otpauth://totp/{issuer}:{account}?secret={KEY}&issuer={issuer}"))
}

fn texts() -> Texts {
    Texts {
        locale: Locale::default(),
        key: Zeroizing::new(KEY.to_owned()),
        parameters: Vec::new(),
        validity_ms: 300_000,
        label: None,
        registration_uri: None,
    }
}

fn poster(uris: &[Zeroizing<String>]) -> Poster {
    Poster::new(uris, texts())
}

/// Every language, and every language in ASCII.
fn locales() -> impl Iterator<Item = Locale> {
    let charsets = ["UTF-8", "ISO-8859-1"].into_iter();
    let tags = charsets.flat_map(|charset| {
        Language::ALL.into_iter().map(move |(name, _)| format!("{name}.{charset}"))
    });
    tags.map(|tag| Locale::of(Some(&tag), Language::English))
}

fn width(line: &str) -> usize {
    // Half blocks take one column, whatever characters of their kind may take.
    line.chars().map(|c| if "█▀▄".contains(c) { 1 } else { columns(c) }).sum()
}

/// The modules that a drawing shows.
fn modules(drawing: &str, side: usize, view: View) -> Vec<Vec<bool>> {
    let drawn = view == View::Light;
    let mut rows = Vec::new();
    for line in drawing.lines().skip(1) {
        let symbols: Vec<char> = line.chars().take(side).collect();
        rows.push(symbols.iter().map(|c| matches!(c, '█' | '▀') == drawn).collect());
        rows.push(symbols.iter().map(|c| matches!(c, '█' | '▄') == drawn).collect());
    }
    rows
}

#[test]
fn a_terminal_of_80_by_24_shows_every_module_and_light_around_them() {
    for (text, quiet) in [
        (uri("host", "alice"), 4),
        (uri("login.example.org", "alice"), 3),
        (uri("bastion.frankfurt.example.org", "alice.smith"), 1),
    ] {
        let picture = Picture::new(text.as_bytes(), 1).unwrap();
        assert_eq!(picture.quiet, quiet, "{}", text.as_str());
        for view in [View::Dark, View::Light] {
            let drawing = poster(std::slice::from_ref(&text)).draw(view);
            assert!(drawing.lines().count() <= ROWS + 1);
            assert!(drawing.lines().all(|line| width(line) <= COLUMNS));
            let shown = modules(&drawing, picture.side(), view);
            for (y, row) in shown.iter().take(picture.side()).enumerate() {
                for (x, dark) in row.iter().enumerate() {
                    assert_eq!(*dark, picture.dark(x, y), "{view:?} column {x}, row {y}");
                }
            }
        }
    }
}

#[test]
fn the_first_line_is_text_for_what_clients_put_before_it() {
    for locale in locales() {
        for view in [View::Dark, View::Light, View::Text] {
            let poster = Poster::new(&[uri("host", "alice")], Texts { locale, ..texts() });
            let drawing = poster.draw(view);
            let first = drawing.lines().next().unwrap();
            assert!(first.ends_with(':') && width(first) <= 44, "{first}");
            assert!(!first.contains(['█', '▀', '▄']), "{first}");
        }
    }
}

/// A host name of 20 characters and a user name of 12, and as much beside the code as is usual:
/// the longest texts of all languages leave the code its place.
#[test]
fn n12_a_usual_key_has_its_qr_code_in_every_language() {
    let (issuer, account) = ("bastion1.example.org", "alexandra.mu");
    let shortest = |key: &str, more: &str| {
        let uri = format!("otpauth://totp/{account}?secret={key}&issuer={issuer}{more}");
        Zeroizing::new(uri)
    };
    for locale in locales() {
        let usual = Texts { locale, ..texts() };
        let with_all = Texts {
            locale,
            validity_ms: 3_599_000,
            label: Some("Example Corp login at the bastion".to_owned()),
            registration_uri: Some("https://register.example.com/otp".to_owned()),
            ..texts()
        };
        let counting = Texts {
            parameters: vec![locale.say(Message::CounterBased)],
            label: Some("Example Corp".to_owned()),
            ..Texts { locale, ..texts() }
        };
        let sha256 = Texts {
            key: Zeroizing::new("A".repeat(52)),
            parameters: vec![
                locale.say(Message::Algorithm { name: "SHA256" }),
                locale.say(Message::Digits { digits: 8 }),
                locale.say(Message::Period { seconds: 60 }),
            ],
            registration_uri: Some("https://id.example.com/otp".to_owned()),
            ..Texts { locale, ..texts() }
        };
        for (texts, more) in
            [(usual, ""), (with_all, ""), (counting, "&counter=0"), (sha256, "&algorithm=SHA256")]
        {
            let poster = Poster::new(&[shortest(&texts.key, more)], texts);
            assert!(poster.has_picture(), "{}", poster.draw(View::Text).as_str());
            for view in [View::Dark, View::Light, View::Text] {
                let drawing = poster.draw(view);
                assert!(drawing.lines().count() <= ROWS + 1, "{}", drawing.as_str());
                let wide = drawing.lines().find(|line| width(line) > COLUMNS);
                assert_eq!(wide, None, "{}", drawing.as_str());
            }
        }
        let words = ["hotp", "email", "sms", TEXT, INVERT];
        let prompt = locale.ask(Message::FirstCode, &words);
        assert!(width(&prompt) + 8 <= COLUMNS, "{prompt}");
    }
}

#[test]
fn the_key_stands_behind_its_word_in_every_language() {
    for (tag, head) in [
        ("en.UTF-8", "Key: "),
        ("de.UTF-8", "Schlüssel: "),
        ("fr.UTF-8", "Clé\u{a0}: "),
        ("es.UTF-8", "Clave: "),
        ("de.ISO-8859-1", "Schluessel: "),
        ("fr.ISO-8859-1", "Cle : "),
    ] {
        let locale = Locale::of(Some(tag), Language::English);
        let poster = Poster::new(&[uri("host", "alice")], Texts { locale, ..texts() });
        let (group, space) = ("GEZD GNBV GY3T QOJQ", " ".repeat(head.chars().count()));
        let drawing = poster.draw(View::Dark);
        assert!(drawing.contains(&format!("{head}{group}\n")), "{}", drawing.as_str());
        assert!(drawing.contains(&format!("{space}{group}\n")), "{}", drawing.as_str());
        let text = poster.draw(View::Text);
        assert!(text.contains(&format!("\n{head}{group} {group}\n")), "{}", text.as_str());
        assert!(text.is_ascii() || tag.ends_with("UTF-8"), "{}", text.as_str());
    }
}

#[test]
fn a_caption_is_shown_as_the_terminal_can() {
    for (tag, shown) in [("de.UTF-8", "Zugang für Gäste"), ("de.ISO-8859-1", "Zugang fuer Gaeste")]
    {
        let locale = Locale::of(Some(tag), Language::English);
        let texts = Texts { locale, label: Some("Zugang für Gäste".to_owned()), ..texts() };
        assert!(everywhere(&Poster::new(&[uri("host", "alice")], texts), shown));
    }
}

#[test]
fn letters_take_one_column_and_wide_characters_two() {
    for narrow in "aéüßœŁжΩ’“„«…\u{a0}\u{202f}".chars() {
        assert_eq!(columns(narrow), 1, "{narrow}");
    }
    for wide in "世ン한＿🔑".chars() {
        assert_eq!(columns(wide), 2, "{wide}");
    }
}

#[test]
fn g22_the_key_is_there_in_groups_of_four() {
    let drawing = poster(&[uri("host", "alice")]).draw(View::Dark);
    assert!(drawing.contains("Key: GEZD GNBV GY3T QOJQ\n"), "{}", drawing.as_str());
    assert!(drawing.contains("     GEZD GNBV GY3T QOJQ\n"), "{}", drawing.as_str());
    let text = poster(&[]).draw(View::Text);
    let key = "\nKey: GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n";
    assert!(text.contains(key) && text.is_ascii(), "{}", text.as_str());
}

#[test]
fn a_uri_that_says_less_is_taken_where_that_makes_room() {
    let (long, short) = (uri(&"x".repeat(60), "alice"), uri("host", "alice"));
    let both = poster(&[long.clone(), short.clone()]);
    assert_eq!(both.draw(View::Dark), poster(&[short]).draw(View::Dark));
    for nothing in [poster(&[long]), poster(&[])] {
        assert!(!nothing.has_picture());
        assert_eq!(nothing.draw(View::Dark), nothing.draw(View::Text));
    }
}

/// Whether a text is there in every view of the poster.
fn everywhere(poster: &Poster, text: &str) -> bool {
    let views = [View::Dark, View::Light, View::Text];
    poster.has_picture() && views.iter().all(|view| poster.draw(*view).contains(text))
}

#[test]
fn g09_the_caption_is_beside_the_code() {
    let texts = Texts { label: Some("Acme login".to_owned()), ..texts() };
    assert!(everywhere(&Poster::new(&[uri("host", "alice")], texts), "Acme login"));
}

#[test]
fn g11_the_page_where_people_register_is_beside_the_code() {
    let page = "https://id.example.com/otp";
    let texts = Texts { registration_uri: Some(page.to_owned()), ..texts() };
    assert!(everywhere(&Poster::new(&[uri("host", "alice")], texts), page));
}

#[test]
fn times_are_told_in_words() {
    for (ms, words) in [
        (10_000, "within 10 seconds."),
        (60_000, "within a minute."),
        (90_000, "within 90 seconds."),
        (300_000, "within 5 minutes."),
        (3_600_000, "within 60 minutes."),
    ] {
        let text = Locale::default().say(within(ms));
        assert!(text.ends_with(words), "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_to_be_said_it_fits_or_is_text(
        size in 16usize..160,
        issuer in "[a-z.]{1,64}",
        label in proptest::option::of("[ a-zäö世]{1,40}"),
        page in proptest::option::of("https://[a-z]{1,192}"),
        parameters in proptest::collection::vec("[a-z]{1,60}", 0..4),
        locale in proptest::sample::select(locales().collect::<Vec<_>>()),
    ) {
        let key = Zeroizing::new("A".repeat(size));
        let registration_uri = page;
        let texts = Texts { locale, key, parameters, label, registration_uri, ..texts() };
        let poster = Poster::new(&[uri(&issuer, "alice")], texts);
        for view in [View::Dark, View::Light, View::Text] {
            let drawing = poster.draw(view);
            prop_assert!(drawing.lines().count() <= ROWS + 1, "{}", drawing.as_str());
            prop_assert!(drawing.lines().all(|line| width(line) <= COLUMNS), "{}", drawing.as_str());
        }
    }
}
