use super::*;

fn mismatch_of(policy: &str, key: &str, wanted: &[&str], found: &str) -> MismatchDocument {
    MismatchDocument {
        policy: policy.into(),
        key: key.into(),
        wanted: wanted.iter().map(|value| (*value).to_owned()).collect(),
        found: found.into(),
        certain: true,
    }
}

fn alice() -> ExplainDocument {
    let networks = ["10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32", "local"];
    ExplainDocument {
        user: "alice".into(),
        account: Some("alice".into()),
        enrolled: Some(true),
        groups: Some(vec!["alice".into(), "staff".into()]),
        service: "sshd".into(),
        source: "203.0.113.7".into(),
        time: 1_767_225_599_000,
        local_time: Some("Thu 00:59".into()),
        passed: vec![
            mismatch_of("root at the console", "user", &["root"], "alice"),
            mismatch_of("root at the console", "terminal", &["tty*"], "none"),
            mismatch_of("office \u{1b}[31m", "source", &networks, "203.0.113.7"),
        ],
        policy: "ssh".into(),
        cause: "matches".into(),
        outcome: "code".into(),
        methods: vec!["totp".into(), "recovery".into()],
        remember_ms: Some(28_800_000),
        ..ExplainDocument::default()
    }
}

#[test]
fn an_explanation_in_80_columns() {
    let text = explanation(&alice());
    let expected = "\
User:        alice, enrolled
Groups:      alice, staff
Service:     sshd
Source:      203.0.113.7
Time:        2025-12-31T23:59:59Z (Thu 00:59)
Policy:      ssh
Because:     it is the first that matches
Outcome:     a code is asked for
Methods:     totp, recovery
Remembered:  8h

Not before it:
  root at the console
    user is alice, not root
    terminal is none, not tty*
  office \\u{1b}[31m
    source is 203.0.113.7, not 10.0.0.0/8 or 192.168.0.0/16 or 2001:db8::/32 or
      local
";
    assert_eq!(text, expected);
}

#[test]
fn what_is_unknown_is_told() {
    let found = ExplainDocument {
        account: None,
        groups: None,
        enrolled: Some(false),
        cause: "groups".into(),
        outcome: "deny".into(),
        local_time: None,
        ..alice()
    };
    let text = explanation(&found);
    for line in [
        "User:     alice, not enrolled: no such user here\n",
        "Groups:   they cannot be looked up\n",
        "Because:  it depends on groups that cannot be looked up: a code is required\n",
        "Outcome:  a code is asked for, and none will do\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains("Methods:") && !text.contains("Remembered:"), "{text}");
    let directory = Some("the user database does not answer: no route".to_owned());
    let silent = ExplainDocument { directory, ..found };
    assert!(explanation(&silent).contains("alice, not enrolled; the user database does not"));
    let known = ExplainDocument { account: Some("alice".into()), ..silent.clone() };
    assert!(explanation(&known).contains("alice, not enrolled; the user database does not"));
    assert_eq!(found_json(&known)["exists"], true);
    let refused = Some("the account is disabled in directory corp".to_owned());
    let refused = ExplainDocument { refused, outcome: "deny".into(), ..alice() };
    assert!(explanation(&refused).contains("Refused:  the account is disabled in directory"));
    assert_eq!(found_json(&refused)["refused"], "the account is disabled in directory corp");
    let named = ExplainDocument { account: Some("Alice".into()), ..alice() };
    assert!(explanation(&named).contains("alice, enrolled: the account is called Alice\n"));
    for document in [found_json(&silent), found_json(&named), found_json(&alice())] {
        assert!(document["outcome"].is_string(), "{document}");
    }
    assert_eq!(found_json(&silent)["exists"], serde_json::Value::Null);
    assert_eq!(found_json(&named)["exists"], true);
    assert_eq!(found_json(&named)["passed"][1]["wanted"][0], "tty*");
    assert_eq!(found_json(&named)["time"], "2025-12-31T23:59:59Z");
}

fn found_json(found: &ExplainDocument) -> serde_json::Value {
    serde_json::to_value(Explanation::from(found)).unwrap()
}

#[test]
fn long_lines_are_broken_and_long_words_are_not() {
    let words = format!("{} {}", "a".repeat(79), "b".repeat(90));
    let expected = format!("{}\n  {}\n", "a".repeat(79), "b".repeat(90));
    assert_eq!(wrapped(&words, 2), expected);
    let many = "word ".repeat(60);
    let text = wrapped(many.trim_end(), 4);
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    assert_eq!(text.split_whitespace().count(), 60);
    assert_eq!(wrapped("short", 4), "short\n");
}

#[test]
fn policies_are_listed_with_what_they_match() {
    let policy = PolicyDocument {
        name: "office".into(),
        service: vec!["sshd".into(), "sudo".into()],
        source: vec!["10.0.0.0/8".into()],
        factor: "require".into(),
        unenrolled: "deny".into(),
        remember_ms: Some(3_600_000),
        ..PolicyDocument::default()
    };
    let zone = jiff::tz::TimeZone::UTC;
    let out = Output { json: false, quiet: false, terminal: false, zone };
    let line = "office\tservice=sshd,sudo source=10.0.0.0/8\trequire\tdeny\tall\t1h\n";
    assert_eq!(policies(std::slice::from_ref(&policy), &out), line);
    let document = serde_json::to_value(Policy::from(&policy)).unwrap();
    assert_eq!(document["match"]["service"][1], "sudo");
    assert_eq!(document["match"].as_object().unwrap().len(), 2);
}
