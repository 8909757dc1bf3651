//! Gateways that fail, lie, stall or are somebody else.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, sync::Arc};

use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    server::{Reply, Server, reply, reply_with},
    *,
};

/// Longer than any of these tests may take; their gateways stall for ever.
const NEVER: Duration = Duration::from_secs(30);
const PASSWORD: &str = "s3cr&t p@ss";

/// A gateway that is told secrets in every way.
fn settings(url: &str) -> Settings {
    let secret = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.into())]);
    Settings {
        text_key: Some("text".to_owned()),
        phone_key: Some("to".to_owned()),
        parameters: secret("password", PASSWORD),
        headers: secret("X-Key", "key-in-a-header"),
        auth: Auth::Basic { username: "account".to_owned(), password: PASSWORD.into() },
        number: NumberFormat::National { country: "49".to_owned() },
        ..Settings::new(&format!("{url}?api_key=key-in-the-url"))
    }
}

async fn send(settings: Settings) -> Answer {
    let http = Http::new(settings).unwrap();
    tokio::time::timeout(NEVER, http.send(&message())).await.expect("it does not end")
}

/// Fails if a text holds anything that nobody may read.
fn clean(text: &str) {
    let encoded = data_encoding::BASE64.encode(format!("account:{PASSWORD}").as_bytes());
    for secret in [
        CODE,
        "1701234581",
        PASSWORD,
        "s3cr%26t",
        "s3cr&amp;t",
        "key-in-a-header",
        "key-in-the-url",
        &encoded,
        "is your code",
    ] {
        assert!(!text.contains(secret), "{secret} is in: {text}");
    }
}

#[derive(Debug, PartialEq)]
enum Ends {
    Unavailable,
    Unknown,
}
use Ends::{Unavailable, Unknown};

