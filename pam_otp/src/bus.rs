//! The way to otpd: D-Bus over one blocking Unix socket, without a runtime or a thread.
//!
//! Two lanes speak the same interface. Root's logins go straight to otpd's own socket; others go
//! through the system bus. Each address is compiled in or an option of the module line, never from
//! the environment, which under `su` and `sudo` is the attacker's. Who listens is checked before a
//! byte is sent, and on the bus also who owns the name.

mod fault;

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
    },
    unistd::geteuid,
};
use otp_ipc::{Context, Step, limits, names};
use zbus::{
    Message,
    message::{Builder, Type},
    wire::{DynamicDeserialize, Endian},
};
use zeroize::Zeroizing;

use self::fault::Fault;
use crate::{dialogue::Daemon, ffi};

/// The message bus itself, as a peer on the bus.
const DBUS: &str = "org.freedesktop.DBus";
const DBUS_PATH: &str = "/org/freedesktop/DBus";
const NO_OWNER: &str = "org.freedesktop.DBus.Error.NameHasNoOwner";
/// Longest line of the handshake in bytes.
const LINE: usize = 512;
/// What precedes the header fields of a message: fixed fields and the length of the others.
const FIXED: usize = 16;

/// The machine time that a login may still use. It stands still while the person types.
#[derive(Debug)]
struct Deadline {
    left: Duration,
    since: Option<Instant>,
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "the only clock of the module, and monotonic")]
    fn now() -> Instant {
        Instant::now()
    }

    fn resume(&mut self) {
        self.since = Some(Self::now());
    }

    fn pause(&mut self) {
        self.left = self.remaining().unwrap_or_default();
        self.since = None;
    }

    /// What is left, never zero.
    fn remaining(&self) -> Result<Duration, Fault> {
        let used = self.since.map(|since| Self::now().saturating_duration_since(since));
        match self.left.saturating_sub(used.unwrap_or_default()) {
            Duration::ZERO => Err(Fault::Timeout),
            left => Ok(left),
        }
    }
}

/// Which way a login goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// To otpd's own socket at this path.
    Direct(String),
    /// Through the bus at this path. The name's owner must be root or have otpd's user id, where
    /// there is such an account.
    Bus(String, Option<u32>),
}

impl Lane {
    fn path(&self) -> &str {
        match self {
            Self::Direct(path) | Self::Bus(path, _) => path,
        }
    }
}

/// otpd, as one login sees it. It connects with the first call and leaves when it is dropped, which
/// ends the login at the other end, too.
pub(crate) struct Client {
    lane: Lane,
    /// Who must be listening at the socket: root.
    listener: u32,
    deadline: Deadline,
    stream: Option<UnixStream>,
    /// What has come and is not yet used.
    input: Vec<u8>,
    /// On the bus: otpd's unique name. Calls go to it and replies come from it.
    peer: Option<String>,
}

impl Client {
    /// A login over `lane` that may use `timeout` of machine time.
    pub(crate) fn new(lane: Lane, timeout: Duration) -> Self {
        let deadline = Deadline { left: timeout, since: None };
        Self { lane, listener: 0, deadline, stream: None, input: Vec::new(), peer: None }
    }

