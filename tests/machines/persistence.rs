//! A reboot and a power cut right after a login: what was decided stays decided.
//!
//! A machine's disk is memory of the host, so that a cut loses no page: that success is on the disk
//! before it is told is shown by the daemon's own tests.

use std::thread;

use harness::{Machine, process::until};

use crate::{
    codes::{active, add_user, at_prompt, fails, install, passes},
    house::{enrol, enrol_with},
};

/// Codes of TOTP are good for minutes, so that a used one is refused for its use alone.
const CONFIGURATION: &str = r#"
[lockout]
after = 2
first = "15m"
[[method]]
name = "totp"
window_before = 9
[budget]
per_user = 1
countries = ["+49"]
[provider.sms.file]
type = "exec"
path = "/usr/local/sbin/send-sms"
[[policy]]
name = "by SMS"
match = { user = ["dave"] }
unenrolled = "enrol"
enrol = ["sms"]
"#;

/// All that otpd has to say of the logins after each restart.
const WARNINGS: [&str; 4] = [
    "OTP. challenge: denied for user dave (the [budget] for +49*****67 is used up)",
    "OTP. login: locked for user carol",
    "OTP. login: replay for user alice",
    "OTP. login: replay for user bob",
];
/// Where the provider leaves the last message.
const MESSAGE: &str = "/var/lib/otpd/message";

pub fn a_reboot_and_a_power_cut_forget_nothing(machine: &Machine) {
    install(machine);
    machine.write("/usr/local/sbin/send-sms", 0o755, format!("#!/bin/sh\ncat >{MESSAGE}\n"));
    machine.write("/etc/otpd/otpd.d/machine.toml", 0o644, CONFIGURATION);
    machine.ok(&["otpctl", "config", "reload"]);
    ["carol", "dave"].iter().for_each(|user| add_user(machine, user));
    let (counter, clock) = (enrol(machine, "alice"), enrol_with(machine, "bob", "totp"));
    let locked = enrol(machine, "carol");
    machine.ok(&["otpctl", "user", "set", "dave", "mobile=+491701234567"]);
    let wrong = locked.wrong();
    thread::scope(|scope| {
        (0..2).for_each(|_| drop(scope.spawn(|| fails(machine, "carol", &wrong))));
        scope.spawn(|| is_sent_a_code(machine, "dave"));
    });
    let (used, step) = (counter.code(), clock.code());
    passes(machine, "bob", &step);
    passes(machine, "alice", &used);
    for restart in [Machine::reboot, cut] {
        restart(machine);
        let units = ["otpd.socket", "otpd.service"];
        assert_eq!(active(machine, &units), "active inactive", "nobody has logged in");
        passes(machine, "alice", &counter.code());
        assert_eq!(active(machine, &units), "active active");
        thread::scope(|scope| {
            for (user, code) in [("alice", &used), ("bob", &step), ("carol", &locked.code())] {
                let code = code.clone();
                scope.spawn(move || fails(machine, user, &code));
            }
            scope.spawn(|| at_prompt(machine, "dave", "No further code is sent"));
        });
        let said = machine.journal(&["--boot", "--unit=otpd", "--priority=warning", "-ocat"]);
        let of_logins = |line: &&str| !line.starts_with("OTP. config:");
        let mut said: Vec<_> = said.lines().filter(of_logins).collect();
        said.sort_unstable();
        assert_eq!(said, WARNINGS);
    }
}

/// A login with the code that is sent.
fn is_sent_a_code(machine: &Machine, user: &str) {
    let login = at_prompt(machine, user, "Code sent to +49*****67");
    until("the message is there", || {
        machine.run_program(&["grep", "-q", "is your code", MESSAGE]).code() == 0
    });
    let message = machine.read(MESSAGE);
    let code = message.split_whitespace().next().unwrap();
    assert_eq!(login.finish(&[(": ", code)]).code, 0, "{message}");
}

fn cut(machine: &Machine) {
    machine.power_cut();
    machine.power_on();
}
