//! otpd is restarted, killed and stopped while people log in.

use std::{thread, time::Duration};

use harness::Machine;

use crate::{
    codes::{active, add_user, at_prompt, install, is_unavailable, log_in},
    house::{enrol, failures},
};

const RESTART: &str = "systemctl restart otpd";
const KILL: &str = "systemctl kill --signal=KILL otpd
    until systemctl is-active --quiet otpd; do sleep 0.05; done";
const STOP: &str = "systemctl stop otpd.socket otpd.service";
/// They log in at the same time. The first one types the code when all is over; the replies of the
/// others are under way while it happens.
const USERS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];
/// Between two replies.
const APART: Duration = Duration::from_millis(10);

pub fn logins_end_cleanly_and_codes_count_once(machine: &Machine) {
    install(machine);
    USERS[2..].iter().for_each(|user| add_user(machine, user));
    let tokens = USERS.map(|user| enrol(machine, user));
    let sshd = || machine.ok(&["systemctl", "show", "--property=MainPID,NRestarts", "ssh"]);
    let before = sshd();
    for mishap in [RESTART, KILL, STOP] {
        let (codes, next) =
            (tokens.each_ref().map(|t| t.code()), tokens.each_ref().map(|t| t.code()));
        let admitted = interrupted(machine, mishap, &codes);
        assert!(!admitted[0], "{mishap}: nobody is there who could decide about that login");
        if mishap == STOP {
            is_unavailable(machine, "alice", &codes[0]);
            machine.ok(&["systemctl", "start", "otpd.socket"]);
        }
        let again = all_log_in(machine, &codes);
        assert!(again[0], "{mishap}: the code that was never looked at is still good");
        for (user, (first, second)) in USERS.iter().zip(admitted.iter().zip(&again)) {
            assert!(!(*first && *second), "{mishap}: a code of {user} was accepted twice");
            let charged = failures(machine, user);
            assert_eq!(
                charged,
                u64::from(!second),
                "{mishap}: {user} pays for the second try alone"
            );
        }
        assert_eq!(all_log_in(machine, &next), [true; USERS.len()], "{mishap}");
        assert_eq!(active(machine, &["otpd.socket", "otpd.service"]), "active active");
    }
    assert_eq!(sshd(), before, "sshd was not restarted");
}

/// Logins that wait at the prompt for the code when it happens: who is admitted. Each ends.
fn interrupted(
    machine: &Machine,
    mishap: &str,
    codes: &[String; USERS.len()],
) -> [bool; USERS.len()] {
    thread::scope(|scope| {
        let waiting = USERS.map(|user| scope.spawn(move || at_prompt(machine, user, "code: ")));
        let mut waiting = waiting.map(|login| login.join().unwrap());
        let happens = scope.spawn(|| machine.sh(mishap));
        for (login, code) in waiting.iter_mut().zip(codes).skip(1) {
            thread::sleep(APART);
            login.type_line(code);
        }
        happens.join().unwrap();
        waiting[0].type_line(&codes[0]);
        waiting.map(|login| login.finish(&[]).code == 0)
    })
}

fn all_log_in(machine: &Machine, codes: &[String; USERS.len()]) -> [bool; USERS.len()] {
    thread::scope(|scope| {
        let logins: [_; USERS.len()] = std::array::from_fn(|n| {
            scope.spawn(move || log_in(machine, USERS[n], &codes[n]).admitted)
        });
        logins.map(|login| login.join().unwrap())
    })
}
