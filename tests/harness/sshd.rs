//! The real sshd on loopback, and the real ssh client.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    counterparts::free_port,
    process::{Process, command, run, until},
};

/// What sshd asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Keyboard-interactive: whatever the PAM stack asks.
    Keyboard,
    /// The key, then keyboard-interactive.
    KeyThenKeyboard,
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
/// Records each prompt and answers it with the file of its number.
const ASKPASS: &str = "#!/bin/sh\nn=$(($(cat \"$ASK/n\") + 1)); echo $n >\"$ASK/n\"\nprintf '%s\\n' \"$1\" >>\"$ASK/prompts\"\ncat \"$ASK/$n\"\n";

impl Sshd {
    /// Starts sshd with the PAM stack in /etc/pam.d/sshd.
    pub(crate) fn start(methods: Methods) -> Self {
        let folder = Path::new(FOLDER);
        fs::create_dir_all(folder).unwrap();
        for key in ["host", "id"] {
            let file = folder.join(key);
            if !file.exists() {
                run(
                    command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file),
                    b"",
                )
                .ok();
            }
        }
        fs::copy(folder.join("id.pub"), folder.join("authorized")).unwrap();
        fs::write(folder.join("askpass"), ASKPASS).unwrap();
        fs::set_permissions(folder.join("askpass"), fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let asked = match methods {
            Methods::Keyboard => "keyboard-interactive:pam",
            Methods::KeyThenKeyboard => "publickey,keyboard-interactive:pam",
        };
        let configuration = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {FOLDER}/host\nPidFile none\nUsePAM yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication yes\nAuthenticationMethods {asked}\n\
             AuthorizedKeysFile {FOLDER}/authorized\nStrictModes no\nUseDNS no\nPermitRootLogin no\n\
             LogLevel VERBOSE\nPrintMotd no\nMaxStartups 200\n"
        );
        fs::write(folder.join("sshd_config"), configuration).unwrap();
        // sshd must be started by its absolute path: it re-executes itself.
        let sshd = command("/usr/sbin/sshd")
            .args(["-D", "-f"])
            .arg(folder.join("sshd_config"))
            .stderr(Stdio::null())
            .start();
        until("sshd listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        Self { process: sshd, port, methods }
    }

    /// Logs in with the replies to the prompts in turn; an empty one where they run out.
    pub fn login(&self, user: &str, replies: &[&str]) -> Session {
        let ask = format!("{FOLDER}/ask-{}", fs::read_dir(FOLDER).unwrap().count());
        fs::create_dir(&ask).unwrap();
        fs::write(format!("{ask}/n"), "0").unwrap();
        fs::write(format!("{ask}/prompts"), "").unwrap();
        for (n, reply) in replies.iter().enumerate() {
            fs::write(format!("{ask}/{}", n + 1), format!("{reply}\n")).unwrap();
        }
        let done = run(&mut self.client(user, &ask), b"");
        let prompts = fs::read_to_string(format!("{ask}/prompts")).unwrap();
        let asked: String =
            prompts.lines().map(|line| format!("prompt: {:?}\n", spoken(line))).collect();
        let told = done.stderr.replace(&format!("{user}@127.0.0.1"), "USER");
        Session {
            admitted: done.status.success() && done.stdout == format!("admitted as {user}\n"),
            transcript: format!("{asked}{told}{}", done.stdout),
            took: done.took,
        }
    }

    /// Starts a login whose first prompt is never answered; it ends when dropped.
    pub fn leave_at_prompt(&self, user: &str) -> Process {
        let askpass = format!("{FOLDER}/never");
        fs::write(&askpass, "#!/bin/sh\nexec sleep 600\n").unwrap();
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o755)).unwrap();
        Process::start(self.client(user, "").env("SSH_ASKPASS", askpass).stderr(Stdio::null()))
    }

    /// An ssh client that takes its replies from the folder `ask`.
    fn client(&self, user: &str, ask: &str) -> Command {
        let preferred = match self.methods {
            Methods::Keyboard => "PreferredAuthentications=keyboard-interactive",
            Methods::KeyThenKeyboard => "PreferredAuthentications=publickey,keyboard-interactive",
        };
        let port = self.port.to_string();
        let mut ssh = command("ssh");
        ssh.args(["-F", "none", "-i", &format!("{FOLDER}/id"), "-p", &port, "-o", preferred]);
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "GSSAPIAuthentication=no",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "NumberOfPasswordPrompts=1",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.args([&format!("{user}@127.0.0.1"), "echo admitted as $(id -un)"]);
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
