//! The connection to otpd on the system bus.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::{User, getuid};
use otp_ipc::{AuthenticationProxy, Context, ErrorKind, ManagerProxy, names};
use zbus::DBusError;
use zbus::connection::Builder;
use zbus::fdo;
use zbus::proxy::CacheProperties;
use zeroize::{Zeroize, Zeroizing};

use crate::failure::{Exit, Failure};
use crate::render::{Output, printable};
use crate::tty;

/// The daemon answers root within a few seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// polkit may be asking the person for a password meanwhile.
const PATIENCE_WITH_POLKIT: Duration = Duration::from_secs(180);
/// polkit's own agent for text terminals.
const AGENT: &str = "/usr/bin/pkttyagent";

/// One run of this program: the daemon, and where its answers go.
pub(crate) struct Session {
    pub(crate) manager: ManagerProxy<'static>,
    pub(crate) out: Output,
    /// The caller's own name, for everyone but root.
    pub(crate) own: Option<String>,
    _agent: Option<Agent>,
}

impl Session {
    /// Connects to `address`, or to the system bus of this machine. The environment has no say.
    pub(crate) async fn open(address: Option<&str>, out: Output) -> Result<Self, Failure> {
        let system = format!("unix:path={}", names::SYSTEM_BUS_SOCKET);
        let address = address.unwrap_or(&system);
        let root = getuid().is_root();
        let connect = async {
            let connection = Builder::address(address)
                .method_timeout(if root { PATIENCE } else { PATIENCE_WITH_POLKIT })
                .build()
                .await?;
            let manager = ManagerProxy::builder(&connection);
            manager.cache_properties(CacheProperties::No).build().await
        };
        let manager = match tokio::time::timeout(PATIENCE, connect).await {
            Ok(manager) => manager.map_err(|error| failure(address, &error))?,
            Err(_) => return Err(unavailable(address, "the message bus does not answer")),
        };
        let own = if root { None } else { User::from_uid(getuid()).ok().flatten().map(|u| u.name) };
        Ok(Self { manager, out, own, _agent: if root { None } else { Agent::start() } })
    }

    /// Refuses to go on where the daemon is older than this program: it does not know `what` is
    /// asked for, or not all of it.
    pub(crate) async fn same_release(&self, what: &str) -> Result<(), Failure> {
        let found = self.manager.interface_version().await;
        let found = found.map_err(|error| failure(what, &error))?;
        if found >= names::INTERFACE_VERSION {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{what}: the running otpd has version {found} of the interface and otpctl needs {}; \
             install both from one release and restart otpd",
            names::INTERFACE_VERSION
        )))
    }

    /// Makes a call that changes something. Where the daemon asks for the proof that the caller
    /// has the credential already, asks for a code and calls once more.
    pub(crate) async fn prove<O, T>(
        &self,
        what: &str,
        mut options: O,
        proof: fn(&mut O) -> &mut Option<Vec<u8>>,
        call: impl AsyncFn(&O) -> zbus::Result<T>,
    ) -> Result<T, Failure> {
        let mut answer = call(&options).await;
        if matches!(&answer, Err(error) if kind(error) == Some(ErrorKind::ProofRequired))
            && let Some(code) = self.code().await?
        {
            *proof(&mut options) = Some(code.to_vec());
            answer = call(&options).await;
            proof(&mut options).zeroize();
        }
        answer.map_err(|error| failure(what, &error))
    }

    /// A code of the caller's. At a terminal one is sent to whose codes are delivered, as at a
    /// login, and the words that its prompt offers are answered by another prompt.
    async fn code(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let delivered = match &self.own {
            Some(own) if tty::interactive() => self.deliver(own).await.ok(),
            _ => None,
        };
        let Some((login, session, mut prompt)) = delivered else { return tty::secret(PROOF) };
        loop {
            let reply = tty::secret(if offers(&prompt).is_empty() { PROOF } else { &prompt })?;
            let word = reply.as_ref().and_then(|reply| std::str::from_utf8(reply).ok());
            let step = match word {
                Some(word) if offers(&prompt).contains(&word) => {
                    login.respond(&session, word.as_bytes()).await
                }
                _ => {
                    // It ends with this connection anyway.
                    let _ = login.cancel(&session).await;
                    return Ok(reply);
                }
            };
            let (step,) = step.map_err(|error| failure(word.unwrap_or_default(), &error))?;
            prompt = printable(step.text());
        }
    }

    /// Begins a login of the caller at this program, which sends a code where codes are sent.
    async fn deliver(
        &self,
        own: &str,
    ) -> zbus::Result<(AuthenticationProxy<'static>, String, String)> {
        let connection = self.manager.inner().connection();
        let login = AuthenticationProxy::builder(connection);
        let login = login.cache_properties(CacheProperties::No).build().await?;
        let service = Some(names::SELF_SERVICE.to_owned());
        let context = Context { service, ..Context::default() };
        let (session, step) = login.begin(own, &context).await?;
        Ok((login, session, printable(step.text())))
    }
}