fn ends(answer: Answer) -> (Ends, String) {
    let failure = answer.unwrap_err();
    clean(&format!("{failure:?}"));
    match failure {
        Failure::Unavailable(text) => (Unavailable, text),
        Failure::Unknown(text) => (Unknown, text),
        Failure::Refused(text) => panic!("{text}"),
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\n";

#[tokio::test]
async fn nothing_but_a_whole_reply_of_success_is_sent() {
    let elsewhere = Server::start(|_| reply("200 OK", "ID: 1")).await;
    let location = format!("Location: {}\r\n", elsewhere.url("/?api_key=x"));
    type Script = Box<dyn Fn(&server::Seen) -> Reply + Send + Sync>;
    let scripts: Vec<(&str, Script, Ends, usize)> = vec![
        (
            "a redirect",
            Box::new(move |seen| reply_with("302 Found", &location, &seen.echo())),
            Unavailable,
            1,
        ),
        ("a failure", Box::new(|seen| reply("200 OK", &seen.echo())), Unavailable, 1),
        ("204", Box::new(|_| reply("204 No Content", "")), Unavailable, 1),
        ("400", Box::new(|seen| reply("400 Bad Request", &seen.echo())), Unavailable, 1),
        ("401", Box::new(|seen| reply("401 Unauthorized", &seen.echo())), Unavailable, 1),
        ("500", Box::new(|seen| reply("500 Oops", &seen.echo())), Unavailable, 2),
        ("429", Box::new(|seen| reply("429 Slowly", &seen.echo())), Unavailable, 2),
        (
            "429 for long",
            Box::new(|_| reply_with("429 Slowly", "Retry-After: 60\r\n", "")),
            Unavailable,
            1,
        ),
        (
            "429 for ever",
            Box::new(|_| reply_with("429 Slowly", &format!("Retry-After: {}\r\n", u64::MAX), "")),
            Unavailable,
            1,
        ),
        ("nothing", Box::new(|_| Reply::Hang(String::new())), Unknown, 1),
        ("the end", Box::new(|_| Reply::Bytes(String::new())), Unknown, 1),
        ("no HTTP", Box::new(|seen| Reply::Bytes(seen.echo())), Unknown, 1),
        ("half a head", Box::new(|_| Reply::Hang(HEAD.to_owned())), Unknown, 1),
        ("a dripping head", Box::new(|_| Reply::Drip(format!("{HEAD}X: "))), Unknown, 1),
        ("an endless head", Box::new(|_| Reply::Flood(format!("{HEAD}X: "))), Unknown, 1),
        (
            "a head alone",
            Box::new(|_| Reply::Hang(format!("{HEAD}Content-Length: 5\r\n\r\n"))),
            Unknown,
            1,
        ),
        (
            "a dripping body",
            Box::new(|_| Reply::Drip(format!("{HEAD}Content-Length: 5000\r\n\r\nID"))),
            Unknown,
            1,
        ),
        ("an endless body", Box::new(|_| Reply::Flood(format!("{HEAD}\r\nID"))), Unknown, 1),
        (
            "a cut body",
            Box::new(|seen| {
                Reply::Bytes(format!("{HEAD}Content-Length: 5000\r\n\r\nID {}", seen.echo()))
            }),
            Unknown,
            1,
        ),
        (
            "a hanging failure",
            Box::new(|_| Reply::Hang("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n".to_owned())),
            Unavailable,
            1,
        ),
    ];
    let mut rows = tokio::task::JoinSet::new();
    for (name, script, expected, tries) in scripts {
        rows.spawn(async move {
            let server = Server::start(script).await;
            let mut settings = settings(&server.url("/send"));
            settings.success_prefix = Some("ID".to_owned());
            if expected == Unknown {
                settings.connect_timeout = Duration::from_millis(1500);
                settings.timeout = Duration::from_secs(2);
            }
            let (end, text) = ends(send(settings).await);
            assert_eq!(end, expected, "{name}: {text}");
            assert!(text.starts_with(&server.url(": ")), "{text}");
            assert_eq!(server.seen().len(), tries, "{name}: {text}");
        });
    }
    rows.join_all().await;
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn a_flood_is_no_success_without_rules_either() {
    let server = Server::start(|_| Reply::Flood(format!("{HEAD}\r\n"))).await;
    assert_eq!(ends(send(settings(&server.url("/"))).await).0, Unknown);
    let server = Server::start(|_| reply("200 OK", &"x".repeat(REPLY + 1))).await;
    assert_eq!(ends(send(settings(&server.url("/"))).await).0, Unknown);
    let server = Server::start(|_| reply("200 OK", &"x".repeat(REPLY))).await;
    send(settings(&server.url("/"))).await.unwrap();
}

#[tokio::test]
async fn what_a_receipt_repeats_is_scrubbed() {
    let server = Server::start(|seen| {
        let body = format!("482913-17\ns3cr&amp;t p@ss {}", seen.echo());
        reply("200 OK", &body)
    })
    .await;
    let id = Some(MessageId::Regex("^(.*)\n".to_owned()));
    let receipt = send(Settings { id, ..settings(&server.url("/")) }).await.unwrap();
    clean(&format!("{receipt:?}"));
    assert_eq!(receipt.id.as_deref(), Some("…-17"));
    assert!(receipt.reply.starts_with("200 OK: …-17 … POST"), "{}", receipt.reply);
}

#[tokio::test]
async fn no_part_of_a_secret_stays_where_an_id_is_cut() {
    const TOKEN: &str = "token-of-the-gateway-";
    let token = TOKEN.repeat(20);
    let auth = Auth::Bearer(token.as_str().into());
    let server = Server::start(move |_| reply("200 OK", &token)).await;
    let id = Some(MessageId::Regex("token.+".to_owned()));
    let receipt = send(Settings { id, auth, ..settings(&server.url("/")) }).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("…"));
    assert_eq!(receipt.reply, "200 OK: …");
}

/// Only the start of a reply is kept: each part of what was sent is repeated alone.
#[tokio::test]
async fn no_part_of_a_request_comes_back_by_a_failure() {
    for part in 0..20 {
        let server = Server::start(move |seen| {
            let echo = seen.echo().replace('&', "\r\n");
            reply("400 Bad Request", echo.split_whitespace().nth(part).unwrap())
        })
        .await;
        let (end, text) = ends(send(settings(&server.url("/"))).await);
        assert_eq!(end, Unavailable);
        assert!(text.contains("400 Bad Request: "), "{text}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_unavailable() {
    let server = Server::start(|_| reply("200 OK", "")).await;
    let url = server.url("/");
    drop(server);
    let (end, text) = ends(send(settings(&url)).await);
    assert_eq!(end, Unavailable);
    assert!(text.contains("refused"), "{text}");
    let (end, _) = ends(send(settings("http://gateway.invalid/")).await);
    assert_eq!(end, Unavailable);
}

#[tokio::test]
async fn trouble_that_passes_is_tried_again_with_the_same_id() {
    for status in ["500 Oops", "503 Later", "429 Slowly"] {
        let tries = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |_| {
            match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => reply_with(status, "Retry-After: 0\r\n", ""),
                _ => reply("202 Accepted", ""),
            }
        })
        .await;
        let settings = Settings {
            idempotency_header: Some("Idempotency-Key".to_owned()),
            ..settings(&server.url("/"))
        };
        send(settings).await.unwrap();
        let keys: Vec<_> = server
            .seen()
            .iter()
            .map(|seen| seen.header("idempotency-key").unwrap().to_owned())
            .collect();
        assert_eq!(keys, [message().id, message().id]);
    }
    let server = Server::start(|_| reply("500 Oops", "")).await;
    send(Settings { retries: 0, ..settings(&server.url("/")) }).await.unwrap_err();
    server.one();
}

/// A root, and what it issues.
struct Authority {
    root: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "root of the test");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        Self { root: root.der().clone(), pem: root.pem(), issuer: Issuer::new(params, key) }
    }

    /// PEM of a certificate for a name, and of its key.
    fn issue(&self, name: &str, until: i32) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A server's configuration; with `clients` it wants a certificate of this root.
    fn serve(&self, name: &str, until: i32, clients: bool) -> ServerConfig {
        let (certificate, key) = self.issue(name, until);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone()).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        builder
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap()
    }
}

