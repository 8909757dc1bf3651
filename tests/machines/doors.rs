//! sudo, su and the console, with the password and then the code.

use harness::{Machine, PASSWORD, Token};

use crate::house::{enrol, plain_sudo, results, set_up};

const CODE_PROMPT: &str = "Verification code: ";

pub fn sudo(machine: &Machine) {
    let token = prepare(machine, "sudo");
    plain_sudo(machine);
    through(machine, &token, |code| {
        let replies = [("alice: ", PASSWORD), (CODE_PROMPT, code)];
        let done = machine.sit("alice", &["sudo", "id", "-un"], &replies);
        assert!(done.transcript.contains(CODE_PROMPT), "{done:?}");
        done.code == 0 && done.transcript.ends_with("root\n")
    });
}

pub fn su(machine: &Machine) {
    let token = prepare(machine, "su");
    through(machine, &token, |code| {
        let replies = [("Password: ", PASSWORD), (CODE_PROMPT, code)];
        let done = machine.sit("bob", &["su", "alice", "-c", "id -un"], &replies);
        assert!(done.transcript.contains(CODE_PROMPT), "{done:?}");
        done.code == 0 && done.transcript.ends_with("alice\n")
    });
}

pub fn the_console(machine: &Machine) {
    let token = prepare(machine, "login");
    machine.with_console(|console| console.expect("login: "));
    through(machine, &token, |code| {
        machine.with_console(|console| {
            console.type_line("alice");
            console.expect("Password: ");
            console.type_line(PASSWORD);
            console.expect(CODE_PROMPT);
            console.type_line(code);
            let admitted = console.reads_either("alice@", "Login incorrect");
            if admitted {
                console.type_line("exit");
            }
            console.expect("login: ");
            admitted
        })
    });
}

fn prepare(machine: &Machine, service: &str) -> Token {
    machine.install_packages();
    set_up(machine, service);
    enrol(machine, "alice")
}

/// The right code opens the door, a wrong one and a used one do not.
fn through(machine: &Machine, token: &Token, opens: impl Fn(&str) -> bool) {
    let used = token.code();
    assert!(opens(&used), "the right code");
    assert!(!opens(&token.wrong()), "a wrong code");
    assert!(!opens(&used), "a used code");
    assert_eq!(results(machine, "alice"), ["ok", "wrong", "replay"]);
    assert!(opens(&token.code()), "the next code");
}
