//! `otpctl provider`

use std::io::Read;

use otp_ipc::ProviderDocument;

use crate::bus::{Session, failure};
use crate::cli::{Provider, ProviderImport};
use crate::failure::Failure;
use crate::import;
use crate::render::{self, List, Output, printable};
use crate::secret_file::SecretFile;

/// Longest file that is read, in bytes; LinOTP's are below one kilobyte.
const LONGEST: u64 = 256 * 1024;

pub(crate) async fn run(session: &Session, command: Provider) -> Result<(), Failure> {
    match command {
        Provider::List => list(session).await,
        Provider::Test { name, to } => test(session, &name, &to).await,
        Provider::Import(args) => import(&args, &session.out),
    }
}

async fn all(session: &Session) -> Result<Vec<ProviderDocument>, Failure> {
    let answer = session.manager.list_providers().await;
    answer.map_err(|error| failure("provider list", &error))
}

async fn list(session: &Session) -> Result<(), Failure> {
    let providers = all(session).await?;
    let out = &session.out;
    let items: Vec<_> = providers.iter().map(render::Provider::from).collect();
    let total = items.len() as u64;
    out.show(&List { items, total }, || render::providers(&providers, out))
}

async fn test(session: &Session, name: &str, to: &str) -> Result<(), Failure> {
    let provider = find(name, &all(session).await?)?;
    let what = format!("test {provider}");
    let answer = session.manager.test_provider(&provider, to).await;
    let report = answer.map_err(|error| failure(&what, &error))?;
    let (provider, to) = (&report.provider, &report.to);
    if !report.sent {
        let why = format!("{provider} to {to}: {}", report.reply);
        return Err(Failure::failed(printable(&why)));
    }
    let id = report.id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
    let notice = format!("{provider} took the message to {to}{id}: {}", report.reply);
    session.out.done(&render::Test::from(&report), &notice)
}

/// The id of the provider that is called so, in full or without its medium.
fn find(name: &str, providers: &[ProviderDocument]) -> Result<String, Failure> {
    let ids = || providers.iter().map(|provider| provider.id.as_str());
    let called = |id: &&str| id.split_once('.').is_some_and(|(_, short)| short == name);
    let exact: Vec<_> = ids().filter(|id| *id == name).collect();
    let found = if exact.is_empty() { ids().filter(called).collect() } else { exact };
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => {
            let known: Vec<_> = ids().collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(Failure::usage(format!("{name}: no such provider; configured: {known}")))
        }
        several => Err(Failure::usage(format!("{name}: which one: {}?", several.join(" or ")))),
    }
}

/// Translates a provider of LinOTP; asks no daemon.
pub(crate) fn import(args: &ProviderImport, out: &Output) -> Result<(), Failure> {
    let json = read(&args.file)?;
    let shown = args.file.display();
    let made = import::translate(&json, args.class, &args.name)
        .map_err(|error| Failure::failed(printable(&format!("{shown}: {error}"))))?;
    match &args.output {
        None => out.print(&made),
        Some(path) => {
            let path = SecretFile::create_for_daemon(path)?.write(made.as_bytes())?;
            let document = serde_json::json!({ "written": path });
            let next = "look at it, then `otpctl config check` and `otpctl config reload`";
            out.done(&document, &format!("Written to {}; {next}.", path.display()))
        }
    }
}

fn read(path: &std::path::Path) -> Result<zeroize::Zeroizing<String>, Failure> {
    let shown = path.display();
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::failed(format!("{shown}: {error}")))?;
    Ok(text)
}
