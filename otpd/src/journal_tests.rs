use std::{
    os::unix::net::UnixListener,
    time::{Duration, Instant},
};

use super::*;

/// A socket that stands in for journald or syslogd.
struct Sink(UnixDatagram);

impl Sink {
    fn new(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(socket)
    }

    fn line(&self) -> String {
        let mut buffer = [0; 65536];
        let length = self.0.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn is_empty(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let empty = self.0.recv(&mut [0; 16]).is_err();
        self.0.set_nonblocking(false).unwrap();
        empty
    }
}

fn say(journal: &Journal, level: Level, message: &str, fields: &[(&str, &str)]) {
    say_as(journal, "otpd::engine", level, message, fields);
}

fn say_as(journal: &Journal, target: &str, level: Level, message: &str, fields: &[(&str, &str)]) {
    journal.log(
        &Record::builder()
            .args(format_args!("{message}"))
            .level(level)
            .target(target)
            .key_values(&fields)
            .build(),
    );
}

struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.path("journal"), &self.path("log"), false)
    }
}

#[test]
fn the_journal_gets_fields() {
    let fixture = Fixture::new();
    let (sink, other) = (Sink::new(&fixture.path("journal")), Sink::new(&fixture.path("log")));
    let journal = fixture.journal();
    say(
        &journal,
        Level::Warn,
        "login refused",
        &[("user", "alice"), ("result", "wrong"), ("odd-key\n", "a b")],
    );
    assert_eq!(
        sink.line(),
        format!(
            "MESSAGE=OTP. login refused\nPRIORITY=4\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=otpd\nSYSLOG_PID={}\n\
             OTP_USER=alice\nOTP_RESULT=wrong\nOTP_ODD_KEY_=a b\n",
            std::process::id()
        )
    );
    assert!(other.is_empty(), "syslog hears nothing where there is a journal");
}