/// What a user is asked for whose codes are their own device's.
const PROOF: &str = "Code of a token you have (or a recovery code): ";

/// The words that a prompt offers: "… (or: resend, email): ".
fn offers(prompt: &str) -> Vec<&str> {
    let list = prompt.split_once("(or: ").and_then(|(_, list)| list.split_once(')'));
    list.map(|(list, _)| list.split(", ").collect()).unwrap_or_default()
}

/// polkit's question on this terminal, for sessions that have no other agent (ssh).
struct Agent(Child);

impl Agent {
    fn start() -> Option<Self> {
        if !tty::interactive() {
            return None;
        }
        let mut agent = Command::new(AGENT)
            .args(["--notify-fd", "1", "--fallback"])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // It closes the descriptor when it is ready, or when it ends.
        agent.stdout.take()?.read_to_end(&mut Vec::new()).ok()?;
        Some(Self(agent))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the daemon says that went wrong; `None` where it is not the daemon who says it.
pub(crate) fn kind(error: &zbus::Error) -> Option<ErrorKind> {
    match error {
        zbus::Error::MethodError(name, ..) => ErrorKind::from_name(name.as_str()),
        _ => None,
    }
}

/// The error of a call, for the person who made it: `what` was tried.
pub(crate) fn failure(what: &str, error: &zbus::Error) -> Failure {
    match error {
        zbus::Error::MethodError(name, text, _) => match ErrorKind::from_name(name.as_str()) {
            Some(kind) => told(what, kind, text.as_deref().unwrap_or_default()),
            None => mismatch(what, name.as_str()),
        },
        zbus::Error::FDO(error) => standard(what, error),
        zbus::Error::InputOutput(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            unavailable(what, "no answer in time")
        }
        zbus::Error::InputOutput(error) | zbus::Error::Connection(error, _) => {
            unavailable(what, &error.to_string())
        }
        zbus::Error::Handshake(text) | zbus::Error::Address(text) => unavailable(what, text),
        error => mismatch(what, &error.to_string()),
    }
}

/// An error of the daemon: its status, and what to do unless the daemon says that itself.
fn told(what: &str, kind: ErrorKind, text: &str) -> Failure {
    let (exit, hint) = match kind {
        ErrorKind::InvalidArgument => (Exit::Usage, "see `otpctl help`"),
        ErrorKind::AccessDenied => (Exit::Denied, "run it as root, or ask an administrator"),
        ErrorKind::ProofRequired => (Exit::Denied, "give a code of a token that is there already"),
        ErrorKind::Rejected => (Exit::Denied, "try the next code, or look at `otpctl audit`"),
        ErrorKind::Forbidden => (Exit::Denied, "an administrator can do it, or change the policy"),
        ErrorKind::UnknownUser => (Exit::UnknownUser, "check the name; see `otpctl user list`"),
        ErrorKind::UnknownToken => (Exit::NoCredential, "see `otpctl token list`"),
        ErrorKind::AlreadyShared => (
            Exit::AlreadyShared,
            "an administrator can share another key: `otpctl token share --reshare`",
        ),
        ErrorKind::NoCredential => (Exit::NoCredential, "see `otpctl token add`"),
        ErrorKind::WrongState => (Exit::Failed, "see `otpctl token list`"),
        ErrorKind::UnknownSession => (Exit::Failed, "start again"),
        ErrorKind::InvalidConfiguration => (Exit::Failed, "see `otpctl config check`"),
        ErrorKind::SwitchedOff => (Exit::Failed, "see otpd.toml(5)"),
        ErrorKind::UnknownCode => (Exit::NoCredential, "see `otpctl code list`"),
        ErrorKind::UnknownClient => {
            (Exit::UnknownUser, "see `otpctl client list`, and for tenants `otpctl config show`")
        }
        ErrorKind::LimitReached => (Exit::Failed, "remove one; see `otpctl client list`"),
        ErrorKind::Busy => (Exit::Unavailable, "try again"),
        ErrorKind::Unavailable => (Exit::Unavailable, "see `otpctl status` and the log of otpd"),
    };
    let text = if text.is_empty() { kind.short_name() } else { text };
    let failure = Failure::new(exit, kind.short_name(), format!("{what}: {}", printable(text)));
    let says_what_to_do = text.contains(';') && kind != ErrorKind::AlreadyShared;
    if says_what_to_do { failure } else { failure.and(hint) }
}

/// An error of the bus itself.
fn standard(what: &str, error: &fdo::Error) -> Failure {
    use fdo::Error as E;
    let text = error.description().unwrap_or_default();
    match error {
        E::AccessDenied(_) | E::AuthFailed(_) => told(what, ErrorKind::AccessDenied, text),
        E::UnknownMethod(_)
        | E::UnknownObject(_)
        | E::UnknownInterface(_)
        | E::UnknownProperty(_)
        | E::InvalidArgs(_)
        | E::NotSupported(_) => mismatch(what, text),
        _ => unavailable(what, text),
    }
}

fn unavailable(what: &str, why: &str) -> Failure {
    let message = format!(
        "{what}: {}; is otpd running? See `systemctl status otpd` and its log",
        printable(why)
    );
    Failure::new(Exit::Unavailable, "Unavailable", message)
}

fn mismatch(what: &str, why: &str) -> Failure {
    let why = printable(why);
    Failure::failed(format!("{what}: {why}; are otpctl and otpd of the same version?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The errors that no daemon sends; those that it sends are tested with the whole program.
    #[test]
    fn each_error_of_the_bus_has_its_exit_status() {
        use fdo::Error as E;
        let io =
            |kind: std::io::ErrorKind| zbus::Error::InputOutput(std::io::Error::from(kind).into());
        let text = || String::from("why\x07");
        for (error, exit) in [
            (E::ServiceUnknown(text()).into(), Exit::Unavailable),
            (E::NameHasNoOwner(text()).into(), Exit::Unavailable),
            (E::NoReply(text()).into(), Exit::Unavailable),
            (E::TimedOut(text()).into(), Exit::Unavailable),
            (E::Disconnected(text()).into(), Exit::Unavailable),
            (E::SpawnFailed(text()).into(), Exit::Unavailable),
            (E::LimitsExceeded(text()).into(), Exit::Unavailable),
            (E::AccessDenied(text()).into(), Exit::Denied),
            (E::UnknownMethod(text()).into(), Exit::Failed),
            (E::InvalidArgs(text()).into(), Exit::Failed),
            (io(std::io::ErrorKind::TimedOut), Exit::Unavailable),
            (io(std::io::ErrorKind::BrokenPipe), Exit::Unavailable),
            (zbus::Error::Handshake(text()), Exit::Unavailable),
            (zbus::Error::Address(text()), Exit::Unavailable),
            (zbus::Error::InvalidReply, Exit::Failed),
        ] {
            let failure = failure("status", &error);
            assert_eq!(failure.exit, exit, "{error}: {}", failure.message);
            assert!(failure.message.starts_with("status: "), "{}", failure.message);
            assert!(!failure.message.contains('\x07'), "{}", failure.message);
        }
    }
}
