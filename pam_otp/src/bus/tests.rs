use std::{
    os::unix::net::UnixListener,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use otp_ipc::StepKind;
use proptest::prelude::*;
use tempfile::TempDir;
use zbus::Variant;

use super::*;

/// Longer than any of these tests may take on the slowest machine; nothing waits for it.
const AGES: Duration = Duration::from_secs(20);
/// For a peer from which nothing will come.
const SHORT: Duration = Duration::from_millis(200);

/// A socket whose other end does what `script` says, once, and tells what it returned.
struct Peer<T> {
    directory: TempDir,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Peer<T> {
    fn new(script: impl FnOnce(UnixStream) -> T + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        let thread = thread::spawn(move || script(listener.accept().unwrap().0));
        Self { directory, thread }
    }

    fn path(&self) -> String {
        self.directory.path().join("socket").to_str().unwrap().to_owned()
    }

    fn client(&self, timeout: Duration) -> Client {
        client(Lane::Direct(self.path()), timeout)
    }

    fn bus_client(&self, daemon: Option<u32>) -> Client {
        client(Lane::Bus(self.path(), daemon), AGES)
    }

    fn end(self) -> T {
        self.thread.join().unwrap()
    }
}

fn client(lane: Lane, timeout: Duration) -> Client {
    let mut client = Client::new(lane, timeout);
    client.listener = geteuid().as_raw();
    client.deadline.resume();
    client
}

fn begin(client: &mut Client) -> Result<(String, Step), Fault> {
    client.start("alice", &Context::default())
}

/// Reads up to the end of the client's handshake.
fn handshake(stream: &mut UnixStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"BEGIN\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
    String::from_utf8(read).unwrap()
}

/// Reads one message; `None` at the end of the stream.
fn next(stream: &mut UnixStream) -> Option<Message> {
    let mut bytes = vec![0; FIXED];
    stream.read_exact(&mut bytes).ok()?;
    let (endian, length) = message_length(&bytes).unwrap().unwrap();
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes[FIXED..]).ok()?;
    Some(ffi::message(bytes, endian).unwrap())
}

fn welcome(stream: &mut UnixStream) -> Message {
    handshake(stream);
    stream.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
    next(stream).unwrap()
}

fn first_step(call: &Message) -> Message {
    let step = Step::prompt("Verification code: ", false, None);
    Message::method_return(&call.header()).build(&("session", step)).unwrap()
}

fn put(stream: &mut UnixStream, message: &Message) {
    stream.write_all(message.data()).unwrap();
}

#[test]
fn a_login_takes_two_round_trips() {
    let peer = Peer::new(|mut stream| {
        // Everything up to Begin comes before anything is answered.
        let greeting = handshake(&mut stream);
        let call = next(&mut stream).unwrap();
        stream.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
        put(&mut stream, &first_step(&call));
        let respond = next(&mut stream).unwrap();
        let granted = (Step::bare(StepKind::Granted),);
        put(&mut stream, &Message::method_return(&respond.header()).build(&granted).unwrap());
        assert!(next(&mut stream).is_none());
        (greeting, call, respond)
    });
    let mut client = peer.client(AGES);
    let (session, step) = client.begin("alice", &Context::default()).unwrap();
    assert_eq!((session.as_str(), step.kind()), ("session", Some(StepKind::Prompt)));
    let step = client.respond(&session, b"12\xff456").unwrap();
    assert_eq!(step.kind(), Some(StepKind::Granted));
    drop(client);
    let (greeting, call, respond) = peer.end();
    let uid: String = geteuid().to_string().bytes().map(|b| format!("{b:02x}")).collect();
    assert_eq!(greeting, format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n"));
    let header = call.header();
    assert_eq!(header.member().unwrap().as_str(), "Begin");
    assert_eq!(header.interface().unwrap().as_str(), names::AUTHENTICATION);
    assert_eq!(header.path().unwrap().as_str(), names::OBJECT_PATH);
    assert_eq!(body::<(String, Context)>(&call), Ok(("alice".into(), Context::default())));
    assert_eq!(body::<(String, Vec<u8>)>(&respond), Ok(("session".into(), b"12\xff456".to_vec())));
}

#[test]
fn replies_of_each_length_are_put_in_whole() {
    let peer = Peer::new(|mut stream| {
        let mut call = welcome(&mut stream);
        put(&mut stream, &first_step(&call));
        let mut replies = vec![];
        while let Some(respond) = next(&mut stream) {
            replies.push(body::<(String, Vec<u8>)>(&respond).unwrap().1);
            call = respond;
            let prompt = Step::prompt("", false, None);
            put(&mut stream, &Message::method_return(&call.header()).build(&prompt).unwrap());
        }
        replies
    });
    let mut client = peer.client(AGES);
    begin(&mut client).unwrap();
    let replies: Vec<Vec<u8>> =
        [0, 1, 2, 6, 7, 8, 9, 512].map(|length| (0..length).map(|i| i as u8 | 1).collect()).into();
    for reply in &replies {
        client.answer("s", reply).unwrap();
    }
    drop(client);
    assert_eq!(peer.end(), replies);
}

#[test]
fn a_peer_that_fails_is_a_fault() {
    type Script = fn(&mut UnixStream);
    type Expected = fn(&Fault) -> bool;
    let timeouts: [(&str, Script); 5] = [
        ("silent", |stream| {
            stream.read_to_end(&mut vec![]).unwrap();
        }),
        ("silent after the handshake", |stream| {
            welcome(stream);
            next(stream);
        }),
        ("a byte at a time", |stream| {
            for byte in [b'O', b'K'].iter().cycle() {
                thread::sleep(Duration::from_millis(20));
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                if *byte == b'\n' {
                    return;
                }
            }
        }),
        ("another serial", |stream| {
            let call = welcome(stream);
            let other = Message::method_call("/", "Other").build(&()).unwrap();
            assert_ne!(call.primary_header().serial_num(), other.primary_header().serial_num());
            put(stream, &first_step(&other));
            next(stream);
        }),
        ("signals without end", |stream| {
            welcome(stream);
            let signal = Message::signal("/", "a.b", "C").build(&"tick").unwrap();
            while stream.write_all(signal.data()).is_ok() {}
        }),
    ];
    for (name, script) in timeouts {
        let peer = Peer::new(move |mut stream| script(&mut stream));
        let started = Deadline::now();
        let mut client = peer.client(SHORT);
        assert_eq!(begin(&mut client), Err(Fault::Timeout), "{name}");
        assert!(Deadline::now() - started < AGES, "{name}");
        drop(client);
        peer.end();
    }
    let faults: [(&str, Script, Expected); 10] = [
        ("gone at once", |_| {}, |f| matches!(f, Fault::Closed | Fault::Broken(_))),
        (
            "gone after the handshake",
            |stream| {
                welcome(stream);
            },
            |f| *f == Fault::Closed,
        ),
        (
            "gone in the middle of a message",
            |stream| {
                let call = welcome(stream);
                let reply = first_step(&call);
                stream.write_all(&reply.data()[..reply.data().len() - 1]).unwrap();
            },
            |f| *f == Fault::Closed,
        ),
        (
            "rejected",
            |stream| {
                handshake(stream);
                stream.write_all(b"REJECTED EXTERNAL\r\n").unwrap();
                next(stream);
            },
            |f| *f == Fault::Rejected,
        ),
        (
            "a handshake without end",
            |stream| {
                handshake(stream);
                while stream.write_all(&[b'x'; 4096]).is_ok() {}
            },
            |f| matches!(f, Fault::Malformed(_)),
        ),
        (
            "garbage",
            |stream| {
                welcome(stream);
                stream.write_all(&[b'x'; 64]).unwrap();
                next(stream);
            },
            |f| matches!(f, Fault::Malformed(_)),
        ),
        (
            "a message that is too long",
            |stream| {
                welcome(stream);
                stream.write_all(b"l\x02\0\x01\xff\xff\xff\xff\x01\0\0\0\xff\xff\xff\xff").unwrap();
                next(stream);
            },
            |f| matches!(f, Fault::Malformed(what) if what.contains("too long")),
        ),
        (
            "a reply of another type",
            |stream| {
                let call = welcome(stream);
                put(stream, &Message::method_return(&call.header()).build(&"granted").unwrap());
                next(stream);
            },
            |f| matches!(f, Fault::Malformed(_)),
        ),
        (
            "a step alone, where a session is to come with it",
            |stream| {
                let call = welcome(stream);
                let granted = Step::bare(StepKind::Granted);
                put(stream, &Message::method_return(&call.header()).build(&granted).unwrap());
                next(stream);
            },
            |f| matches!(f, Fault::Malformed(_)),
        ),
        (
            "an error",
            |stream| {
                let call = welcome(stream);
                let name = "org.pamotp.Otpd1.Error.Busy";
                put(stream, &Message::error(&call.header(), name).build(&"later").unwrap());
                next(stream);
            },
            |f| {
                let expected = ("org.pamotp.Otpd1.Error.Busy".to_owned(), "later".to_owned());
                matches!(f, Fault::Answer(name, text) if (name, text) == (&expected.0, &expected.1))
            },
        ),
    ];
    for (name, script, expected) in faults {
        let peer = Peer::new(move |mut stream| script(&mut stream));
        let mut client = peer.client(AGES);
        let fault = begin(&mut client).unwrap_err();
        assert!(expected(&fault), "{name}: {fault:?}");
        drop(client);
        peer.end();
    }
}

#[test]
fn a_peer_that_does_not_read_is_left_in_time() {
    let (keep, kept) = mpsc::channel::<()>();
    let peer = Peer::new(move |stream| {
        let _ = kept.recv();
        drop(stream);
    });
    let mut client = peer.client(SHORT);
    client.connect().unwrap();
    assert_eq!(client.send(&vec![0; 64 * 1024 * 1024]), Err(Fault::Timeout));
    drop(keep);
    peer.end();
}

#[test]
fn a_full_queue_is_left_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket").to_str().unwrap().to_owned();
    let socket =
        socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new(path.as_str()).unwrap()).unwrap();
    nix::sys::socket::listen(&socket, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let mut waiting = client(Lane::Direct(path.clone()), AGES);
    waiting.connect().unwrap();
    let mut client = client(Lane::Direct(path), SHORT);
    assert_eq!(client.connect(), Err(Fault::Timeout));
}

#[test]
fn nobody_there_and_the_wrong_one_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    drop(UnixListener::bind(path("left")).unwrap());
    std::fs::write(path("file"), "").unwrap();
    for (name, kind) in
        [("missing", Errno::ENOENT), ("left", Errno::ECONNREFUSED), ("file", Errno::ECONNREFUSED)]
    {
        let mut client = client(Lane::Direct(path(name)), AGES);
        assert_eq!(begin(&mut client), Err(Fault::Connect(kind)), "{name}");
    }
    let peer = Peer::new(|mut stream| {
        let mut all = vec![];
        stream.read_to_end(&mut all).unwrap();
        all
    });
    let mut client = peer.client(AGES);
    client.listener = geteuid().as_raw().wrapping_add(1);
    assert_eq!(begin(&mut client), Err(Fault::Stranger(geteuid().as_raw())));
    drop(client);
    assert_eq!(peer.end(), b"", "nothing is sent to a stranger");
}

