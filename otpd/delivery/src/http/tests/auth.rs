//! Each way of authentication, against a gateway that checks it.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use reqwest::header::{HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::{
    super::sigv4::Signer,
    server::{Seen, Server, reply, reply_with},
    *,
};

const PASSWORD: &str = "p:ss \"wörd\"";

fn settings(server: &Server, auth: Auth) -> Settings {
    Settings {
        text_key: Some("text".to_owned()),
        phone_key: Some("to".to_owned()),
        auth,
        ..Settings::new(&server.url("/send?x=1"))
    }
}

async fn send(server: &Server, auth: Auth) -> Answer {
    Http::new(settings(server, auth)).unwrap().send(&message()).await
}

#[tokio::test]
async fn what_is_sent_with_each_request() {
    let basic = format!("Basic {}", BASE64.encode(format!("account:{PASSWORD}").as_bytes()));
    for (auth, header, value) in [
        (Auth::None, "authorization", None),
        (
            Auth::Basic { username: "account".to_owned(), password: PASSWORD.into() },
            "authorization",
            Some(basic.as_str()),
        ),
        (Auth::Bearer("t0ken".into()), "authorization", Some("Bearer t0ken")),
        (
            Auth::Header { name: "Authorization".to_owned(), value: "App k=y".into() },
            "authorization",
            Some("App k=y"),
        ),
        (
            Auth::Header { name: "X-Api-Key".to_owned(), value: "k=y".into() },
            "x-api-key",
            Some("k=y"),
        ),
    ] {
        let server = Server::start(|_| reply("200 OK", "")).await;
        send(&server, auth).await.unwrap();
        assert_eq!(server.one().header(header), value);
    }
    let server = Server::start(|_| reply("200 OK", "")).await;
    let auth = Auth::Query { name: "api key".to_owned(), value: "k&y".into() };
    send(&server, auth).await.unwrap();
    assert_eq!(server.one().target, "/send?x=1&api%20key=k%26y");
}

/// Whether a request answers the challenge of the test, as RFC 7616 section 3.4.1 computes it.
fn answers(seen: &Seen) -> bool {
    let Some(header) = seen.header("authorization") else { return false };
    let fields: std::collections::BTreeMap<_, _> = header
        .strip_prefix("Digest ")
        .unwrap()
        .split(", ")
        .map(|field| field.split_once('=').unwrap())
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    let hash = |text: String| HEXLOWER.encode(&Sha256::digest(text));
    let user = hash(format!("account:sms:{}", "p4ss"));
    let request = hash(format!("{}:{}", seen.method, seen.target));
    let (count, own) = (fields["nc"], fields["cnonce"]);
    let expected = hash(format!("{user}:n0nce:{count}:{own}:auth:{request}"));
    fields["response"] == expected && fields["uri"] == seen.target && fields["nonce"] == "n0nce"
}

#[tokio::test]
async fn digest_answers_the_challenge() {
    let auth =
        |password: &str| Auth::Digest { username: "account".to_owned(), password: password.into() };
    let script = |seen: &Seen| match answers(seen) {
        true => reply("200 OK", ""),
        false => reply_with(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"sms\"\r\n\
             WWW-Authenticate: Digest realm=\"sms\", nonce=\"n0nce\", algorithm=SHA-256, qop=\"auth\"\r\n",
            "",
        ),
    };
    let server = Server::start(script).await;
    send(&server, auth("p4ss")).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].header("authorization")), (2, None));
    let server = Server::start(script).await;
    let failure = send(&server, auth("wrong")).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unavailable(text) if text.contains("401")));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn digest_is_never_replaced_by_basic() {
    let server = Server::start(|_| {
        reply_with("401 Unauthorized", "WWW-Authenticate: Basic realm=\"sms\"\r\n", "")
    })
    .await;
    let auth = Auth::Digest { username: "account".to_owned(), password: PASSWORD.into() };
    let failure = send(&server, auth).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unavailable(text) if text.contains("not by digest")));
    assert_eq!(server.one().header("authorization"), None);
}

