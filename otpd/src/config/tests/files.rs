use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Only root can give files away; who runs the tests otherwise cannot make these faults.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn drop_ins_are_read_after_the_file_in_the_order_of_their_names() {
    let folder = Folder::new("[lockout]\nafter = 3\n[[policy]]\nname = \"main\"");
    folder.write(
        "otpd.d/20-b.toml",
        b"[lockout]\nfirst = \"2s\"\n[[policy]]\nname = \"b\"\n[[method]]\nname = \"m\"",
    );
    folder
        .write("otpd.d/10-a.toml", b"lockout = { disable_after = 7 }\npolicy = [{ name = \"a\" }]");
    folder.write(
        "otpd.d/30-c.toml",
        b"[[policy]]\nname = \"c\"\nmethods = [\"m\"]\n[directory.local]\ntype = \"passwd\"",
    );
    for ignored in
        ["otpd.d/.hidden.toml", "otpd.d/README", "otpd.d/old.toml.dpkg-old", "otpd.d/toml"]
    {
        folder.write(ignored, b"not toml at all");
    }
    let loaded = folder.load().unwrap();
    let names: Vec<_> = loaded.config.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["main", "a", "b", "c"]);
    assert_eq!(
        loaded.config.lockout,
        Lockout { after: 3, first_ms: 2_000, longest_ms: 900_000, disable_after: 7 }
    );
    assert_eq!(loaded.config.rules[3].methods, ["m"], "a later file may refer to an earlier one");
    let files = ["otpd.toml", "otpd.d/10-a.toml", "otpd.d/20-b.toml", "otpd.d/30-c.toml"];
    assert_eq!(loaded.files, files.map(|name| folder.path(name)));
}

#[test]
fn what_is_said_twice_names_both_places() {
    for (main, second, expected) in [
        (
            "[lockout]\nafter = 3",
            "\n[lockout]\nafter = 3",
            "DIR/otpd.d/x.toml:3:1: lockout.after is set twice: here and at DIR/otpd.toml:2:1; remove one of them",
        ),
        (
            "[[policy]]\nname = \"a\"",
            "[[policy]]\nname = \"a\"",
            "DIR/otpd.d/x.toml:2:8: policy.name = \"a\" is taken: the first one is at DIR/otpd.toml:2:8",
        ),
        (
            "[[method]]\nname = \"a\"",
            "[method.x]",
            "DIR/otpd.d/x.toml:1:2: method is set twice: here and at DIR/otpd.toml:1:3; remove one of them",
        ),
        (
            "[bus]\ntrusted_callers = [1]",
            "[bus]\ntrusted_callers = [2]",
            "DIR/otpd.d/x.toml:2:1: bus.trusted_callers is set twice: here and at DIR/otpd.toml:2:1; remove one of them",
        ),
        (
            "[lockout]",
            "lockout = 1",
            "DIR/otpd.d/x.toml:1:1: lockout is set twice: here and at DIR/otpd.toml:1:2; remove one of them",
        ),
    ] {
        let folder = Folder::new(main);
        folder.write("otpd.d/x.toml", second.as_bytes());
        assert_eq!(folder.load().unwrap_err(), expected);
    }
}

#[test]
fn a_fault_in_a_drop_in_is_named_there() {
    let folder = Folder::new("[lockout]\nafter = 3");
    folder.write("otpd.d/x.toml", b"[limits]\n\nsessions = 0");
    assert_eq!(
        folder.load().unwrap_err(),
        "DIR/otpd.d/x.toml:3:12: limits.sessions = 0: allowed are 1 to 65536 (0 never means unlimited)"
    );
}

#[test]
fn only_the_default_file_may_be_missing() {
    let folder = Folder::new("");
    std::fs::remove_file(folder.path("otpd.toml")).unwrap();
    assert_eq!(folder.load().unwrap_err(), "DIR/otpd.toml:1:1: the file is missing");
    let optional = |name: &str| file::read_all(&folder.path(name), true);
    assert!(optional("otpd.toml").unwrap().is_empty());
    assert!(optional("absent/otpd.toml").unwrap().is_empty());
    folder.write("otpd.d/x.toml", b"");
    assert_eq!(optional("otpd.toml").unwrap().len(), 1, "drop-ins count without it");
    symlink("nowhere", folder.path("otpd.toml")).unwrap();
    let message = optional("otpd.toml").unwrap_err().to_string();
    assert!(
        message.ends_with("otpd.toml:1:1: cannot be read: No such file or directory (os error 2)"),
        "{message}"
    );
}

