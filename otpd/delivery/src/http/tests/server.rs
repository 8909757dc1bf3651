//! A small HTTP/1.1 server that records what arrives and answers as it is told, however badly.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A request, as it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) head: String,
    pub(super) body: String,
}

impl Seen {
    /// The value of a header that is there once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    /// The parameters of the query, decoded.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        pairs(self.target.split_once('?').unwrap_or_default().1)
    }

    /// The parameters of a form, decoded.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), Some("application/x-www-form-urlencoded"));
        pairs(&self.body)
    }

    /// The document of a JSON body.
    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }

    /// Everything that was sent, as a careless gateway repeats it.
    pub(super) fn echo(&self) -> String {
        format!("{}{}", self.head, self.body)
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://localhost/?{text}")).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Pairs of texts, for comparison.
pub(super) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is answered to one request.
pub(super) enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(String),
    /// These bytes, and then nothing for ever.
    Hang(String),
    /// These bytes, and then one more each second.
    Drip(String),
    /// These bytes, and then more without end.
    Flood(String),
}

/// A whole answer.
pub(super) fn reply(status: &str, body: &str) -> Reply {
    reply_with(status, "", body)
}

/// A whole answer with further header lines, each with its line end.
pub(super) fn reply_with(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
}

type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A server; it ends when this is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::run(None, script).await
    }

    /// With TLS; a `CONNECT` in plain text before that is answered and recorded, too.
    pub(super) async fn start_tls(
        config: ServerConfig,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::run(Some(TlsAcceptor::from(Arc::new(config))), script).await
    }

    async fn run(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, log, count) = (Arc::new(script), Arc::clone(&seen), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log, tls) = (Arc::clone(&script), Arc::clone(&log), tls.clone());
                count.fetch_add(1, Ordering::Relaxed);
                open.spawn(connection(stream, tls, log, script));
            }
        });
        Self { address, seen, connections, task }
    }

    pub(super) fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.address)
    }

    /// How many connections there were so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// All requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request.
    pub(super) fn one(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

async fn connection(
    mut stream: TcpStream,
    tls: Option<TlsAcceptor>,
    log: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
) {
    let mut first = [0; 1];
    if stream.peek(&mut first).await.is_err() {
        return;
    }
    if first[0] == 5 {
        socks(&mut stream, &log).await;
    }
    let Some(tls) = tls else {
        return serve(&mut stream, &log, &*script).await;
    };
    if first[0] == b'C' {
        let Some(seen) = request(&mut stream).await else { return };
        log.lock().unwrap().push(seen);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    }
    if let Ok(mut stream) = tls.accept(stream).await {
        serve(&mut stream, &log, &*script).await;
    }
}

/// A SOCKS5 proxy that wants a password (RFC 1928, RFC 1929) and is the gateway itself.
async fn socks(stream: &mut TcpStream, log: &Mutex<Vec<Seen>>) {
    let mut text = async |fixed: usize, answer: &[u8]| {
        let mut head = vec![0; fixed];
        stream.read_exact(&mut head).await.unwrap();
        let mut rest = vec![0; usize::from(head[fixed - 1])];
        stream.read_exact(&mut rest).await.unwrap();
        stream.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    };
    text(2, &[5, 2]).await;
    let user = text(2, &[]).await;
    let password = text(1, &[1, 0]).await;
    log.lock().unwrap().push(Seen { head: format!("{user} {password}"), ..Seen::default() });
    let mut to = [0; 10];
    stream.read_exact(&mut to).await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).await.unwrap();
}

/// One request and its answer.
async fn serve(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    log: &Mutex<Vec<Seen>>,
    script: &Script,
) {
    let Some(seen) = request(stream).await else { return };
    let reply = script(&seen);
    log.lock().unwrap().push(seen);
    let (Reply::Bytes(head) | Reply::Hang(head) | Reply::Drip(head) | Reply::Flood(head)) = &reply;
    // A client that has heard enough goes.
    let mut gone = stream.write_all(head.as_bytes()).await.is_err();
    let _ = stream.flush().await;
    while !gone && !matches!(reply, Reply::Bytes(_)) {
        let more = match reply {
            Reply::Flood(_) => vec![b'1'; 4096],
            _ => vec![b'1'],
        };
        if !matches!(reply, Reply::Flood(_)) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if !matches!(reply, Reply::Hang(_)) {
            gone = stream.write_all(&more).await.is_err() || stream.flush().await.is_err();
        }
    }
    let _ = stream.shutdown().await;
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).unwrap();
    let mut words = head.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut seen = Seen { method, target, head, body: String::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    write!(seen.body, "{}", str::from_utf8(&body).unwrap()).unwrap();
    Some(seen)
}