    /// Runs `action` while the clock ticks; what goes wrong is told with the place.
    fn timed<T>(
        &mut self,
        action: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, String> {
        self.deadline.resume();
        let result = action(self);
        self.deadline.pause();
        result.map_err(|fault| format!("{}: {fault}", self.lane.path()))
    }

    fn start(&mut self, user: &str, context: &Context) -> Result<(String, Step), Fault> {
        let fresh = self.stream.is_none();
        if fresh {
            self.connect()?;
            if let Lane::Bus(_, daemon) = self.lane {
                self.join_bus(daemon)?;
            }
        }
        let begin = self.call("Begin").build(&(user, context))?;
        if fresh && self.peer.is_none() {
            // Handshake and call in one write: a login takes two round trips in all.
            self.send(&[greeting().as_slice(), begin.data()].concat())?;
            self.welcome()?;
        } else {
            self.send(begin.data())?;
        }
        body(&self.reply(&begin)?)
    }

    fn answer(&mut self, session: &str, reply: &[u8]) -> Result<Step, Fault> {
        // The message is made around blanks, and the reply, with which it ends, is put in where it
        // is wiped afterwards.
        let blank = vec![0_u8; reply.len()];
        let respond = self.call("Respond").build(&(session, blank.as_slice()))?;
        let mut bytes = Zeroizing::new(respond.data().to_vec());
        for (slot, byte) in bytes.iter_mut().rev().zip(reply.iter().rev()) {
            *slot = *byte;
        }
        self.send(&bytes)?;
        let (step,) = body(&self.reply(&respond)?)?;
        Ok(step)
    }

    /// A call of otpd's login interface.
    fn call(&self, member: &'static str) -> Builder<'static> {
        let call =
            Message::method_call(names::OBJECT_PATH, member).interface(names::AUTHENTICATION);
        match &self.peer {
            Some(peer) => call.destination(peer.clone()),
            None => call,
        }
    }

    /// Connects and checks who listens, before anything is sent.
    fn connect(&mut self) -> Result<(), Fault> {
        let address = UnixAddr::new(self.lane.path()).map_err(Fault::Connect)?;
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
            .map_err(Fault::Connect)?;
        let stream = UnixStream::from(socket);
        loop {
            // Where the queue of the socket is full, this also bounds the wait in `connect`.
            stream.set_write_timeout(Some(self.deadline.remaining()?))?;
            match connect(stream.as_raw_fd(), &address) {
                Ok(()) => break,
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(error) => return Err(Fault::Connect(error)),
            }
        }
        let peer = getsockopt(&stream, sockopt::PeerCredentials).map_err(Fault::Connect)?;
        if peer.uid() != self.listener {
            return Err(Fault::Stranger(peer.uid()));
        }
        self.stream = Some(stream);
        Ok(())
    }

    /// Becomes a member of the bus and finds otpd there.
    fn join_bus(&mut self, daemon: Option<u32>) -> Result<(), Fault> {
        let hello = driver("Hello").build(&())?;
        let owner = driver("GetNameOwner").build(&names::BUS_NAME)?;
        self.send(&[greeting().as_slice(), hello.data(), owner.data()].concat())?;
        self.welcome()?;
        // From here on replies count only when they come from whom the call went to.
        self.peer = Some(DBUS.to_owned());
        self.reply(&hello)?;
        let name: String = match self.reply(&owner) {
            Err(Fault::Answer(error, _)) if error == NO_OWNER => {
                let start = driver("StartServiceByName").build(&(names::BUS_NAME, 0_u32));
                self.ask_bus(start)?;
                body(&self.ask_bus(driver("GetNameOwner").build(&names::BUS_NAME))?)?
            }
            answer => body(&answer?)?,
        };
        // Not GetConnectionCredentials: a broker may put a file descriptor into that answer, and
        // cuts off whoever has not said that they take any.
        let uid: u32 = body(&self.ask_bus(driver("GetConnectionUnixUser").build(&name))?)?;
        if uid != 0 && Some(uid) != daemon {
            return Err(Fault::Owner(uid));
        }
        self.peer = Some(name);
        Ok(())
    }

    fn ask_bus(&mut self, call: zbus::Result<Message>) -> Result<Message, Fault> {
        let call = call?;
        self.send(call.data())?;
        self.reply(&call)
    }

    /// Waits for the end of the handshake.
    fn welcome(&mut self) -> Result<(), Fault> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                return if line.starts_with(b"OK ") { Ok(()) } else { Err(Fault::Rejected) };
            }
            if self.input.len() > LINE {
                return Err(Fault::Malformed("the handshake does not end".to_owned()));
            }
            self.fill()?;
        }
    }

    /// Waits for the reply to `call`; whatever else comes is passed over.
    fn reply(&mut self, call: &Message) -> Result<Message, Fault> {
        let serial = call.primary_header().serial_num();
        loop {
            let message = self.receive()?;
            let header = message.header();
            if header.reply_serial() != Some(serial) {
                continue;
            }
            let sender = header.sender().map(|name| name.as_str());
            let trusted = self.peer.is_none() || sender == self.peer.as_deref();
            match header.message_type() {
                Type::MethodReturn if trusted => return Ok(message),
                // The bus itself answers for a peer that has gone.
                Type::Error if trusted || sender == Some(DBUS) => {
                    let name = header.error_name().map(ToString::to_string).unwrap_or_default();
                    let text = message.body().deserialize::<String>().unwrap_or_default();
                    return Err(Fault::Answer(name, text));
                }
                _ => {}
            }
        }
    }

    /// Waits for one whole message.
    fn receive(&mut self) -> Result<Message, Fault> {
        loop {
            if let Some((endian, length)) = message_length(&self.input)?
                && self.input.len() >= length
            {
                let rest = self.input.split_off(length);
                let bytes = std::mem::replace(&mut self.input, rest);
                return Ok(ffi::message(bytes, endian)?);
            }
            self.fill()?;
        }
    }

    /// Waits for more input. Each wait ends with the deadline, however slowly the bytes come.
    fn fill(&mut self) -> Result<(), Fault> {
        let mut stream = self.stream.as_ref().ok_or(Fault::Broken(Errno::ENOTCONN))?;
        let mut chunk = [0; 4096];
        loop {
            stream.set_read_timeout(Some(self.deadline.remaining()?))?;
            match stream.read(&mut chunk) {
                Ok(0) => return Err(Fault::Closed),
                Ok(count) => {
                    self.input.extend_from_slice(chunk.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if must_retry(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        let mut stream = self.stream.as_ref().ok_or(Fault::Broken(Errno::ENOTCONN))?;
        while !bytes.is_empty() {
            stream.set_write_timeout(Some(self.deadline.remaining()?))?;
            // std writes to sockets with MSG_NOSIGNAL: a peer that has gone is an error, no SIGPIPE.
            match stream.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if must_retry(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Daemon for Client {
    fn begin(&mut self, user: &str, context: &Context) -> Result<(String, Step), String> {
        self.timed(|client| client.start(user, context))
    }

    fn respond(&mut self, session: &str, reply: &[u8]) -> Result<Step, String> {
        self.timed(|client| client.answer(session, reply))
    }
}

/// The client's whole part of the handshake: the effective user id, in decimal, in hex.
fn greeting() -> Vec<u8> {
    let uid: String = geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").into_bytes()
}

/// A call to the bus itself.
fn driver(member: &'static str) -> Builder<'static> {
    Message::method_call(DBUS_PATH, member).interface(DBUS).destination(DBUS)
}

/// The body of a message, if it is of the type that the caller expects.
fn body<T: for<'d> DynamicDeserialize<'d>>(message: &Message) -> Result<T, Fault> {
    Ok(message.body().deserialize()?)
}

/// The byte order and whole length of the message at the start of `input`, once its fixed part is
/// there.
fn message_length(input: &[u8]) -> Result<Option<(Endian, usize)>, Fault> {
    let Some(fixed) = input.first_chunk::<FIXED>() else { return Ok(None) };
    let [order, _, _, _, b0, b1, b2, b3, _, _, _, _, f0, f1, f2, f3] = *fixed;
    let (endian, number): (_, fn([u8; 4]) -> u32) = match order {
        b'l' => (Endian::Little, u32::from_le_bytes),
        b'B' => (Endian::Big, u32::from_be_bytes),
        _ => return Err(Fault::Malformed("what came is no D-Bus message".to_owned())),
    };
    let [body, fields] = [[b0, b1, b2, b3], [f0, f1, f2, f3]].map(|bytes| u64::from(number(bytes)));
    let length = FIXED as u64 + fields.next_multiple_of(8) + body;
    match usize::try_from(length) {
        Ok(length) if length <= limits::MESSAGE => Ok(Some((endian, length))),
        _ => Err(Fault::Malformed(format!("a message of {length} bytes is too long"))),
    }
}

/// Whether a system call has only been interrupted, by a signal or by its timeout; the deadline
/// tells whether to go on.
fn must_retry(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests;
