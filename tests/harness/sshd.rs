//! The real sshd on loopback, and the real ssh client.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use crate::{
    counterparts::{await_port, free_port},
    process::{Output, Process, command, run},
};

/// What sshd asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Keyboard-interactive: whatever the PAM stack asks.
    Keyboard,
    /// The key, then keyboard-interactive.
    KeyThenKeyboard,
    /// One field, whatever the PAM stack asks.
    Password,
}

/// A running sshd.
pub struct Sshd {
    process: Process,
    port: u16,
    methods: Methods,
}

/// How an ssh login went.
#[derive(Debug)]
pub struct Session {
    /// The remote command ran.
    pub admitted: bool,
    /// The prompts in turn, and what the client printed.
    pub transcript: String,
    /// From the start of the client to its end.
    pub took: Duration,
}

const FOLDER: &str = "/run/e2e/ssh";
/// Where it is reached.
const HOST: &str = "127.0.0.1";
/// Records each prompt and answers it with the file of its number, as soon as that is there.
const ASKPASS: &str = r#"#!/bin/sh
n=$(($(cat "$ASK/n") + 1)); echo $n >"$ASK/n"
printf '%s\n' "$1" >>"$ASK/prompts"
until [ -e "$ASK/$n" ] || [ -e "$ASK/silent" ]; do sleep 0.01; done
cat "$ASK/$n"
"#;

/// sshd from 9.8 on puts off an address from which logins have failed, and here all come from one.
const PATIENT: &str = "PerSourcePenalties no\n";

impl Sshd {
    /// Starts sshd with the PAM stack in /etc/pam.d/sshd.
    pub(crate) fn start(methods: Methods) -> Self {
        let folder = keys();
        let port = free_port();
        let (asked, password) = match methods {
            Methods::Keyboard => ("keyboard-interactive:pam", "no"),
            Methods::KeyThenKeyboard => ("publickey,keyboard-interactive:pam", "no"),
            Methods::Password => ("password", "yes"),
        };
        let configuration = format!(
            "ListenAddress 127.0.0.1\nListenAddress ::1\nPort {port}\nHostKey {FOLDER}/host\nPidFile none\nUsePAM yes\n\
             PasswordAuthentication {password}\nKbdInteractiveAuthentication yes\nAuthenticationMethods {asked}\n\
             AuthorizedKeysFile {FOLDER}/authorized\nStrictModes no\nUseDNS no\nPermitRootLogin no\n\
             LogLevel VERBOSE\nPrintMotd no\nMaxStartups 200\n"
        );
        let file = folder.join("sshd_config");
        fs::write(&file, configuration.clone() + PATIENT).unwrap();
        if run(command("/usr/sbin/sshd").args(["-t", "-f"]).arg(&file), b"").code() != 0 {
            fs::write(&file, configuration).unwrap();
        }
        // sshd must be started by its absolute path: it re-executes itself.
        let sshd =
            command("/usr/sbin/sshd").args(["-D", "-f"]).arg(file).stderr(Stdio::null()).start();
        await_port("sshd", port);
        Self { process: sshd, port, methods }
    }

    /// Starts sshd with /etc/ssh/sshd_config, to which its port, its keys and its pid file are
    /// added; what it asks for is that file's to say, and what the client offers `methods`'.
    pub(crate) fn of_the_machine(methods: Methods) -> Self {
        keys();
        let port = free_port();
        let file = Path::new("/etc/ssh/sshd_config");
        let settings = format!(
            "Include /etc/ssh/sshd_config.d/*.conf\nListenAddress 127.0.0.1\nPort {port}\n\
             HostKey {FOLDER}/host\nPidFile /run/sshd.pid\nAuthorizedKeysFile {FOLDER}/authorized\n\
             StrictModes no\nUseDNS no\nLogLevel VERBOSE\nPrintMotd no\nUsePAM yes\n\
             KbdInteractiveAuthentication no\n"
        );
        fs::write(file, settings.clone() + PATIENT).unwrap();
        if run(command("/usr/sbin/sshd").arg("-t"), b"").code() != 0 {
            fs::write(file, settings).unwrap();
        }
        let sshd = command("/usr/sbin/sshd").arg("-D").stderr(Stdio::null()).start();
        await_port("sshd", port);
        Self { process: sshd, port, methods }
    }

    /// Logs in with the replies to the prompts in turn; an empty one where they run out.
    pub fn login(&self, user: &str, replies: &[&str]) -> Session {
        self.login_at(HOST, user, replies)
    }

    /// The same at another address of loopback, and so from there.
    pub fn login_at(&self, address: &str, user: &str, replies: &[&str]) -> Session {
        let ask = ask_folder();
        for (n, reply) in replies.iter().enumerate() {
            fs::write(format!("{ask}/{}", n + 1), format!("{reply}\n")).unwrap();
        }
        fs::write(format!("{ask}/silent"), "").unwrap();
        let done = run(&mut self.client(address, user, &ask), b"");
        session(user, &ask, done)
    }

    /// The same with a key of its own (`id`, which all others have, or `other`) from an address of
    /// loopback.
    pub fn login_from(&self, key: &str, address: &str, user: &str, replies: &[&str]) -> Session {
        let ask = ask_folder();
        for (n, reply) in replies.iter().enumerate() {
            fs::write(format!("{ask}/{}", n + 1), format!("{reply}\n")).unwrap();
        }
        fs::write(format!("{ask}/silent"), "").unwrap();
        let mut client = self.client_with(key, &ask);
        client.args(["-b", address, &format!("{user}@127.0.0.1"), "echo admitted as $(id -un)"]);
        session(user, &ask, run(&mut client, b""))
    }

