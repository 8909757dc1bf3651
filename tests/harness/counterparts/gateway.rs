//! An SMS gateway over HTTP that behaves as it is told.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use percent_encoding::percent_decode_str;

use super::{Counterpart, Received};

/// How often a thread looks whether the gateway is gone.
const TICK: Duration = Duration::from_millis(10);

/// What a gateway does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with this status and text.
    Answer(u16, String),
    /// Answers with [`Behaviour::ok`] after this time.
    Late(Duration),
    /// Fails with 400 and the request's own target and body.
    Echo,
    /// 302 to this address.
    Redirect(String),
    /// Sends the headers of a success and says no more.
    Hang,
    /// Sends a success, one byte a second.
    Drip,
    /// Sends a success whose body never ends.
    Endless,
    /// Closes the connection.
    Close,
}

impl Behaviour {
    /// What says that the message is taken.
    pub fn ok() -> Self {
        Self::Answer(200, "ID: 42".to_owned())
    }
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The lines between the first one and the body.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
    /// The parameters of the query and of a form, decoded.
    pub parameters: BTreeMap<String, String>,
}

#[derive(Debug)]
struct State {
    behaviour: Mutex<Behaviour>,
    requests: Mutex<Vec<Request>>,
    open: AtomicUsize,
    gone: AtomicBool,
}

/// A running gateway; ends when dropped.
pub struct Gateway {
    state: Arc<State>,
    address: String,
}

impl Gateway {
    /// Listens at an IP address of loopback, with [`Behaviour::ok`].
    pub(crate) fn start(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State {
            behaviour: Mutex::new(Behaviour::ok()),
            requests: Mutex::default(),
            open: AtomicUsize::default(),
            gone: AtomicBool::default(),
        });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            while !serving.gone.load(Ordering::SeqCst) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(TICK);
                    continue;
                };
                let state = Arc::clone(&serving);
                state.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    // The other side may go away at any time.
                    let _ = serve(&state, stream);
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { state, address }
    }

    /// Changes what it does from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.state.behaviour.lock().unwrap() = behaviour;
    }

    /// The address to send to.
    pub fn url(&self) -> String {
        format!("http://{}/send", self.address)
    }

    /// The port, on the address that it was started for.
    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// What came up to now.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }
}

impl Counterpart for Gateway {
    fn provider(&self, name: &str) -> String {
        format!("[provider.sms.{name}]\n{}", keys(&self.url()))
    }

    /// Every request with a text, whatever was answered.
    fn messages(&self) -> Vec<Received> {
        let received = |request: &Request| {
            let parameter = |name| request.parameters.get(name).cloned();
            Some(Received {
                to: parameter("phone")?,
                text: parameter("message")?,
                ..Received::default()
            })
        };
        self.requests().iter().filter_map(received).collect()
    }
}

/// The keys of a provider that calls a gateway of this kind.
pub fn keys(url: &str) -> String {
    format!(
        "type = \"http\"\nurl = \"{url}\"\nmethod = \"GET\"\ntext_key = \"message\"\nphone_key = \"phone\"\nsuccess_prefix = \"ID\"\n"
    )
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.state.gone.store(true, Ordering::SeqCst);
    }
}

fn serve(state: &State, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = read(&mut BufReader::new(stream.try_clone()?))?;
    let mut behaviour = state.behaviour.lock().unwrap().clone();
    if behaviour == Behaviour::Echo {
        let said: Vec<_> = request.parameters.values().cloned().collect();
        let text = format!("refused: {} {} {}", said.join(" "), request.target, request.body);
        behaviour = Behaviour::Answer(400, text);
    }
    state.requests.lock().unwrap().push(request);
    answer(state, stream, behaviour)
}

fn answer(state: &State, mut stream: TcpStream, behaviour: Behaviour) -> std::io::Result<()> {
    let success = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n";
    let here = || !state.gone.load(Ordering::SeqCst);
    match behaviour {
        Behaviour::Answer(status, text) => write!(
            stream,
            "HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        ),
        Behaviour::Late(pause) => {
            thread::sleep(pause);
            answer(state, stream, Behaviour::ok())
        }
        Behaviour::Redirect(to) => write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
        Behaviour::Hang => {
            write!(stream, "{success}Content-Length: 6\r\n\r\n")?;
            stream.set_read_timeout(Some(TICK))?;
            while here() && !matches!(stream.read(&mut [0]), Ok(0)) {}
            Ok(())
        }
        Behaviour::Drip => {
            let text = "ID: 42".repeat(100);
            write!(stream, "{success}Content-Length: {}\r\n\r\n", text.len())?;
            for byte in text.bytes().take_while(|_| here()) {
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        }
        Behaviour::Endless => {
            write!(stream, "{success}\r\nID: 42")?;
            while here() {
                stream.write_all(&[b'.'; 64 * 1024])?;
            }
            Ok(())
        }
        Behaviour::Close | Behaviour::Echo => Ok(()),
    }
}

fn read(stream: &mut impl BufRead) -> std::io::Result<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    if lines.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let first = lines.remove(0);
    let mut words = first.split(' ').map(str::to_owned);
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers: lines,
        body: String::from_utf8_lossy(&body).into_owned(),
        parameters: BTreeMap::new(),
    };
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').chain(request.body.split('&'));
    request.parameters =
        pairs.filter_map(|pair| pair.split_once('=')).map(|(k, v)| (plain(k), plain(v))).collect();
    Ok(request)
}

/// A name or a value of a query.
fn plain(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
