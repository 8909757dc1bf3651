//! `otpctl policy`

use serde_json::json;

use crate::fake::Machine;
use crate::otpctl;

#[test]
fn policies_are_listed_and_explained() {
    let machine = Machine::start();
    let listed = otpctl(&machine, "policy list", "");
    assert_eq!((listed.code, listed.err.as_str()), (0, ""));
    let lines =
        "office\tsource=10.0.0.0/8\trequire\tdeny\tall\t-\nbuilt-in\tall\trequire\tdeny\tall\t-\n";
    assert_eq!(listed.out, lines);
    let document = otpctl(&machine, "--json policy list", "").document();
    assert_eq!(document["total"], 2);
    assert_eq!(document["items"][0]["match"], json!({ "source": ["10.0.0.0/8"] }));
    assert_eq!(document["items"][1]["built_in"], true);

    let line = "policy explain alice --service sshd --source 203.0.113.7 --tty ssh --client k --at 2026-01-02T00:00:00Z";
    let told = otpctl(&machine, line, "");
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    for part in [
        "Policy:   built-in\n",
        "Because:  no policy of the configuration matches\n",
        "\nNot before it:\n  office\n    source is 203.0.113.7, not 10.0.0.0/8\n",
    ] {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
    assert!(told.out.lines().all(|line| line.chars().count() <= 80), "{}", told.out);
    let asked = machine.calls().pop().unwrap();
    let query = "ExplainQuery { service: Some(\"sshd\"), source: Some(\"203.0.113.7\"), tty: Some(\"ssh\"), client: Some(\"k\"), time: Some(1767312000000) }";
    assert_eq!(asked, format!("Explain alice {query}"));
}

/// A user whom nobody knows falls under a policy like any other: that is no failure.
#[test]
fn an_unknown_user_is_explained_as_well() {
    let machine = Machine::start();
    let told = otpctl(&machine, "policy explain carol --service sudo", "");
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    assert!(told.out.contains("carol, not enrolled: no such user here\n"), "{}", told.out);
    let document = otpctl(&machine, "--json policy explain carol --service sudo", "").document();
    assert_eq!((&document["exists"], &document["outcome"]), (&json!(false), &json!("deny")));
    assert_eq!(otpctl(&machine, "policy explain a/b --service sudo", "").code, 2);
}