#[tokio::test]
async fn what_is_signed_is_what_arrives() {
    for token in [None, Some("s3ssion")] {
        let server = Server::start(|_| reply("200 OK", "")).await;
        let signer = Signer {
            region: "eu-central-1".to_owned(),
            service: "sns".to_owned(),
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "s3cret".into(),
            session_token: token.map(Hidden::from),
        };
        let auth = Auth::AwsSigV4 {
            region: signer.region.clone(),
            service: signer.service.clone(),
            access_key: signer.access_key.clone(),
            secret_key: signer.secret_key.clone(),
            session_token: signer.session_token.clone(),
        };
        send(&server, auth).await.unwrap();
        let seen = server.one();
        assert_eq!(seen.header("x-amz-date"), Some("20150830T123600Z"));
        assert_eq!(seen.header("x-amz-security-token"), token);
        assert_eq!(seen.header("host"), Some(&*server.address.to_string()));
        let mut request = Request {
            method: reqwest::Method::POST,
            url: Url::parse(&server.url(&seen.target)).unwrap(),
            headers: HeaderMap::from_iter([(
                HeaderName::from_static("content-type"),
                HeaderValue::from_str(seen.header("content-type").unwrap()).unwrap(),
            )]),
            body: seen.body.clone().into_bytes(),
        };
        signer.sign(&mut request, 1_440_938_160_000).unwrap();
        assert_eq!(seen.header("authorization").unwrap(), request.headers["authorization"]);
    }
}

/// A program of root's that runs `line`, in a folder that only root can write to.
fn program(folder: &tempfile::TempDir, line: &str) -> PathBuf {
    let path = folder.path().join("token");
    fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_program_prints_the_token() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir_in("/var/lib").unwrap();
    let runs = folder.path().join("runs");
    let count = || fs::read_to_string(&runs).unwrap().lines().count();
    let line = format!("echo run >> {}\necho t0ken-$(wc -l < {0})", runs.display());
    let path = program(&folder, &line);
    let auth = |cache| Auth::Program { path: path.clone(), cache: Duration::from_secs(cache) };

    let server = Server::start(|seen| match seen.header("authorization") {
        Some("Bearer t0ken-1") => reply("200 OK", &seen.echo()),
        _ => reply("401 Unauthorized", &seen.echo()),
    })
    .await;
    let http = Http::new(settings(&server, auth(3600))).unwrap();
    let (message, another) = (message(), message());
    let (first, second) = tokio::join!(http.send(&message), http.send(&another));
    assert!(!first.unwrap().reply.contains("t0ken"));
    second.unwrap();
    assert_eq!(count(), 1);

    // A token that is refused is not used again.
    let server = Server::start(|seen| match seen.header("authorization") {
        Some("Bearer t0ken-3") => reply("200 OK", ""),
        _ => reply("401 Unauthorized", &seen.echo()),
    })
    .await;
    let http = Http::new(settings(&server, auth(3600))).unwrap();
    let failure = http.send(&message).await.unwrap_err();
    assert!(!failure.to_string().contains("t0ken"), "{failure}");
    http.send(&message).await.unwrap();
    assert_eq!(count(), 3);

    let server = Server::start(|_| reply("200 OK", "")).await;
    let http = Http::new(settings(&server, auth(0))).unwrap();
    http.send(&message).await.unwrap();
    http.send(&message).await.unwrap();
    assert_eq!((count(), server.seen().len()), (5, 2));
}

#[tokio::test]
async fn a_program_that_prints_no_token_sends_nothing() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir_in("/var/lib").unwrap();
    for line in ["", "echo t0ken; exit 1", "echo two words", "printf 'a\\nb'", "exec sleep 1000"] {
        let server = Server::start(|_| reply("200 OK", "")).await;
        let auth = Auth::Program { path: program(&folder, line), cache: Duration::from_secs(60) };
        let settings = Settings {
            connect_timeout: Duration::from_millis(500),
            timeout: Duration::from_millis(1500),
            ..settings(&server, auth)
        };
        let failure = Http::new(settings).unwrap().send(&message()).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unavailable(text) if !text.contains("t0ken")));
        assert_eq!(server.seen().len(), 0);
    }
}
