//! Issued codes and clients at the command line.

use serde_json::{Value, json};

use crate::{
    fake::{Machine, NEW},
    files, otpctl,
    terminal::Terminal,
};

const OTP: &str = "77244244";

fn on_terminal(machine: &Machine, line: &str) -> String {
    let (code, screen) = Terminal::run(machine, line, &[]).end();
    assert_eq!(code, 0, "{screen}");
    screen
}

#[test]
fn t06_issuing_shows_the_code_and_its_time_on_a_terminal() {
    let machine = Machine::start();
    let screen = on_terminal(&machine, "code issue alice --reason lost");
    assert_eq!(screen, "OTP: 77244244\nCode valid for: 01 h. 59 min. 48 sec.\n");
    let screen = on_terminal(&machine, "code list");
    let label = "01234567  alice  OTP: 77244244\n    Code valid for: 01 h. 59 min. 48 sec.\n";
    assert!(screen.starts_with(label), "{screen}");
}

#[test]
fn t07_a_code_goes_to_a_terminal_or_to_a_private_file() {
    let machine = Machine::start();
    let done = otpctl(&machine, "code issue alice", "");
    assert_eq!(done.code, 2, "{}", done.err);
    assert!(done.err.contains("--output FILE"), "{}", done.err);
    assert_eq!(machine.calls(), [""; 0], "nothing is issued that cannot be told");
    let line = "--json code issue alice --uses 3 --service sshd --scope remote --output c.json";
    let document = otpctl(&machine, line, "").document();
    assert_eq!((&document["id"], &document["uses_left"]), (&json!(NEW), &json!(3)));
    assert_eq!(document["left_ms"], json!(7_188_000));
    assert!(!document.to_string().contains(OTP));
    let told: Value =
        serde_json::from_slice(&std::fs::read(machine.path("c.json")).unwrap()).unwrap();
    assert_eq!(told["code"], json!(OTP));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &machine.path("c.json").metadata().unwrap().permissions(),
    );
    assert_eq!(mode & 0o7777, 0o600);
    let again = otpctl(&machine, line, "");
    assert!(again.err.contains("never overwritten"), "{}", again.err);
    for line in ["code list", "--json code list", "client list"] {
        assert!(!otpctl(&machine, line, "").out.contains(OTP), "{line}");
    }
    let call = &machine.calls()[0];
    for part in ["uses: Some(3)", "\"sshd\"", "\"remote\"", "valid_for_ms: None"] {
        assert!(call.contains(part), "{call}");
    }
}

#[test]
fn a_code_that_failed_leaves_no_file() {
    let machine = Machine::start();
    let done = otpctl(&machine, "code issue carol --output c.json", "");
    assert_eq!(done.code, 7, "{}", done.err);
    assert_eq!(files(&machine), [""; 0]);
}

#[test]
fn t09_a_code_that_is_sent_is_not_shown() {
    let machine = Machine::start();
    let done = otpctl(&machine, "code issue bob --send sms --valid-for 30m", "");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("was sent to bob") && !done.out.contains(OTP), "{}", done.out);
    let call = &machine.calls()[0];
    assert!(call.contains("send: Some(\"sms\")"), "{call}");
    assert!(call.contains("valid_for_ms: Some(1800000)"), "{call}");
}

#[test]
fn t08_adding_a_client_shows_its_code_in_one_step() {
    let machine = Machine::start();
    let line = "client add bob --description Android --push on --code";
    let screen = on_terminal(&machine, line);
    assert_eq!(screen, "OTP: 77244244\nCode valid for: 01 h. 59 min. 48 sec.\n");
    let listed = on_terminal(&machine, "client list");
    assert_eq!(
        listed,
        "fedcba00  bob  OTP: 77244244\n    ID:\"\"\n    \
         Enabled always, push notifications are enabled.\n    \
         Code valid for: 01 h. 59 min. 48 sec.\n\
         Showing 1 to 1 of 1 entries\nMaximum allowed client: 999\n\
         Last connected client code: \nLast connected client IP: 192.168.3.118\n"
    );
    // Without a place for the code nothing is registered.
    let machine = Machine::start();
    assert_eq!(otpctl(&machine, line, "").code, 2);
    assert_eq!(machine.calls(), [""; 0]);
    let done = otpctl(&machine, &format!("--json {line} --output c.json"), "");
    assert_eq!(done.document()["user"], "bob");
    assert!(machine.calls()[1].contains("client: Some(\"fedcba"), "{:?}", machine.calls());
}