#[test]
fn syslog_gets_one_line_of_authpriv_with_fields_at_its_end() {
    let fixture = Fixture::new();
    let sink = Sink::new(&fixture.path("log"));
    let journal = fixture.journal();
    for (level, priority) in [
        (Level::Error, 83),
        (Level::Warn, 84),
        (Level::Info, 86),
        (Level::Debug, 87),
        (Level::Trace, 87),
    ] {
        say(&journal, level, "x", &[]);
        assert_eq!(sink.line(), format!("<{priority}>otpd[{}]: OTP. x", std::process::id()));
    }
    let fields = [
        ("user", "alice"),
        ("reason", "lost phone"),
        ("detail", r#"a"b\c"#),
        ("tty", ""),
        ("x", "y=z"),
    ];
    say(&journal, Level::Info, "disabled", &fields);
    let line = sink.line();
    let expected =
        r#" OTP. disabled user=alice reason="lost phone" detail="a\"b\\c" tty="" x="y=z""#;
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn a_stream_socket_serves_as_well() {
    use std::io::Read as _;
    let fixture = Fixture::new();
    let listener = UnixListener::bind(fixture.path("log")).unwrap();
    let journal = fixture.journal();
    say(&journal, Level::Info, "hello", &[]);
    drop(journal);
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("<86>otpd[{}]: OTP. hello\0", std::process::id()));
}

#[test]
fn no_raw_control_character_and_no_forged_field_leaves() {
    let fixture = Fixture::new();
    let hostile = "a\nMESSAGE=Accepted\u{1b}[2J\u{202e}\u{85}\u{2028}\0\u{7f}é user=root";
    let shown = r"a\u{a}MESSAGE=Accepted\u{1b}[2J\u{202e}\u{85}\u{2028}\u{0}\u{7f}é user=root";

    let sink = Sink::new(&fixture.path("log"));
    say(&fixture.journal(), Level::Info, hostile, &[("user", hostile)]);
    let line = sink.line();
    let quoted = shown.replace('\\', r"\\");
    assert!(line.ends_with(&format!("OTP. {shown} user=\"{quoted}\"")), "{line}");

    let sink = Sink::new(&fixture.path("journal"));
    say(&fixture.journal(), Level::Info, hostile, &[("user", hostile)]);
    let record = sink.line();
    assert_eq!(record.lines().filter(|line| line.starts_with("MESSAGE=")).count(), 1, "{record}");
    assert!(record.ends_with(&format!("\nOTP_USER={shown}\n")), "{record}");
    assert!(!record.replace('\n', "").contains(char::is_control));
}

#[test]
fn long_texts_are_cut() {
    let fixture = Fixture::new();
    let sink = Sink::new(&fixture.path("log"));
    say(&fixture.journal(), Level::Info, &"é".repeat(100_000), &[("user", &"x".repeat(100_000))]);
    let count = sink.line().chars().count();
    assert!((2 * LONGEST..2 * LONGEST + 64).contains(&count), "{count}");
}

#[test]
fn a_restarted_daemon_is_found_again_without_a_loss() {
    for name in ["log", "journal"] {
        let fixture = Fixture::new();
        let first = Sink::new(&fixture.path(name));
        let journal = fixture.journal();
        say(&journal, Level::Info, "one", &[]);
        assert!(first.line().contains("OTP. one"));
        drop(first);
        let second = Sink::new(&fixture.path(name));
        say(&journal, Level::Info, "two", &[]);
        assert!(second.line().contains("OTP. two"), "{name}");
        assert!(second.is_empty(), "{name}");
    }
}

#[test]
fn what_an_absent_daemon_missed_is_counted_and_told() {
    for name in ["log", "journal"] {
        let fixture = Fixture::new();
        let journal = {
            let _first = Sink::new(&fixture.path(name));
            fixture.journal()
        };
        for _ in 0..3 {
            say(&journal, Level::Info, "lost", &[]);
        }
        let sink = Sink::new(&fixture.path(name));
        say(&journal, Level::Info, "four", &[]);
        assert!(sink.line().contains("OTP. 3 log lines before this one were lost"), "{name}");
        assert!(sink.line().contains("OTP. four"), "{name}");
        say(&journal, Level::Info, "five", &[]);
        assert!(sink.line().contains("OTP. five"), "{name}");
    }
}

#[test]
fn a_log_that_does_not_read_holds_nobody_up() {
    for name in ["log", "journal"] {
        let fixture = Fixture::new();
        let sink = Sink::new(&fixture.path(name));
        let journal = fixture.journal();
        #[expect(
            clippy::disallowed_methods,
            reason = "only to tell a wait of seconds from one for ever"
        )]
        let begin = Instant::now();
        for _ in 0..5_000 {
            say(&journal, Level::Info, "x", &[]);
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{name}");
        let lost = journal.channel.lock().unwrap().lost;
        assert!(lost > 0, "{name}: the socket's queue is shorter than the test");
        for _ in lost..5_000 {
            assert!(sink.line().contains("OTP. x"));
        }
        say(&journal, Level::Info, "again", &[]);
        assert!(sink.line().contains(&format!("OTP. {lost} log lines")), "{name}");
        assert!(sink.line().contains("OTP. again"), "{name}");
    }
}

#[test]
fn other_crates_are_heard_from_warnings_up() {
    let fixture = Fixture::new();
    let sink = Sink::new(&fixture.path("log"));
    let journal = fixture.journal();
    say_as(&journal, "zbus::connection", Level::Info, "chatter", &[]);
    say_as(&journal, "otpdx", Level::Info, "chatter", &[]);
    say_as(&journal, "zbus::connection", Level::Warn, "trouble", &[]);
    assert!(sink.line().ends_with("OTP. trouble"));
    say_as(&journal, "otpd", Level::Debug, "detail", &[]);
    assert!(sink.line().ends_with("OTP. detail"));
    assert!(sink.is_empty());
}

#[test]
fn stderr_where_asked_for_or_where_nothing_else_is() {
    let fixture = Fixture::new();
    assert!(fixture.journal().stderr, "neither exists");
    let _sink = Sink::new(&fixture.path("log"));
    assert!(!fixture.journal().stderr);
    assert!(Journal::open(&fixture.path("journal"), &fixture.path("log"), true).stderr);
}
