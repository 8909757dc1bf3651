use otp_ipc::maintenance::import::Taken;

use super::*;

fn reject(line: usize) -> Rejected {
    let reason = "field 3 is a PIN, which is not asked for here; put - or + there".to_owned();
    Rejected { file: "users.oath".into(), line, user: Some("alice".into()), reason }
}

#[test]
fn a_terminal_shows_few_rejects_and_a_file_all() {
    let rejects: Vec<_> = (1..=100_000).map(reject).collect();
    assert_eq!(lines(&rejects).lines().count(), rejects.len());
    let shown = first(&rejects);
    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");
    assert!(shown.starts_with("users.oath:1: alice: field 3"), "{shown}");
    assert!(shown.lines().count() <= 2 * REJECTS + 1, "{shown}");
    assert!(
        shown.ends_with("99990 more are rejected; --rejects FILE lists them all.\n"),
        "{shown}"
    );
    let few = first(&rejects[..REJECTS]);
    assert!(!few.contains("more") && few.contains("users.oath:10: "), "{few}");
}

#[test]
fn it_fails_where_nothing_was_taken_and_says_what_would_help() {
    let report = |tokens, rejected, applied| Report {
        tokens: (0..tokens).map(|_| Taken::default()).collect(),
        rejected,
        applied,
        ..Report::default()
    };
    for (tokens, rejected, applied, told) in [
        (1, 0, true, None),
        (2, 3, true, None),
        (2, 1, false, Some("correct the 1 reject, or add --accepted")),
        (2, 3, false, Some("correct the 3 rejects, or add --accepted")),
        (0, 3, false, Some("correct what is rejected")),
        (0, 3, true, Some("correct what is rejected")),
        (0, 0, true, Some("the files have no token of zoe")),
    ] {
        let message = result(&report(tokens, rejected, applied), Some("zoe")).err();
        let message = message.map(|failure| failure.message);
        match (&message, told) {
            (None, None) => {}
            (Some(message), Some(told)) => {
                assert!(message.ends_with(told) && message.len() < 72, "{message}");
            }
            _ => panic!("{tokens} {rejected} {applied}: {message:?}"),
        }
    }
}
