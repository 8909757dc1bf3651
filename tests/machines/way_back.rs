//! Root at the console comes back in, whatever has become of otpd, and mends it there. The steps are
//! those of "Locked out?" in the README and of DIAGNOSTICS in otpd(8).

use std::thread;

use harness::{Machine, PASSWORD, process::until, terminal::Seat};

use crate::{
    codes::{fails, install, is_unavailable, passes},
    house::{awaiting_sshd, enrol, failures, set_up_by_hand},
};

/// Something that otpd cannot work with.
struct Trouble {
    /// How it comes about.
    cause: &'static str,
    /// What root types at the console to see what is wrong, and what is read there.
    look: (&'static str, &'static str),
    /// What root types to mend it.
    mend: &'static str,
}

const BACKUP: &str = "install -d -m 700 /root/backup; rm -f /root/backup/*
    systemctl stop otpd; cp -p /var/lib/otpd/otpd.db /etc/otpd/kek /root/backup/
    systemctl start otpd; echo 'correct horse' >/root/passphrase
    otpctl backup /root/backup/otpd.age --passphrase-file /root/passphrase";
const RESTORE: &str =
    "otpctl restore /root/backup/otpd.age --passphrase-file /root/passphrase --yes";
/// Codes that a counter skips after a restore: as many as one login may, and the next one.
const SKIPPED: u64 = 11;

const TROUBLES: [Trouble; 6] = [
    Trouble {
        cause: "systemctl mask --now otpd.service otpd.socket",
        look: ("systemctl status otpd", "masked"),
        mend: "systemctl unmask otpd.service otpd.socket && \
               systemctl enable --now otpd.socket",
    },
    Trouble {
        cause: "head -c 20000 /dev/urandom >/var/lib/otpd/otpd.db; systemctl kill -s KILL otpd",
        look: ("journalctl -u otpd -n 20", "the store"),
        mend: RESTORE,
    },
    Trouble {
        cause: "systemctl stop otpd; rm /var/lib/otpd/otpd.db",
        look: ("journalctl -u otpd -n 20", "is missing"),
        mend: RESTORE,
    },
    Trouble {
        cause: "systemctl stop otpd; rm /etc/otpd/kek",
        look: ("journalctl -u otpd -n 20", "the key /etc/otpd/kek is missing"),
        mend: "install -o otpd -g otpd -m 0400 /root/backup/kek /etc/otpd/kek && \
               systemctl restart otpd",
    },
    Trouble {
        cause: "echo 'tpyo = 1' >>/etc/otpd/otpd.toml; systemctl restart otpd || true",
        look: ("otpctl config check", "/etc/otpd/otpd.toml:"),
        mend: "sed -i /tpyo/d /etc/otpd/otpd.toml && otpctl config check && systemctl restart otpd",
    },
    Trouble {
        cause: "systemctl stop otpd
            mount -t tmpfs -o size=1m,mode=700,uid=otpd,gid=otpd tmpfs /var/lib/otpd
            cp -p /root/backup/otpd.db /var/lib/otpd
            cat /dev/zero >/var/lib/otpd/full || true",
        look: ("df /var/lib/otpd", "100%"),
        mend: "rm /var/lib/otpd/full",
    },
];

pub fn root_mends_it_at_the_console(machine: &Machine) {
    install(machine);
    // Each trouble costs a login that much; by default it is ten seconds.
    machine.ok(&["sed", "-i", "s/pam_otp.so/& timeout=2/", "/etc/pam.d/sshd"]);
    let token = enrol(machine, "alice");
    passes(machine, "alice", &token.code());
    for trouble in &TROUBLES {
        machine.sh(BACKUP);
        machine.sh(trouble.cause);
        let code = token.at(token.spent());
        thread::scope(|scope| {
            let ssh = scope.spawn(|| is_unavailable(machine, "alice", &code));
            machine.with_console(|console| {
                root_logs_in(console);
                ssh.join().unwrap();
                let (command, sign) = trouble.look;
                console.type_line(&format!("{command} | cat"));
                console.expect(sign);
                does(console, trouble.mend);
                console.type_line("exit");
            });
        });
        if trouble.mend == RESTORE {
            fails(machine, "alice", &token.code());
            token.skip_to(token.spent() + SKIPPED - 1);
            fails(machine, "alice", &token.code());
        }
        passes(machine, "alice", &token.code());
        assert_eq!(failures(machine, "alice"), 0, "{}", trouble.cause);
    }
    without_a_backup(machine);
    nothing_helps(machine);
    the_console_asks_otpd(machine);
}

/// Key and store are lost: both are made anew, and everybody is enrolled again.
fn without_a_backup(machine: &Machine) {
    machine.sh("systemctl stop otpd; rm /var/lib/otpd/otpd.db");
    machine.with_console(|console| {
        root_logs_in(console);
        does(console, "rm -rf /var/lib/otpd/otpd.db* /etc/otpd/kek* && otpd init");
        does(console, "systemctl restart otpd");
        console.type_line("exit");
    });
    let token = enrol(machine, "alice");
    passes(machine, "alice", &token.code());
}

/// "Nothing helps": the module goes, without otpd, and the passwords work.
fn nothing_helps(machine: &Machine) {
    machine.ok(&["systemctl", "mask", "--now", "otpd.service", "otpd.socket"]);
    awaiting_sshd(machine, || {
        machine.with_console(|console| {
            root_logs_in(console);
            does(console, "otpctl setup --remove");
            console.type_line("exit");
        });
    });
    let login = machine.ssh("alice", &[("password: ", PASSWORD)]);
    assert!(login.admitted, "{login:?}");
}

/// With the module in login's own stack, not even a policy that skips root's console helps while
/// otpd is away: rescue mode does, which asks no PAM.
fn the_console_asks_otpd(machine: &Machine) {
    machine.write(
        "/etc/otpd/otpd.d/console.toml",
        0o644,
        "[[policy]]\nname = \"console\"\nmatch = { service = [\"login\"], user = [\"root\"] }\nfactor = \"skip\"\n",
    );
    set_up_by_hand(machine, "login");
    machine.ok(&["systemctl", "unmask", "otpd.service", "otpd.socket"]);
    machine.ok(&["systemctl", "start", "otpd.socket"]);
    machine.with_console(|console| {
        root_logs_in(console);
        console.type_line("exit");
    });
    machine.ok(&["systemctl", "mask", "--now", "otpd.service", "otpd.socket"]);
    machine.with_console(|console| {
        console.expect("login: ");
        console.type_line("root");
        console.expect("Password: ");
        console.type_line(PASSWORD);
        console.expect("Login incorrect");
    });
    machine.ok(&["systemctl", "--no-block", "rescue"]);
    machine.with_console(|console| {
        console.expect("root password for ");
        // It throws away what is typed before the terminal stops to show it.
        until("the password is waited for", || {
            machine.sh("stty -F /dev/console -a").contains(" -echo ")
        });
        console.type_line(PASSWORD);
        console.expect("root@");
        does(console, "sed -i '/^[^#]*pam_otp/s/^/#/' /etc/pam.d/*");
        console.type_line("systemctl default; exit");
        root_logs_in(console);
    });
}

fn root_logs_in(console: &mut Seat) {
    console.expect("login: ");
    console.type_line("root");
    console.expect("Password: ");
    console.type_line(PASSWORD);
    console.expect("root@");
}

/// Types a command, which must not fail.
fn does(console: &mut Seat, command: &str) {
    console.type_line(&format!("{command}; echo done=$?"));
    console.expect("done=0");
}