#[test]
fn faults_say_where_and_what_to_do() {
    let mut client = Client::new(Lane::Direct("/nonexistent/login.sock".into()), AGES);
    let why = client.begin("alice", &Context::default()).unwrap_err();
    assert_eq!(
        why,
        "/nonexistent/login.sock: cannot connect: ENOENT: No such file or directory; start otpd (systemctl status otpd.socket otpd.service)"
    );
}

#[test]
fn the_clock_stands_still_between_calls() {
    let mut deadline = Deadline { left: SHORT, since: None };
    assert_eq!(deadline.remaining(), Ok(SHORT));
    thread::sleep(SHORT * 2);
    assert_eq!(deadline.remaining(), Ok(SHORT), "before the first call");
    deadline.resume();
    thread::sleep(Duration::from_millis(1));
    deadline.pause();
    let left = deadline.remaining();
    assert!(left.as_ref().is_ok_and(|left| *left < SHORT), "a call takes of it: {left:?}");
    thread::sleep(SHORT * 2);
    assert_eq!(deadline.remaining(), left, "while the person types");
    deadline.resume();
    thread::sleep(SHORT * 2);
    assert_eq!(deadline.remaining(), Err(Fault::Timeout));
    deadline.pause();
    deadline.resume();
    assert_eq!(deadline.remaining(), Err(Fault::Timeout), "it never grows again");
}

