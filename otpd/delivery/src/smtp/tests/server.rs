//! A server that keeps to a script and remembers what it heard.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::Tls;

/// Answers nothing.
pub(super) const HANG: &str = "hang";
/// Closes the connection.
pub(super) const CLOSE: &str = "close";
/// Answers byte after byte, without an end.
pub(super) const TRICKLE: &str = "trickle";
/// Answers as much as the other side takes, without a line's end.
pub(super) const FLOOD: &str = "flood";

/// A root and a certificate under it for one server.
pub(super) struct Certificates {
    folder: tempfile::TempDir,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// A certificate for "localhost" that is good.
    pub(super) fn good() -> Self {
        Self::for_name("localhost", 2100)
    }

    /// A certificate for a name that is good from 2020 until that year begins.
    pub(super) fn for_name(name: &str, year: i32) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), root).unwrap();
        Self { folder, config: Arc::new(config) }
    }

    /// The root, in PEM.
    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// What the server says.
pub(super) struct Script {
    tls: Tls,
    hello: String,
    secured_hello: String,
    answers: HashMap<&'static str, &'static str>,
    silent_tls: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            tls: Tls::StartTls,
            hello: "250-mail.example greets\r\n250-STARTTLS\r\n250 8BITMIME".to_owned(),
            secured_hello: "250-mail.example greets\r\n250 AUTH PLAIN LOGIN".to_owned(),
            answers: HashMap::new(),
            silent_tls: false,
        }
    }
}

impl Script {
    /// Implicit TLS, or what STARTTLS makes of it.
    pub(super) fn tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// The answer to EHLO in the clear.
    pub(super) fn hello(self, lines: &[&str]) -> Self {
        Self { hello: lines.join("\r\n"), ..self }
    }

    /// The answer to EHLO under TLS.
    pub(super) fn secured_hello(self, lines: &[&str]) -> Self {
        Self { secured_hello: lines.join("\r\n"), ..self }
    }

    /// Another answer to a command, to the connection ("greeting") or to the e-mail ("the end").
    pub(super) fn answer(mut self, step: &'static str, answer: &'static str) -> Self {
        self.answers.insert(step, answer);
        self
    }

    /// Does not speak TLS after all.
    pub(super) fn silent_tls(self) -> Self {
        Self { silent_tls: true, ..self }
    }

    fn to(&self, step: &str, usual: &str) -> String {
        self.answers.get(step).map_or(usual, |answer| answer).to_owned()
    }
}

/// What a server heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Commands before TLS, where TLS came.
    pub(super) in_clear: Vec<String>,
    /// Commands under TLS, or all of them where none came.
    pub(super) commands: Vec<String>,
    /// The e-mail, without its doubled dots.
    pub(super) mail: String,
}

/// A server for one connection.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) certificates: Certificates,
    served: JoinHandle<Heard>,
}

impl Server {
    pub(super) async fn start(script: Script) -> Self {
        Self::with(script, Certificates::good()).await
    }

    pub(super) async fn with(script: Script, certificates: Certificates) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Arc::clone(&certificates.config);
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut heard = Heard::default();
            serve(stream, config, &script, &mut heard).await;
            heard
        });
        Self { port, certificates, served }
    }

    /// Waits until the client has gone.
    pub(super) async fn heard(self) -> Heard {
        self.served.await.unwrap()
    }

    /// Whether nobody has connected before this does.
    pub(super) async fn untouched(self) -> bool {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(b"NOOP\r\n").await.unwrap();
        drop(stream);
        self.heard().await.commands == ["NOOP"]
    }
}

/// Serves one connection; ends when the client goes.
async fn serve(stream: TcpStream, config: Arc<ServerConfig>, script: &Script, heard: &mut Heard) {
    let acceptor = TlsAcceptor::from(config);
    if script.tls == Tls::Implicit {
        if let Ok(stream) = acceptor.accept(stream).await {
            talk(BufReader::new(stream), script, true, heard).await;
        }
        return;
    }
    let Some(clear) = talk(BufReader::new(stream), script, false, heard).await else { return };
    if script.silent_tls {
        let mut clear = clear;
        while clear.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty()) {
            let length = clear.buffer().len();
            clear.consume(length);
        }
        return;
    }
    heard.in_clear = std::mem::take(&mut heard.commands);
    if let Ok(stream) = acceptor.accept(clear.into_inner()).await {
        talk(BufReader::new(stream), script, true, heard).await;
    }
}

/// Talks until the client goes, or until TLS is to start: then the stream comes back.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    script: &Script,
    secured: bool,
    heard: &mut Heard,
) -> Option<BufReader<S>> {
    let greets = !secured || script.tls == Tls::Implicit;
    if greets && !say(&mut stream, &script.to("greeting", "220 mail.example ESMTP")).await {
        return None;
    }
    let mut secrets = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        let line = line.strip_suffix("\r\n").expect("lines end in CR LF").to_owned();
        let word = line.split(' ').next().unwrap_or_default().to_owned();
        heard.commands.push(line.clone());
        let answer = match word.as_str() {
            "EHLO" if secured => script.to("EHLO", &script.secured_hello),
            "EHLO" => script.to("EHLO", &script.hello),
            "AUTH" if line == "AUTH LOGIN" => {
                secrets = 2;
                script.to("AUTH", "334 VXNlcm5hbWU6")
            }
            "AUTH" => script.to("AUTH", "235 2.7.0 welcome"),
            _ if secrets == 2 => {
                secrets = 1;
                "334 UGFzc3dvcmQ6".to_owned()
            }
            _ if secrets == 1 => {
                secrets = 0;
                "235 2.7.0 welcome".to_owned()
            }
            "STARTTLS" => script.to("STARTTLS", "220 go ahead"),
            "DATA" => script.to("DATA", "354 end with a dot"),
            "QUIT" => script.to("QUIT", "221 bye"),
            word => script.to(word, "250 ok"),
        };
        if !say(&mut stream, &answer).await {
            return None;
        }
        if word == "STARTTLS" && answer.starts_with("220") {
            return Some(stream);
        }
        if word == "DATA" && answer.starts_with("354") {
            heard.mail = mail(&mut stream).await;
            if !say(&mut stream, &script.to("the end", "250 ok")).await {
                return None;
            }
        }
    }
}

/// The e-mail up to its end.
async fn mail(stream: &mut (impl AsyncBufReadExt + Unpin)) -> String {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 || line == ".\r\n" {
            return mail;
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

/// Answers; `false` where the connection is over.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, answer: &str) -> bool {
    let part: &[u8] = match answer {
        CLOSE => return false,
        HANG => b"",
        TRICKLE => b"2",
        FLOOD => &[b'2'; 4096],
        _ => {
            let answer = format!("{answer}\r\n");
            return stream.write_all(answer.as_bytes()).await.is_ok()
                && stream.flush().await.is_ok();
        }
    };
    loop {
        if part.is_empty() {
            // The client's end is the only thing to wait for.
            while stream.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty()) {
                let length = stream.buffer().len();
                stream.consume(length);
            }
            return false;
        }
        if stream.write_all(part).await.is_err() || stream.flush().await.is_err() {
            return false;
        }
        if answer == TRICKLE {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}
