//! Every door a person comes in by, in every situation. What the person sees is one of four golden
//! transcripts for each door, so a refusal looks the same whatever its reason; the reason is in the
//! audit record.

use std::{cell::RefCell, thread::sleep, time::Duration};

use harness::{
    BusKind, Host, Login, MODULE, Otpd, PASSWORD, Token, World,
    bus::{SOCKET, Silent},
    golden::golden,
    otpd::{audit, enrol, otpctl_with},
    pam::code,
    process::command_as,
    sshd::{Methods, Sshd},
    terminal::sit,
};

/// The module's deadline in these stacks.
const DEADLINE: Duration = Duration::from_secs(2);
/// libpam's delay after a failure (2 s, give or take half) and what a busy machine adds.
const SLACK: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, PartialEq)]
enum Door {
    SshPassword,
    SshKey,
    Sudo,
    Su,
    Login,
}

/// What came of trying a door.
struct Attempt {
    admitted: bool,
    transcript: String,
    took: Duration,
}

/// A machine with one door, and what it needs to be tried.
struct House<'a> {
    world: &'a World,
    door: Door,
    sshd: Option<Sshd>,
    host: RefCell<Host>,
}

impl Door {
    fn name(self) -> &'static str {
        match self {
            Self::SshPassword => "sshd-password",
            Self::SshKey => "sshd-key",
            Self::Sudo => "sudo",
            Self::Su => "su",
            Self::Login => "login",
        }
    }

    fn service(self) -> &'static str {
        match self {
            Self::SshPassword | Self::SshKey => "sshd",
            Self::Sudo => "sudo",
            Self::Su => "su",
            Self::Login => "login",
        }
    }
}

impl<'a> House<'a> {
    /// Builds the door with the module's further options.
    fn new(world: &'a World, door: Door, options: &str) -> Self {
        let module = format!("required {MODULE} timeout={} {options}", DEADLINE.as_secs());
        match door {
            // A module that is not asked must not be the last word: libpam refuses a stack that says nothing.
            Door::SshKey if options.contains("nullok") => {
                world.stack(door.service(), &[&module, "required pam_permit.so"])
            }
            Door::SshKey => world.stack(door.service(), &[&module]),
            _ => world.stack(door.service(), &["requisite pam_unix.so nodelay", &module]),
        }
        world.stack("aside", &[&format!("required {MODULE}")]);
        let sshd = match door {
            Door::SshPassword => Some(world.sshd(Methods::Keyboard)),
            Door::SshKey => Some(world.sshd(Methods::KeyThenKeyboard)),
            _ => None,
        };
        Self { world, door, sshd, host: RefCell::new(world.host()) }
    }

    /// alice tries the door.
    fn try_with(&self, code: &str) -> Attempt {
        match self.door {
            Door::SshPassword => self.ssh(&[PASSWORD, code]),
            Door::SshKey => self.ssh(&[code]),
            Door::Sudo => terminal(&command_as("alice", &["sudo", "id", "-un"]), code),
            Door::Su => terminal(&command_as("65534", &["su", "alice", "-c", "id -un"]), code),
            Door::Login => {
                let login = Login::new("login", "alice");
                let done =
                    self.host.borrow_mut().login(login, &[PASSWORD.as_bytes(), code.as_bytes()]);
                Attempt {
                    admitted: done.code() == code::SUCCESS,
                    transcript: format!("{}code {}\n", done.transcript, done.code()),
                    took: done.machine(),
                }
            }
        }
    }

    fn ssh(&self, replies: &[&str]) -> Attempt {
        let done = self.sshd.as_ref().unwrap().login("alice", replies);
        Attempt { admitted: done.admitted, transcript: done.transcript, took: done.took }
    }

    /// Logs alice in beside the door; returns the PAM code.
    fn aside(&self, code: &str) -> i32 {
        self.host.borrow_mut().login(Login::new("aside", "alice"), &[code.as_bytes()]).code()
    }

    fn admitted(&self, code: &str) {
        let attempt = self.try_with(code);
        assert!(attempt.admitted, "not admitted:\n{}", attempt.transcript);
        golden(&format!("{}-admitted", self.door.name()), &attempt.transcript);
    }

    /// Refused; `result` is what the audit record says of it.
    fn refused(&self, code: &str, result: &str) {
        let attempt = self.try_with(code);
        assert!(!attempt.admitted, "admitted:\n{}", attempt.transcript);
        golden(&format!("{}-refused", self.door.name()), &attempt.transcript);
        let records = audit("alice");
        let last = records.last().expect("a refusal is recorded");
        assert_eq!(
            (last["event"].as_str(), last["result"].as_str()),
            (Some("login"), Some(result)),
            "{last}"
        );
        assert_eq!(last["service"].as_str(), Some(self.door.service()), "{last}");
    }

