//! Contacts, tokens of delivered codes, providers and what is imported of them.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::fake::{Machine, NEW};
use crate::{files, otpctl};

#[test]
fn contacts_are_set_shown_masked_and_removed() {
    let machine = Machine::start();
    let line = "user set alice mobile=+491701234581 mail=alice@example.com";
    let done = otpctl(&machine, line, "");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert_eq!(done.out, "alice: mobile +49*****, mail ali*****.\n");
    let shown = otpctl(&machine, "user show alice", "").out;
    assert!(shown.contains("Mobile:          +49*****\n"), "{shown}");
    let shown = otpctl(&machine, "--json user show alice", "").document();
    assert_eq!((&shown["mobile"], &shown["mail"]), (&json!("+49*****"), &json!("ali*****")));
    let listed = otpctl(&machine, "--json user list", "").document();
    assert!(listed["items"][0].get("mobile").is_none(), "{listed}");
    let done = otpctl(&machine, "user set alice mobile=", "");
    assert_eq!(done.out, "alice: mobile none, mail ali*****.\n");
    let done = otpctl(&machine, "--json user set alice mobile=01701234581 country=49", "");
    assert_eq!(done.document()["mobile"], "017*****");
    let calls: Vec<_> =
        machine.calls().into_iter().filter(|call| call.starts_with("SetContact")).collect();
    assert!(
        calls[1].ends_with("mobile: Some(\"\"), mail: None, country: None, uid: None }"),
        "{calls:?}"
    );
    assert!(calls[2].ends_with("mail: None, country: Some(\"49\"), uid: None }"), "{calls:?}");
}

#[test]
fn contacts_that_are_refused() {
    let machine = Machine::start();
    for (line, code, told) in [
        ("user set carol mobile=+491701234581", 7, "carol"),
        ("user set alice mobile=+49CALLME", 2, "has digits"),
        ("user set alice phone=+491701234581", 2, "mobile=NUMBER"),
        ("user set alice mobile=+1 mobile=+2", 2, "mobile is given twice"),
        ("user set alice country=49", 2, "country goes with mobile"),
        ("user set alice mobile= country=49", 2, "country goes with mobile"),
        ("user set alice", 2, "KEY=VALUE"),
    ] {
        let done = otpctl(&machine, line, "");
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{line}: {}", done.err);
        assert!(done.err.contains(told), "{line}: {}", done.err);
    }
}

#[test]
fn a_token_of_delivered_codes_has_no_secret_and_asks_for_no_code() {
    let machine = Machine::start();
    let done = otpctl(&machine, "token add alice --method sms", "");
    assert_eq!(done.code, 5, "{}", done.err);
    assert!(done.err.contains("otpctl user set"), "{}", done.err);
    otpctl(&machine, "user set alice mobile=+491701234581", "");
    for option in ["--output t.json", "--qr terminal", "--qr t.png"] {
        let done = otpctl(&machine, &format!("token add alice --method sms {option}"), "");
        assert_eq!(done.code, 2, "{}", done.err);
        assert!(done.err.contains("no secret"), "{}", done.err);
    }
    let done = otpctl(&machine, "token add alice --method sms", "");
    assert_eq!((done.code, done.out.as_str()), (0, "alice gets codes by SMS at +49*****.\n"));
    otpctl(&machine, "token remove 012345 --yes", "");
    let token = otpctl(&machine, "--json token add alice --method sms", "").document();
    assert_eq!((&token["id"], &token["type"]), (&json!(NEW), &json!("sms")));
    assert_eq!((&token["state"], &token["period_ms"]), (&json!("active"), &json!(null)));
    assert!(token.get("secret").is_none() && token.get("uri").is_none());
    let shown = otpctl(&machine, "token show 012345", "").out;
    assert!(shown.contains("Type:       sms\n") && !shown.contains("Period"), "{shown}");
    assert_eq!(files(&machine), [""; 0]);
    assert!(!machine.calls().iter().any(|call| call.starts_with("Confirm")));
}

#[test]
fn providers_are_listed_with_their_state() {
    let machine = Machine::start();
    let list = otpctl(&machine, "provider list", "").out;
    assert_eq!(
        list,
        "sms.main\thttp\t1\tready\t-\t-\n\
         sms.backup\thttp\t2\tresting\t2026-01-02T00:00:00+00:00\t\
         not sent: status 500\\u{1b}[31m\n\
         email.main\tsmtp\t-\tready\t-\t-\n"
    );
    let list = otpctl(&machine, "--json provider list", "").document();
    assert_eq!(list["total"], 3);
    assert_eq!(
        list["items"][1],
        json!({
            "id": "sms.backup",
            "type": "http",
            "state": "resting",
            "resting_until": "2026-01-02T00:01:00Z",
            "last_failure": "not sent: status 500\u{1b}[31m",
            "failed_at": "2026-01-02T00:00:00Z",
            "order": 2
        })
    );
}

