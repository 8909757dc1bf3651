//! The private machine as a test sees it.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, PoisonError, RwLock},
    thread,
};

use crate::{
    bus::{Bus, BusKind},
    counterparts::{
        certificates::Flaw,
        gateway::Gateway,
        gnokii::Gnokii,
        modem::{self, Modem},
        sendmail::Sendmail,
        smsc::Smsc,
        smtp::{Smtp, Tls},
    },
    directories::{
        Person,
        infopipe::{self, Infopipe},
        postgresql::Postgresql,
        slapd::{self, Slapd},
    },
    log::Log,
    namespace,
    otpd::{Otpd, Start},
    pam::Host,
    polkit::Polkit,
    process::sweep,
    sshd::{Methods, Sshd},
};

/// Tests share the processors, but for those that need them for themselves.
static PROCESSORS: RwLock<()> = RwLock::new(());

/// A machine of its own for one test.
pub struct World {
    log: Log,
    bus: Mutex<Option<Bus>>,
}

impl World {
    /// Runs a test on a machine of its own, beside other tests.
    pub fn run(test: impl FnOnce(&Self) + Send) {
        let _shared = PROCESSORS.read().unwrap_or_else(PoisonError::into_inner);
        Self::enter(test);
    }

    /// Runs a test while no other one runs: one that measures time or loads the machine.
    pub fn run_alone(test: impl FnOnce(&Self) + Send) {
        let _alone = PROCESSORS.write().unwrap_or_else(PoisonError::into_inner);
        Self::enter(test);
    }

    /// The thread ends with the test, and the namespace with the thread.
    fn enter(test: impl FnOnce(&Self) + Send) {
        let done = thread::scope(|scope| {
            let machine = || {
                namespace::enter();
                let world = Self { log: Log::default(), bus: Mutex::new(None) };
                world.log.listen("/dev/log");
                let done = catch_unwind(AssertUnwindSafe(|| test(&world)));
                if done.is_err() {
                    eprintln!("--- logged on the machine:\n{}", world.log.records().join("\n"));
                }
                drop(world);
                sweep();
                done
            };
            scope.spawn(machine).join()
        });
        match done {
            Ok(Ok(())) => (),
            Ok(Err(panic)) | Err(panic) => resume_unwind(panic),
        }
    }

    /// What the machine's programs logged.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Writes /etc/pam.d/SERVICE: the lines of `auth`, and everything else permitted.
    pub fn stack(&self, service: &str, auth: &[&str]) {
        let mut text: String = auth.iter().map(|line| format!("auth {line}\n")).collect();
        for kind in ["account", "session", "password"] {
            text += &format!("{kind} required pam_permit.so\n");
        }
        fs::write(format!("/etc/pam.d/{service}"), text).unwrap();
    }

    /// Starts the system bus.
    pub fn bus(&self, kind: BusKind) {
        if kind == BusKind::Broker {
            self.log.listen("/run/systemd/journal/socket");
        }
        *self.bus.lock().unwrap() = Some(Bus::start(kind));
    }

    /// Does something to the bus that runs.
    pub fn with_bus<R>(&self, deed: impl FnOnce(&Bus) -> R) -> R {
        deed(self.bus.lock().unwrap().as_ref().expect("the bus runs"))
    }

    /// Ends the bus.
    pub fn stop_bus(&self) {
        *self.bus.lock().unwrap() = None;
    }

    /// Starts otpd, and dbus-daemon where no bus runs yet.
    pub fn otpd(&self, configuration: &str) -> Otpd {
        self.otpd_as(configuration, Start::Itself)
    }

    /// Starts otpd in one of its two ways.
    pub fn otpd_as(&self, configuration: &str, start: Start) -> Otpd {
        self.need_bus();
        Otpd::start(configuration, start)
    }

    /// Starts polkitd with these rules, and dbus-daemon where no bus runs yet.
    pub fn polkit(&self, rules: &str) -> Polkit {
        self.need_bus();
        Polkit::start(rules)
    }

    fn need_bus(&self) {
        if self.bus.lock().unwrap().is_none() {
            self.bus(BusKind::Daemon);
        }
    }

    /// Starts an SMS gateway over HTTP.
    pub fn gateway(&self) -> Gateway {
        self.gateway_at("127.0.0.1")
    }

    /// Starts one at another address of loopback.
    pub fn gateway_at(&self, ip: &str) -> Gateway {
        Gateway::start(ip)
    }

    /// Starts a mail server.
    pub fn smtp(&self, tls: Tls) -> Smtp {
        Smtp::start(tls, Flaw::None)
    }

    /// Starts a mail server whose certificate is not as it should be.
    pub fn flawed_smtp(&self, tls: Tls, flaw: Flaw) -> Smtp {
        Smtp::start(tls, flaw)
    }

    /// Sets up a program that takes mail, and a mail server behind it.
    pub fn sendmail(&self) -> Sendmail {
        Sendmail::start()
    }

    /// Starts an SMSC.
    pub fn smsc(&self) -> Smsc {
        Smsc::start()
    }

    /// Sets up gnokii.
    pub fn gnokii(&self) -> Gnokii {
        Gnokii::install()
    }

    /// Starts ModemManager, and the bus, which must not run yet.
    pub fn modem(&self) -> Modem {
        assert!(self.bus.lock().unwrap().is_none(), "the bus has read its policies");
        modem::permit();
        self.need_bus();
        Modem::start()
    }

    /// Starts slapd, with people in it.
    pub fn slapd(&self, kind: slapd::Kind, people: &[Person]) -> Slapd {
        Slapd::start(kind, Flaw::None, people)
    }

    /// Starts slapd with a certificate that is not as it should be.
    pub fn flawed_slapd(&self, flaw: Flaw, people: &[Person]) -> Slapd {
        Slapd::start(slapd::Kind::OpenLdap, flaw, people)
    }

    /// Starts PostgreSQL, with people in it and `many` more.
    pub fn postgresql(&self, flaw: Flaw, people: &[Person], many: usize) -> Postgresql {
        Postgresql::start(flaw, people, many)
    }

    /// Starts SSSD's InfoPipe, and the bus, which must not run yet.
    pub fn infopipe(&self, people: &[Person]) -> Infopipe {
        assert!(self.bus.lock().unwrap().is_none(), "the bus has read its policies");
        infopipe::permit();
        self.need_bus();
        Infopipe::start(people)
    }

    /// Starts sshd.
    pub fn sshd(&self, methods: Methods) -> Sshd {
        Sshd::start(methods)
    }

    /// Starts sshd with the machine's own configuration.
    pub fn sshd_of_the_machine(&self, methods: Methods) -> Sshd {
        Sshd::of_the_machine(methods)
    }

    /// Puts the module under test where libpam looks for modules.
    pub fn install_module(&self) {
        namespace::install_module();
    }

    /// Gives pam-auth-update a profile, and files of debconf's that are the machine's own.
    pub fn pam_profile(&self, name: &str, text: &str) {
        namespace::pam_profile(name, text);
    }

    /// Starts a PAM application as root.
    pub fn host(&self) -> Host {
        Host::start(0, &[])
    }

    /// Starts a PAM application as somebody, with an environment.
    pub fn host_as(&self, uid: u32, environment: &[(&str, &str)]) -> Host {
        Host::start(uid, environment)
    }
}