#[test]
fn files_and_folders_that_others_may_write_are_refused() {
    for (name, bits) in [
        ("otpd.toml", 0o664),
        ("otpd.toml", 0o646),
        ("otpd.d/x.toml", 0o620),
        ("otpd.d", 0o775),
        ("otpd.d", 0o1777),
        (".", 0o777),
    ] {
        let folder = Folder::new("");
        folder.write("otpd.d/x.toml", b"");
        folder.load().unwrap();
        mode(&folder.path(name), bits);
        let path = if name == "." { "DIR".to_owned() } else { format!("DIR/{name}") };
        assert_eq!(
            folder.load().unwrap_err(),
            format!(
                "{path}:1:1: is writable by its group or by others (mode {bits:04o}): allowed is its owner alone (chmod go-w {path})"
            )
        );
    }
}

#[test]
fn files_and_folders_of_others_are_refused() {
    if !is_root() {
        return;
    }
    for name in ["otpd.toml", "otpd.d/x.toml", "otpd.d", "."] {
        let folder = Folder::new("");
        folder.write("otpd.d/x.toml", b"");
        chown(folder.path(name), Some(65_534), None).unwrap();
        let path = if name == "." { "DIR".to_owned() } else { format!("DIR/{name}") };
        assert_eq!(
            folder.load().unwrap_err(),
            format!("{path}:1:1: belongs to user id 65534: allowed is root (chown root {path})")
        );
    }
}