#[test]
fn a_provider_is_tried_and_its_answer_shown() {
    let machine = Machine::start();
    for name in ["sms.main", "email.main"] {
        let done = otpctl(&machine, &format!("provider test {name} --to +491701234581"), "");
        let told = format!("{name} took the message to +49*****81, id 7: ID: 7\\u{{1b}}[31m\n");
        assert_eq!((done.code, done.out), (0, told), "{}", done.err);
    }
    let report = otpctl(&machine, "--json provider test sms.main --to +491701234581", "");
    assert_eq!(report.document()["sent"], true);
    let done = otpctl(&machine, "provider test backup --to +491701234581", "");
    assert_eq!((done.code, done.out.as_str()), (1, ""), "the short name is unique");
    assert!(done.err.contains("sms.backup to +49*****81: not sent: status 500"), "{}", done.err);
    assert!(!done.err.contains('\x1b') && !done.err.contains("1234581"), "{:?}", done.err);
    for (name, told) in [
        ("main", "sms.main or email.main"),
        ("nobody", "configured: sms.main, sms.backup, email.main"),
        ("sms.nobody", "configured: "),
    ] {
        let done = otpctl(&machine, &format!("provider test {name} --to +491701234581"), "");
        assert_eq!(done.code, 2, "{}", done.err);
        assert!(done.err.contains(told), "{}", done.err);
    }
    let tests = machine.calls().into_iter().filter(|call| call.starts_with("TestProvider"));
    assert_eq!(tests.count(), 4);
    machine.state.lock().unwrap().providers.clear();
    let done = otpctl(&machine, "provider test main --to +491701234581", "");
    assert!(done.err.contains("configured: none"), "{}", done.err);
}

#[test]
fn a_provider_of_linotp_is_printed_or_written_to_a_new_file() {
    let machine = Machine::start();
    let json = "{\"CONFIGFILE\": \"/etc/gnokiirc\"}";
    let done = otpctl(&machine, "provider import - --name modem", json);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(done.out.contains("[provider.sms.modem]\ntype = \"gnokii\"\n"), "{}", done.out);
    std::fs::write(machine.path("p.json"), json).unwrap();
    let line = "--json provider import p.json --class DeviceSMSProvider --output p.toml";
    assert_eq!(otpctl(&machine, line, "").document(), json!({ "written": "p.toml" }));
    let path = machine.path("p.toml");
    let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
    assert!(mode == 0o600 || mode == 0o640, "{mode:o}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("[provider.sms.main]\n"), "{written}");
    let done = otpctl(&machine, line, "");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("never overwritten"), "{}", done.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    assert_eq!(machine.calls(), [""; 0], "no daemon is asked");
}

#[test]
fn what_cannot_be_imported_is_told_with_its_place() {
    let machine = Machine::start();
    for (json, told) in [
        ("{'URL': 'x'}", "-: not JSON at line 1, column 2: "),
        ("{\"URL\": \"x\",}", "remove the comma before }"),
        ("{\"PASSWORD\": \"geheim\"}", "no provider is recognised"),
        ("{\"CONFIGFILE\": \"/a\", \"PASSWORD\": \"geheim\"}", "has no key PASSWORD"),
    ] {
        let done = otpctl(&machine, "provider import - --output p.toml", json);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{json}: {}", done.err);
        assert!(done.err.contains(told) && !done.err.contains("geheim"), "{}", done.err);
    }
    let done = otpctl(&machine, "provider import missing.json", "");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("missing.json: No such file"), "{}", done.err);
    assert_eq!(files(&machine), [""; 0]);
}

#[test]
fn a_directory_is_tried_and_what_is_wrong_with_it_is_shown() {
    let machine = Machine::start();
    let done = otpctl(&machine, "directory list", "");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("corp") && !done.out.contains('\x1b'), "{}", done.out);
    let list = otpctl(&machine, "--json directory list", "").document();
    assert_eq!((list["total"].as_u64(), &list["items"][1]["state"]), (Some(2), &"failing".into()));
    assert_eq!(list["items"][1]["failed_at"], "2026-01-02T00:00:00Z");
    for (line, code, told) in [
        ("directory test local", 0, "local can be used."),
        ("directory test local alice", 0, "wheel, staff"),
        ("directory test local bob", 7, "local can be used and knows no user bob"),
        ("directory test corp", 1, "corp cannot be used: no answer\\u{1b}[31m within 5s; no base"),
        ("directory test none", 2, "there is no directory of this name"),
    ] {
        let done = otpctl(&machine, line, "");
        assert_eq!(done.code, code, "{line}: {} {}", done.out, done.err);
        assert!((done.out + &done.err).contains(told), "{line}");
    }
    let test = otpctl(&machine, "--json directory test local alice", "").document();
    assert_eq!((&test["found"], &test["mobile"]), (&true.into(), &"+49*****81".into()));
}
