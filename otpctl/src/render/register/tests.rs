use jiff::tz::TimeZone;

use super::*;

fn out(terminal: bool) -> Output {
    Output { json: false, quiet: false, terminal, zone: TimeZone::UTC }
}

fn code(state: &str, left_ms: u64) -> CodeDocument {
    CodeDocument {
        id: "3f2a91bc5d6e7f8091a2b3c4d5e6f708".into(),
        user: "bob".into(),
        state: state.into(),
        code: (state == "open").then(|| b"77244244".to_vec()),
        left_ms,
        uses_left: 1,
        scope: "both".into(),
        reason: Some("phone lost".into()),
        client: Some("c1".into()),
        ..CodeDocument::default()
    }
}

fn client(id: &str, identity: &str) -> ClientDocument {
    ClientDocument {
        id: id.into(),
        user: "bob".into(),
        description: "Windows_10_(10.0)".into(),
        identity: identity.into(),
        enabling: "always".into(),
        enabled: true,
        ..ClientDocument::default()
    }
}

#[test]
fn t06_the_time_that_is_left_is_told_in_these_words() {
    for (left_ms, text) in [
        (7_188_000, "Code valid for: 01 h. 59 min. 48 sec."),
        (7_188_999, "Code valid for: 01 h. 59 min. 48 sec."),
        (7_200_000, "Code valid for: 02 h. 00 min. 00 sec."),
        (61_000, "Code valid for: 00 h. 01 min. 01 sec."),
        (999, "Code valid for: 00 h. 00 min. 00 sec."),
        (604_800_000, "Code valid for: 168 h. 00 min. 00 sec."),
        (0, "Code expired."),
    ] {
        assert_eq!(left(left_ms), text);
    }
}

#[test]
fn t07_a_pending_entry_is_called_by_its_code() {
    let text = codes(&[code("open", 7_188_000), code("used", 0), code("expired", 0)], &out(true));
    assert_eq!(
        text,
        "3f2a91bc  bob  OTP: 77244244\n    Code valid for: 01 h. 59 min. 48 sec.\n    \
         1 uses left, both, issued by user id 0: phone lost\n\
         3f2a91bc  bob  used\n    Code used.\n    \
         1 uses left, both, issued by user id 0: phone lost\n\
         3f2a91bc  bob  expired\n    Code expired.\n    \
         1 uses left, both, issued by user id 0: phone lost\n"
    );
    let hidden = CodeDocument { code: None, ..code("open", 1000) };
    assert!(codes(&[hidden], &out(true)).contains("OTP: not shown"));
    // Where no person looks, no code is shown.
    assert!(!codes(&[code("open", 1000)], &out(false)).contains("77244244"));
    let clients_of = |pending: &[CodeDocument], terminal| {
        let pending = pending.iter().cloned().map(|code| ("c1".to_owned(), code)).collect();
        clients(&[client("c1", "")], &pending, &out(terminal))
    };
    let label = "c1  bob  OTP: 77244244\n";
    assert!(clients_of(&[code("open", 7_188_000)], true).starts_with(label));
    assert!(clients_of(&[], true).starts_with("c1  bob  Windows_10_(10.0)\n"));
    assert!(!clients_of(&[code("open", 7_188_000)], false).contains("77244244"));
}

#[test]
fn t11_what_is_masked_and_what_is_not_bound_is_told_apart() {
    let mask = "*".repeat(36);
    let admin = ClientDocument { administrator: true, ..client("c1", &mask) };
    let text = clients(&[admin, client("c2", "")], &HashMap::new(), &out(true));
    assert_eq!(
        text,
        format!(
            "c1  bob  Windows_10_(10.0)  Admin\n    ID:\"{mask}\"\n    \
             Enabled always, push notifications are disabled.\n\
             c2  bob  Windows_10_(10.0)\n    ID:\"\"\n    \
             Enabled always, push notifications are disabled.\n"
        )
    );
}

#[test]
fn t12_the_number_that_is_allowed_and_the_last_client_are_shown() {
    let status = StatusDocument {
        clients_most: 999,
        last_client_source: Some("192.168.3.118".into()),
        ..StatusDocument::default()
    };
    let text = register(&status);
    assert_eq!(
        text,
        "Maximum allowed client: 999\nLast connected client code: \n\
         Last connected client IP: 192.168.3.118\n"
    );
}

#[test]
fn t16_each_client_says_when_it_is_let_in_and_whether_it_is_notified() {
    for (enabling, push, text) in [
        ("always", false, "Enabled always, push notifications are disabled."),
        ("always", true, "Enabled always, push notifications are enabled."),
        ("disabled", false, "Disabled, push notifications are disabled."),
        (
            "Mon..Fri 08:00-18:00",
            true,
            "Enabled Mon..Fri 08:00-18:00, push notifications are enabled.",
        ),
    ] {
        let client = ClientDocument { enabling: enabling.into(), push, ..client("c", "") };
        assert_eq!(enabled(&client), text);
    }
}