/// A bus on which `owner` has otpd's name, as `uid`; plays a login whose reply comes from `sender`.
/// Tells which calls came, with their destinations.
fn bus(
    mut stream: UnixStream,
    owners: &[Option<&str>],
    uid: Variant<'static>,
    sender: &str,
) -> Vec<String> {
    let mut owners = owners.iter();
    let mut calls = vec![];
    handshake(&mut stream);
    stream.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
    while let Some(call) = next(&mut stream) {
        let header = call.header();
        let member = header.member().unwrap().as_str();
        calls.push(format!("{} {member}", header.destination().unwrap()));
        let returned = || Message::method_return(&header).sender(sender);
        let by_bus = || Message::method_return(&header).sender(DBUS);
        let reply = match member {
            "Hello" => {
                // A signal comes with it, as on a real bus.
                let signal = Message::signal(DBUS_PATH, DBUS, "NameAcquired").sender(DBUS);
                put(&mut stream, &signal.build(&":1.9").unwrap());
                by_bus().build(&":1.9")
            }
            "GetNameOwner" => match owners.next().unwrap() {
                Some(owner) => by_bus().build(owner),
                None => Message::error(&header, NO_OWNER).sender(DBUS).build(&"none"),
            },
            "StartServiceByName" => by_bus().build(&1_u32),
            "GetConnectionUnixUser" => {
                assert_eq!(body::<String>(&call), Ok(":1.5".to_owned()));
                match &uid {
                    Variant::U32(uid) => by_bus().build(uid),
                    Variant::U64(uid) => by_bus().build(uid),
                    other => by_bus().build(&other.to_string()),
                }
            }
            "Begin" => returned().build(&("session", Step::prompt("Code: ", false, None))),
            _ => returned().build(&(Step::bare(StepKind::Granted),)),
        };
        put(&mut stream, &reply.unwrap());
    }
    calls
}