#[tokio::test]
async fn only_the_gateway_itself_is_told_anything() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let ours = Authority::new();
    let (certificate, key) = ours.issue("client.example", 2099);
    let (certificate, key) = (file("client.pem", &certificate), file("client.key", &key));
    let trusting = tls::Settings { ca: Some(file("ca.pem", &ours.pem)), ..Default::default() };
    let identified = tls::Settings { identity: Some((certificate, key)), ..trusting.clone() };
    let pinned = tls::Settings { pin: Some([7; 32]), ..trusting.clone() };
    let theirs = Authority::new();
    for (config, tls, trouble) in [
        (ours.serve("localhost", 2099, false), &trusting, None),
        (ours.serve("localhost", 2099, true), &identified, None),
        (ours.serve("localhost", 2099, true), &trusting, Some("CertificateRequired")),
        (ours.serve("other.example", 2099, false), &trusting, Some("not valid for name")),
        (ours.serve("localhost", 2020, false), &trusting, Some("expired")),
        (theirs.serve("localhost", 2099, false), &trusting, Some("invalid peer certificate")),
        (ours.serve("localhost", 2099, false), &pinned, Some("`pin`")),
    ] {
        let server = Server::start_tls(config, |_| reply("200 OK", "")).await;
        let url = format!("https://localhost:{}/", server.address.port());
        let settings = Settings { tls: tls.clone(), ..settings(&url) };
        let answer = send(settings).await;
        let Some(trouble) = trouble else {
            answer.unwrap();
            server.one();
            continue;
        };
        let (end, text) = ends(answer);
        assert!(text.contains(trouble), "{trouble}: {text}");
        assert_eq!((server.seen().len(), server.connections()), (0, 1));
        // With TLS 1.3 the gateway asks for a certificate after the client may have written.
        assert!(end == Unavailable || trouble == "CertificateRequired", "{trouble}: {end:?}");
    }
    // Plain text, to a gateway that speaks TLS.
    let server =
        Server::start_tls(ours.serve("localhost", 2099, false), |_| reply("200 OK", "")).await;
    ends(send(settings(&server.url("/"))).await);
}

#[tokio::test]
async fn a_gateway_that_breaks_tls_may_have_read_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &ours.pem).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(ours.serve("localhost", 2099, false)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let gateway = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        stream.read_u8().await.unwrap();
        let (mut stream, _) = stream.into_inner();
        stream.write_all(b"\x17\x03\x03\x00\x05no TLS").await.unwrap();
        stream
    };
    let tls = tls::Settings { ca: Some(ca), ..Default::default() };
    let (answer, _stream) = tokio::join!(send(Settings { tls, ..settings(&url) }), gateway);
    assert_eq!(ends(answer).0, Unknown);
}

#[tokio::test]
async fn a_proxy_is_used_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &ours.pem).unwrap();
    let credentials = Some(format!("Basic {}", data_encoding::BASE64.encode(b"user:p@ss")));

    let server = Server::start(|_| reply("200 OK", "")).await;
    let through = |scheme: &str, server: &Server, url: &str| Settings {
        proxy: Some(Hidden::new(format!("{scheme}://user:p%40ss@{}", server.address))),
        ..settings(url)
    };
    send(through("http", &server, "http://gateway.invalid/send")).await.unwrap();
    let seen = server.one();
    assert_eq!(seen.target, "http://gateway.invalid/send?api_key=key-in-the-url");
    assert_eq!(seen.header("proxy-authorization").map(str::to_owned), credentials);

    let config = ours.serve("gateway.invalid", 2099, false);
    let server = Server::start_tls(config, |_| reply("200 OK", "")).await;
    let tls = tls::Settings { ca: Some(ca), ..Default::default() };
    let settings = through("http", &server, "https://gateway.invalid/send");
    send(Settings { tls, ..settings }).await.unwrap();
    let [connect, seen] = &server.seen()[..] else { panic!("two requests") };
    assert_eq!((&*connect.method, &*connect.target), ("CONNECT", "gateway.invalid:443"));
    assert_eq!(connect.header("proxy-authorization").map(str::to_owned), credentials);
    assert_eq!(
        (seen.target.split('?').next(), seen.header("proxy-authorization")),
        (Some("/send"), None)
    );

    let server = Server::start(|_| reply("200 OK", "")).await;
    send(through("socks5", &server, "http://127.0.0.1:9/send")).await.unwrap();
    assert_eq!(server.seen()[0].head, "user p@ss");
    assert_eq!(server.seen()[1].target.split('?').next(), Some("/send"));

    let server = Server::start(|_| reply("200 OK", "")).await;
    let settings = through("http", &server, &server.url("/direct"));
    let settings = Settings { no_proxy: vec!["127.0.0.0/8".to_owned()], ..settings };
    send(settings).await.unwrap();
    assert!(server.one().target.starts_with("/direct"));
}