#[test]
fn t12_the_client_after_the_last_is_an_error() {
    let machine = Machine::start();
    for number in 0..3 {
        let line = format!("client add bob --description d{number} --identity i{number}");
        assert_eq!(otpctl(&machine, &line, "").code, 0);
    }
    let done = otpctl(&machine, "client add bob --description d4", "");
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.contains("no more clients"), "{}", done.err);
    let done = otpctl(&machine, "--json status", "").document();
    assert_eq!((&done["clients_most"], &done["last_client"]), (&json!(999), &Value::Null));
    assert_eq!(done["last_client_source"], "192.168.3.118");
}

#[test]
fn t15_clients_are_listed_in_pages_and_searched() {
    let machine = Machine::start();
    for name in ["Android", "EnvisionClient", "Windows_10_(10.0)"] {
        let line = format!("client add bob --description {name} --identity of-{name}");
        assert_eq!(otpctl(&machine, &line, "").code, 0);
    }
    let page = otpctl(&machine, "--json client list --limit 2 --offset 1", "").document();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (2, &json!(3)));
    assert_eq!(page["items"][0]["description"], "EnvisionClient");
    let found = otpctl(&machine, "--json client list --search Win", "").document();
    assert_eq!((&found["total"], &found["items"][0]["enabling"]), (&json!(1), &json!("always")));
    let screen = on_terminal(&machine, "client list --limit 2");
    assert!(screen.contains("Showing 1 to 2 of 3 entries; --offset 2 shows more"), "{screen}");
    assert!(screen.contains(&format!("ID:\"{}\"", "*".repeat(36))), "{screen}");
    otpctl(&machine, "client list --show-ids", "");
    let asked = |call: &String| call == "ListClients None Some(true)";
    assert!(machine.calls().iter().any(asked), "{:?}", machine.calls());
}

#[test]
fn t17_clients_are_changed_and_removed_by_the_beginning_of_their_id() {
    let machine = Machine::start();
    assert_eq!(otpctl(&machine, "client add bob --description Android", "").code, 0);
    for (verb, enabling, told) in [
        ("disable fedcba", "disabled", "Disabled, push notifications are disabled."),
        ("enable FEDCBA00", "always", "Enabled always, push notifications are disabled."),
        ("schedule fedcba Sat,Sun", "Sat,Sun", "Enabled Sat,Sun, push notifications are disabled."),
    ] {
        let done = otpctl(&machine, &format!("client {verb}"), "");
        assert!(done.out.contains(told), "{}{}", done.out, done.err);
        let document = otpctl(&machine, &format!("--json client {verb}"), "").document();
        assert_eq!(document["enabling"], enabling);
    }
    for (line, code) in [
        ("client enable 012345", 7),
        ("client enable fedc", 2),
        ("client remove fedcba", 2),
        ("client remove fedcba --yes", 0),
        ("client remove fedcba --yes", 7),
        ("code revoke 012345", 5),
    ] {
        let done = otpctl(&machine, line, "");
        assert_eq!(done.code, code, "{line}: {}", done.err);
    }
}

#[test]
fn a_code_is_revoked_by_the_beginning_of_its_id() {
    let machine = Machine::start();
    assert_eq!(otpctl(&machine, "code issue alice --output c.json", "").code, 0);
    let done = otpctl(&machine, "--json code revoke 012345", "").document();
    assert_eq!((&done["id"], &done["removed"]), (&json!(NEW), &json!(true)));
    assert!(machine.state.lock().unwrap().codes.is_empty());
}

#[test]
fn t03_who_issues_codes_is_set_like_where_codes_go() {
    let machine = Machine::start();
    let document = otpctl(&machine, "--json user set alice admin=on", "").document();
    assert_eq!(document["admin"], true);
    assert_eq!(machine.calls()[0], "SetAdministrator alice true");
    let document = otpctl(&machine, "--json user set alice admin=off mail=a@b", "").document();
    assert_eq!(document["admin"], false);
    assert_eq!(otpctl(&machine, "user set alice admin=on admin=off", "").code, 2);
}

#[test]
fn t22_an_older_daemon_is_told_from_a_refusal() {
    let machine = Machine::start();
    machine.state.lock().unwrap().behind = 1;
    for line in [
        "code issue alice --output c.json",
        "code list",
        "client list",
        "client add bob",
        "user set alice admin=on",
    ] {
        let done = otpctl(&machine, line, "");
        assert_eq!(done.code, 1, "{line}: {}", done.err);
        assert!(done.err.contains("install both from one release"), "{}", done.err);
    }
    assert_eq!(machine.calls(), [""; 0]);
    assert_eq!(otpctl(&machine, "status", "").code, 0);
}