    /// Refused within the deadline because nobody answers.
    fn unavailable(&self, code: &str) {
        let attempt = self.try_with(code);
        assert!(!attempt.admitted, "admitted:\n{}", attempt.transcript);
        golden(&format!("{}-unavailable", self.door.name()), &attempt.transcript);
        let bound =
            DEADLINE + if self.door == Door::Login { Duration::from_secs(1) } else { SLACK };
        assert!(attempt.took < bound, "took {:?}", attempt.took);
        self.world.log().expect("pam_otp");
    }
}

fn terminal(program: &std::process::Command, code: &str) -> Attempt {
    let done = sit(program, &[("assword", PASSWORD), ("code: ", code)]);
    Attempt { admitted: done.code == 0, transcript: done.transcript, took: done.took }
}

/// A house whose daemon knows a token of alice.
fn enrolled(
    door: Door,
    configuration: &str,
    test: impl FnOnce(&House<'_>, &Token, &mut Otpd) + Send,
) {
    World::run(|world| {
        let mut otpd = world.otpd(configuration);
        let token = enrol("alice", &["--method", "hotp"]);
        test(&House::new(world, door, ""), &token, &mut otpd);
    });
}

fn right(door: Door) {
    enrolled(door, "", |house, token, _| {
        house.admitted(&token.code());
        let records = audit("alice");
        assert_eq!(records.last().unwrap()["result"], "ok");
    });
}

fn wrong(door: Door) {
    enrolled(door, "", |house, token, _| {
        house.refused(&token.wrong(), "wrong");
        house.admitted(&token.code());
    });
}

fn replayed(door: Door) {
    enrolled(door, "", |house, token, _| {
        let code = token.code();
        assert_eq!(house.aside(&code), code::SUCCESS);
        house.refused(&code, "replay");
    });
}

/// A right code while locked is neither told from a wrong one nor used up.
fn locked(door: Door) {
    enrolled(door, "[lockout]\nafter = 3\n", |house, token, _| {
        for _ in 0..3 {
            assert_eq!(house.aside(&token.wrong()), code::AUTH_ERR);
        }
        let code = token.code();
        house.refused(&code, "locked");
        otpctl_with(&["user", "unlock", "alice"], b"").ok();
        house.admitted(&code);
    });
}

fn expired(door: Door) {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp", "--expires", "1s"]);
        let house = House::new(world, door, "");
        sleep(Duration::from_millis(1100));
        house.refused(&token.code(), "expired");
    });
}

fn unenrolled(door: Door) {
    World::run(|world| {
        let _otpd = world.otpd("");
        House::new(world, door, "").refused("123456", "unenrolled");
    });
}

/// Both the policy and the stack say that who has no token needs none.
fn unenrolled_nullok(door: Door) {
    World::run(|world| {
        let service = door.service();
        let _otpd = world.otpd(&format!(
            "[[policy]]\nname = \"staged\"\nmatch = {{ service = [\"{service}\"] }}\nfactor = \"require\"\nunenrolled = \"ignore\"\n"
        ));
        let house = House::new(world, door, "nullok");
        let attempt = house.try_with("");
        assert!(attempt.admitted, "not admitted:\n{}", attempt.transcript);
        golden(&format!("{}-skipped", door.name()), &attempt.transcript);
        let token = enrol("alice", &["--method", "hotp"]);
        house.refused(&token.wrong(), "wrong");
        house.admitted(&token.code());
    });
}

fn daemon_stopped(door: Door) {
    enrolled(door, "", |house, token, otpd| {
        otpd.stop();
        house.unavailable(&token.code());
    });
}

fn daemon_frozen(door: Door) {
    enrolled(door, "", |house, token, otpd| {
        otpd.freeze();
        house.unavailable(&token.code());
    });
}

/// A system bus that accepts and says nothing, for a stack that uses it.
fn bus_silent(door: Door) {
    World::run(|world| {
        let bus = Silent::listen(SOCKET);
        House::new(world, door, "bus=system").unavailable("123456");
        assert!(bus.accepted() > 0, "the module did not come");
    });
}

/// The whole way over the bus instead of the login socket, on dbus-broker.
fn over_the_bus(door: Door) {
    World::run(|world| {
        world.bus(BusKind::Broker);
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        let house = House::new(world, door, "bus=system");
        let code = token.code();
        house.admitted(&code);
        house.refused(&code, "replay");
    });
}

/// One module for each door, one test for each situation.
macro_rules! doors {
    ($($name:ident: $door:expr;)*) => { $(doors!(@door $name, $door, right, wrong, replayed, locked, expired, unenrolled,
        unenrolled_nullok, daemon_stopped, daemon_frozen, bus_silent, over_the_bus);)* };
    (@door $name:ident, $door:expr, $($situation:ident),*) => {
        mod $name {
            use super::Door;
            $(#[test]
            fn $situation() {
                super::$situation($door);
            })*
        }
    };
}

doors! {
    sshd_password: Door::SshPassword;
    sshd_key: Door::SshKey;
    sudo: Door::Sudo;
    su: Door::Su;
    login: Door::Login;
}