const JOINED: [&str; 3] = [
    "org.freedesktop.DBus Hello",
    "org.freedesktop.DBus GetNameOwner",
    "org.freedesktop.DBus GetConnectionUnixUser",
];

#[test]
fn on_the_bus_the_unique_name_of_a_trusted_owner_is_called() {
    for (uid, daemon) in [(0_u32, None), (0, Some(990)), (990, Some(990))] {
        let peer = Peer::new(move |stream| bus(stream, &[Some(":1.5")], uid.into(), ":1.5"));
        let mut client = peer.bus_client(daemon);
        let (session, _) = begin(&mut client).unwrap();
        let step = client.answer(&session, b"123456").unwrap();
        assert_eq!(step.kind(), Some(StepKind::Granted));
        // A second login of the same module call stays on the bus.
        begin(&mut client).unwrap();
        drop(client);
        assert_eq!(
            peer.end(),
            [&JOINED[..], &[":1.5 Begin", ":1.5 Respond", ":1.5 Begin"]].concat()
        );
    }
}

#[test]
fn on_the_bus_the_daemon_is_started() {
    let peer = Peer::new(|stream| bus(stream, &[None, Some(":1.5")], 0_u32.into(), ":1.5"));
    let mut client = peer.bus_client(None);
    begin(&mut client).unwrap();
    drop(client);
    let calls = peer.end();
    assert_eq!(calls[2..4], ["org.freedesktop.DBus StartServiceByName", JOINED[1]]);
    assert_eq!(calls.last().unwrap(), ":1.5 Begin");

    let peer = Peer::new(|stream| bus(stream, &[None, None], 0_u32.into(), ":1.5"));
    let mut client = peer.bus_client(None);
    let fault = begin(&mut client).unwrap_err();
    assert!(matches!(&fault, Fault::Answer(name, _) if name == NO_OWNER), "{fault:?}");
    drop(client);
    peer.end();
}