    /// Logs in; `answer` is given each prompt when it is there.
    pub fn converse(&self, user: &str, mut answer: impl FnMut(&str) -> String) -> Session {
        let ask = ask_folder();
        thread::scope(|scope| {
            let client = scope.spawn(|| run(&mut self.client(HOST, user, &ask), b""));
            let mut answered = 0;
            while !client.is_finished() {
                let prompts = prompts(&ask);
                for prompt in &prompts[answered..] {
                    answered += 1;
                    let reply = format!("{ask}/reply");
                    fs::write(&reply, format!("{}\n", answer(prompt))).unwrap();
                    fs::rename(reply, format!("{ask}/{answered}")).unwrap();
                }
                thread::sleep(Duration::from_millis(5));
            }
            session(user, &ask, client.join().unwrap())
        })
    }

    /// Starts a login whose first prompt is never answered; it ends when dropped.
    pub fn leave_at_prompt(&self, user: &str) -> Process {
        let askpass = format!("{FOLDER}/never");
        fs::write(&askpass, "#!/bin/sh\nexec sleep 600\n").unwrap();
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o755)).unwrap();
        Process::start(
            self.client(HOST, user, "").env("SSH_ASKPASS", askpass).stderr(Stdio::null()),
        )
    }

    /// An ssh client that asks at its terminal.
    pub fn at_terminal(&self, user: &str) -> Command {
        let mut ssh = self.client(HOST, user, "");
        ssh.env_remove("SSH_ASKPASS").env_remove("SSH_ASKPASS_REQUIRE").env_remove("ASK");
        ssh
    }

    /// An ssh client that takes its replies from the folder `ask`.
    fn client(&self, address: &str, user: &str, ask: &str) -> Command {
        let mut ssh = self.client_with("id", ask);
        ssh.args([&format!("{user}@{address}"), "echo admitted as $(id -un)"]);
        ssh
    }

    /// The same without its destination and its command.
    fn client_with(&self, key: &str, ask: &str) -> Command {
        let preferred = match self.methods {
            Methods::Keyboard => "PreferredAuthentications=keyboard-interactive",
            Methods::KeyThenKeyboard => "PreferredAuthentications=publickey,keyboard-interactive",
            Methods::Password => "PreferredAuthentications=password",
        };
        let port = self.port.to_string();
        let mut ssh = command("ssh");
        ssh.args(["-F", "none", "-i", &format!("{FOLDER}/{key}"), "-p", &port, "-o", preferred]);
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "LogLevel=INFO",
            "GSSAPIAuthentication=no",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "NumberOfPasswordPrompts=1",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.env("SSH_ASKPASS", format!("{FOLDER}/askpass"))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("ASK", ask);
        ssh
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }
}

/// The folder with the keys of both sides, and the program that replies.
fn keys() -> &'static Path {
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder).unwrap();
    for key in ["host", "id", "other"] {
        let file = folder.join(key);
        if !file.exists() {
            run(
                command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file),
                b"",
            )
            .ok();
        }
    }
    let public = |key: &str| fs::read_to_string(folder.join(key)).unwrap();
    fs::write(folder.join("authorized"), public("id.pub") + &public("other.pub")).unwrap();
    fs::write(folder.join("askpass"), ASKPASS).unwrap();
    fs::set_permissions(folder.join("askpass"), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A folder for the prompts and the replies of one login.
fn ask_folder() -> String {
    static LOGINS: AtomicUsize = AtomicUsize::new(0);
    let ask = format!("{FOLDER}/ask-{}", LOGINS.fetch_add(1, Ordering::Relaxed));
    fs::create_dir(&ask).unwrap();
    fs::write(format!("{ask}/n"), "0").unwrap();
    fs::write(format!("{ask}/prompts"), "").unwrap();
    ask
}

/// The prompts up to now.
fn prompts(ask: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("{ask}/prompts")).unwrap();
    let finished = text.rsplit_once('\n').map_or("", |(finished, _)| finished);
    finished.lines().map(|line| spoken(line).to_owned()).collect()
}

fn session(user: &str, ask: &str, done: Output) -> Session {
    let asked: String = prompts(ask).iter().map(|prompt| format!("prompt: {prompt:?}\n")).collect();
    let new_host = |line: &&str| line.starts_with("Warning: Permanently added");
    let said: String = done.stderr.split_inclusive('\n').filter(|line| !new_host(line)).collect();
    let told = format!("{asked}{said}").replace(&format!("{user}@{HOST}"), "USER");
    Session {
        admitted: done.status.success() && done.stdout == format!("admitted as {user}\n"),
        transcript: format!("{told}{}", done.stdout),
        took: done.took,
    }
}

/// The prompt without the `(user@host) ` that newer clients put in front.
fn spoken(prompt: &str) -> &str {
    match prompt.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
        Some((_, text)) => text,
        None => prompt,
    }
}

/// `Process::start`, at the end of a command.
trait Startable {
    fn start(&mut self) -> Process;
}

impl Startable for Command {
    fn start(&mut self) -> Process {
        Process::start(self)
    }
}
