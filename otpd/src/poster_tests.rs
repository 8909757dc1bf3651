use proptest::prelude::*;

use super::*;

const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn uri(issuer: &str, account: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("otpauth://totp/{issuer}:{account}?secret={KEY}&issuer={issuer}"))
}

fn texts() -> Texts {
    Texts {
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

fn width(line: &str) -> usize {
    // Half blocks take one column; everything else that is not ASCII may take two.
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
    for view in [View::Dark, View::Light, View::Text] {
        let drawing = poster(&[uri("host", "alice")]).draw(view);
        let first = drawing.lines().next().unwrap();
        assert!(first.is_ascii() && first.len() < 40, "{first}");
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
        (10_000, "10 seconds"),
        (60_000, "a minute"),
        (90_000, "90 seconds"),
        (300_000, "5 minutes"),
        (3_600_000, "60 minutes"),
    ] {
        assert_eq!(in_words(ms), words);
    }
}

proptest! {
    #[test]
    fn whatever_is_to_be_said_it_fits_or_is_text(
        size in 16usize..160,
        issuer in "[a-z.]{1,64}",
        label in proptest::option::of("[ a-zäö世]{1,40}"),
        page in proptest::option::of("https://[a-z]{1,192}"),
        parameters in proptest::collection::vec("[a-z]{1,20}", 0..4),
    ) {
        let key = Zeroizing::new("A".repeat(size));
        let texts = Texts { key, parameters, label, registration_uri: page, ..texts() };
        let poster = Poster::new(&[uri(&issuer, "alice")], texts);
        for view in [View::Dark, View::Light, View::Text] {
            let drawing = poster.draw(view);
            prop_assert!(drawing.lines().count() <= ROWS + 1, "{}", drawing.as_str());
            prop_assert!(drawing.lines().all(|line| width(line) <= COLUMNS), "{}", drawing.as_str());
        }
    }
}
