//! Programs that ask PAM for somebody: polkit's agent, and those that are not root. Each verifies the
//! user it asks for, and no other.

use harness::{Machine, PASSWORD};

use crate::house::{enrol, failures, results, set_up};

const CODE_PROMPT: &str = "Verification code: ";
/// What asks PAM and is not root, as a screen locker does.
const LOCKER: &str = "locker";
/// pkexec, with polkit's agent for terminals beside it; it has registered when it closes its output.
/// It answers for what the shell starts, so the shell stays.
const PKEXEC: &str = "read -r < <(exec pkttyagent --process $$ --notify-fd 1)
pkexec --disable-internal-agent id -un
exit $?";

pub fn pkexec(machine: &Machine) {
    machine.install_packages();
    set_up(machine, "polkit-1");
    let (alice, bob) = (enrol(machine, "alice"), enrol(machine, "bob"));
    // alice is the only administrator that polkit knows of.
    let become_root = |code: &str| {
        let mut seat = machine.open("alice", &["bash", "-c", PKEXEC]);
        for (prompt, reply) in [("Password: ", PASSWORD), (CODE_PROMPT, code)] {
            seat.expect(prompt);
            // The agent throws away what is typed before.
            seat.await_hidden();
            seat.type_line(reply);
        }
        let done = seat.finish(&[]);
        done.code == 0 && done.transcript.ends_with("root\n")
    };
    let used = alice.code();
    assert!(become_root(&used), "the right code");
    assert!(!become_root(&alice.wrong()), "a wrong code");
    assert!(!become_root(&used), "a used code");
    assert!(!become_root(&bob.code()), "bob's code");
    assert_eq!(results(machine, "alice"), ["ok", "wrong", "replay", "wrong"]);
    assert_eq!(results(machine, "bob"), [""; 0]);
}

pub fn a_screen_locker(machine: &Machine) {
    machine.install_packages();
    machine.sh(&format!("cp /etc/pam.d/other /etc/pam.d/{LOCKER}"));
    set_up(machine, LOCKER);
    let (alice, bob) = (enrol(machine, "alice"), enrol(machine, "bob"));
    let unlocks = |caller: &str, user: &str, code: &str| {
        let replies = [("Password: ", PASSWORD), (CODE_PROMPT, code)];
        let ask = ["pamtester", LOCKER, user, "authenticate"];
        machine.sit(caller, &ask, &replies)
    };
    let used = bob.code();
    for (code, admits) in [(used.clone(), true), (bob.wrong(), false), (used, false)] {
        let done = unlocks("bob", "bob", &code);
        assert!(done.transcript.contains(CODE_PROMPT), "{done:?}");
        assert_eq!(done.code == 0, admits, "{done:?}");
    }
    assert_eq!(results(machine, "bob"), ["ok", "wrong", "replay"]);
    let done = unlocks("bob", "alice", &alice.code());
    assert_ne!(done.code, 0, "{done:?}");
    // Nor where the stack asks for no password before.
    machine.sh(&format!("sed -i 's/^@include common-auth/# &/' /etc/pam.d/{LOCKER}"));
    let ask = ["pamtester", LOCKER, "alice", "authenticate"];
    let done = machine.sit("bob", &ask, &[(CODE_PROMPT, &alice.code())]);
    assert_ne!(done.code, 0, "{done:?}");
    assert_eq!((results(machine, "alice"), failures(machine, "alice")), (Vec::new(), 0));
    let done = machine.sit("alice", &ask, &[(CODE_PROMPT, &alice.code())]);
    assert_eq!(done.code, 0, "{done:?}");
}