#[test]
fn a_link_is_judged_by_what_it_leads_to() {
    let folder = Folder::new("");
    let target = folder.write("elsewhere/real.toml", b"[lockout]\nafter = 9");
    std::fs::remove_file(folder.path("otpd.toml")).unwrap();
    symlink(&target, folder.path("otpd.toml")).unwrap();
    assert_eq!(folder.load().unwrap().config.lockout.after, 9);
    mode(&target, 0o666);
    assert!(
        folder.load().unwrap_err().contains("otpd.toml:1:1: is writable by its group or by others")
    );
    if is_root() {
        mode(&target, 0o644);
        chown(&target, Some(65_534), None).unwrap();
        assert!(folder.load().unwrap_err().contains("otpd.toml:1:1: belongs to user id 65534"));
    }
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = Folder::new("");
    let path = folder.path("otpd.d/x.toml");
    std::fs::create_dir_all(&path).unwrap();
    assert_eq!(folder.load().unwrap_err(), "DIR/otpd.d/x.toml:1:1: is not a regular file");
    std::fs::remove_dir(&path).unwrap();
    // Nobody writes to it: opening it the usual way would wait for ever.
    assert!(
        std::process::Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(folder.load().unwrap_err(), "DIR/otpd.d/x.toml:1:1: is not a regular file");
    symlink("/dev/zero", folder.path("otpd.d/w.toml")).unwrap();
    assert_eq!(folder.load().unwrap_err(), "DIR/otpd.d/w.toml:1:1: is not a regular file");
    std::fs::remove_dir_all(folder.path("otpd.d")).unwrap();
    folder.write("otpd.d", b"");
    assert_eq!(folder.load().unwrap_err(), "DIR/otpd.d:1:1: is not a folder");
}

#[test]
fn size_and_encoding() {
    let folder = Folder::new("");
    let most = 1024 * 1024;
    folder.write("otpd.toml", &vec![b'\n'; most]);
    folder.load().unwrap();
    folder.write("otpd.toml", &vec![b'\n'; most + 1]);
    assert_eq!(
        folder.load().unwrap_err(),
        "DIR/otpd.toml:1:1: is larger than the 1048576 bytes that are allowed"
    );
    for (bytes, expected) in [
        (b"\xff".as_slice(), "1:1: byte 0xff"),
        (b"# \xc3\xa9 ok\n# \xe9t\xe9\n", "2:3: byte 0xe9"),
        (b"# \xc3\xa9\xc3", "1:4: byte 0xc3"),
        (b"a\0\n\xc0\x80", "2:1: byte 0xc0"),
    ] {
        folder.write("otpd.toml", bytes);
        let message = folder.load().unwrap_err();
        assert_eq!(
            message,
            format!("DIR/otpd.toml:{expected} is not UTF-8: allowed is text in UTF-8")
        );
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let folder = Folder::new("\u{feff}[lockout]\r\nafter = 4\r\n");
    assert_eq!(folder.load().unwrap().config.lockout.after, 4);
}

/// The example that is shipped says what is default, and all of it.
#[test]
fn the_example_file_holds_the_defaults_and_every_key() {
    let example = include_str!("../../../../packaging/otpd.toml.example");
    assert_eq!(load(example).unwrap(), default(), "as it is shipped, it changes nothing");

    let setting = |line: &&str| {
        line.starts_with("#[")
            || line.starts_with(|c: char| c.is_ascii_lowercase())
            || line
                .strip_prefix('#')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    // A text over several lines is part of its setting.
    let mut within = false;
    let part = |line: &&str| {
        let part = within || setting(line);
        within ^= part && line.contains("\"\"\"");
        part
    };
    let uncommented: Vec<&str> =
        example.lines().filter(part).map(|line| line.trim_start_matches('#')).collect();
    assert!(example.lines().all(|line| line.chars().count() <= 100));
    let (sections, lists) = {
        let at = uncommented.iter().position(|line| line.starts_with("[[")).unwrap();
        uncommented.split_at(at)
    };
    assert_eq!(load(&sections.join("\n")).unwrap(), default(), "the values shown are the defaults");
    let countries = "[budget]\ncountries = [\"+49\"]";
    let all = uncommented.join("\n").replace("[budget]", countries);
    let config = Folder::new(&all).load().unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(!lists.is_empty() && !config.config.rules.is_empty());

    for key in [
        "user",
        "address",
        "login_socket",
        "trusted_callers",
        "path",
        "audit_rows",
        "file",
        "preset",
        "after",
        "first",
        "longest",
        "disable_after",
        "issuer",
        "pending",
        "at_login",
        "qr",
        "label",
        "registration_uri",
        "ttl",
        "offer",
        "confirm",
        "reshare",
        "account",
        "tenants",
        "default",
        "ok",
        "failed",
        "noCredential",
        "secretAlreadyShared",
        "clientNotFound",
        "sessions",
        "sessions_per_user",
        "calls_per_user",
        "prompt_lifetime",
        "connections",
        "type",
        "name",
        "title",
        "algorithm",
        "digits",
        "t0",
        "time_step",
        "window_before",
        "window_after",
        "look_ahead",
        "key_size",
        "directories",
        "match",
        "factor",
        "unenrolled",
        "enrol",
        "methods",
        "concatenate",
        "choice",
        "language",
        "code",
        "combined",
        "issued",
        "remember",
        "group",
        "source",
        "terminal",
        "client",
        "time",
        "enabled",
        "uses",
        "reveal",
        "scope",
        "guesses_per_hour",
        "most",
        "enforce",
        "mobile",
        "mail",
        "country",
        "sms",
        "subject",
        "body",
        "resend",
        "per_user",
        "per_recipient",
        "total",
        "countries",
        "validity",
        "tries",
        "providers",
        "url",
        "method",
        "text_key",
        "phone_key",
        "parameters",
        "unicode_parameters",
        "headers",
        "json",
        "raw",
        "content_type",
        "auth",
        "password",
        "token",
        "auth_name",
        "auth_value",
        "region",
        "service",
        "access_key",
        "secret_key",
        "session_token",
        "program",
        "token_cache",
        "ca",
        "certificate",
        "key",
        "pin",
        "proxy",
        "no_proxy",
        "number",
        "number_search",
        "number_replace",
        "timeout",
        "connect_timeout",
        "retries",
        "idempotency_header",
        "success_status",
        "success_regex",
        "fail_regex",
        "success_prefix",
        "fail_prefix",
        "success_json",
        "fail_json",
        "id_json",
        "id_regex",
        "server",
        "port",
        "tls",
        "system_id",
        "system_type",
        "service_type",
        "bind",
        "source_addr",
        "source_addr_ton",
        "source_addr_npi",
        "dest_addr_ton",
        "dest_addr_npi",
        "default_alphabet",
        "registered_delivery",
        "window",
        "response_timeout",
        "enquire_link_interval",
        "to",
        "from",
        "modem",
        "bus",
        "config",
        "state",
        "smsc",
        "arguments",
        "mechanism",
        "token_program",
        "envelope_from",
        "hello",
        "bind_dn",
        "base",
        "scope",
        "schema",
        "filter",
        "groups",
        "group_base",
        "group_filter",
        "group_name",
        "cache",
        "outage",
        "cache_outage",
        "engine",
        "host",
        "database",
        "query",
    ] {
        let key = format!("{key} =");
        let shown = |line: &str| line.trim_start_matches(['#', ' ']).starts_with(&key);
        assert!(example.lines().any(shown), "{key}");
    }
}