#[test]
fn on_the_bus_another_owner_gets_no_call() {
    let table: [(Variant<'static>, Option<Fault>); 5] = [
        (1000_u32.into(), Some(Fault::Owner(1000))),
        (u32::MAX.into(), Some(Fault::Owner(u32::MAX))),
        (4_294_967_294_u32.into(), Some(Fault::Owner(4_294_967_294))),
        (0_u64.into(), None),
        ("0".into(), None),
    ];
    for (uid, stranger) in table {
        let peer = Peer::new(move |stream| bus(stream, &[Some(":1.5")], uid, ":1.5"));
        let mut client = peer.bus_client(Some(990));
        match (begin(&mut client), stranger) {
            (Err(fault), Some(stranger)) => assert_eq!(fault, stranger),
            (result, _) => assert!(matches!(result, Err(Fault::Malformed(_))), "{result:?}"),
        }
        drop(client);
        assert_eq!(peer.end(), JOINED);
    }
}

#[test]
fn on_the_bus_a_reply_of_somebody_else_is_passed_over() {
    let peer = Peer::new(|stream| bus(stream, &[Some(":1.5")], 0_u32.into(), ":1.6"));
    let mut client = client(Lane::Bus(peer.path(), None), SHORT);
    assert_eq!(begin(&mut client), Err(Fault::Timeout));
    drop(client);
    peer.end();
}

#[test]
fn message_lengths() {
    let header = |order: u8, body: [u8; 4], fields: [u8; 4]| {
        [&[order, 2, 0, 1][..], &body, &[1, 0, 0, 0], &fields].concat()
    };
    let table = [
        (vec![], Some(None)),
        (vec![b'l'; 15], Some(None)),
        (header(b'l', [0; 4], [0; 4]), Some(Some((Endian::Little, 16)))),
        (header(b'l', [5, 0, 0, 0], [9, 0, 0, 0]), Some(Some((Endian::Little, 37)))),
        (header(b'B', [0, 0, 0, 5], [0, 0, 0, 9]), Some(Some((Endian::Big, 37)))),
        (header(b'l', [0xf0, 0xff, 0, 0], [0; 4]), Some(Some((Endian::Little, 65536)))),
        (header(b'l', [0xf1, 0xff, 0, 0], [0; 4]), None),
        (header(b'l', [0; 4], [0xff; 4]), None),
        (header(b'x', [0; 4], [0; 4]), None),
    ];
    for (bytes, expected) in table {
        assert_eq!(message_length(&bytes).ok(), expected, "{bytes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes in place of a reply, or a reply with bytes changed, never become a success.
    #[test]
    fn arbitrary_bytes_grant_nothing(
        garbage in proptest::collection::vec(any::<u8>(), 0..300),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        whole: bool,
    ) {
        let peer = Peer::new(move |mut stream| {
            let call = welcome(&mut stream);
            let bytes = if whole {
                garbage
            } else {
                let denied = ("session", Step::bare(StepKind::Denied));
                let reply = Message::method_return(&call.header()).build(&denied).unwrap();
                let mut bytes = reply.data().to_vec();
                // The number of the kind itself is the daemon's word: it stays.
                let kind = bytes.len() - 24..bytes.len() - 20;
                for (index, byte) in &changes {
                    let at = index.index(bytes.len());
                    if !kind.contains(&at) {
                        bytes[at] = *byte;
                    }
                }
                bytes
            };
            stream.write_all(&bytes).unwrap();
        });
        let mut client = peer.client(AGES);
        if let Ok((_, step)) = begin(&mut client) {
            prop_assert!(!whole);
            prop_assert!(step.kind() != Some(StepKind::Granted), "{step:?}");
        }
        drop(client);
        peer.end();
    }
}
