//! `otpctl token`, for tokens that are there already.

use otp_ipc::{ChangeOptions, ErrorKind, TokenDocument, TokenFilter, limits};
use serde_json::json;

use crate::bus::{Session, failure, kind};
use crate::cli::Token;
use crate::failure::{Exit, Failure};
use crate::render::{self, List, printable};
use crate::tty;

/// Length of an id: 16 bytes in hexadecimal.
const ID: usize = 32;
/// Fewest characters that may stand for an id.
const PREFIX: usize = 6;
/// Characters of an id in lists.
const SHORT: usize = 8;
/// How often a person may mistype the first code.
const TRIES: usize = 3;

pub(crate) async fn run(session: &Session, command: Token) -> Result<(), Failure> {
    match command {
        Token::Add(args) => super::enrol::add(session, &args).await,
        Token::Share(args) => super::share::share(session, &args).await,
        Token::List { user, method } => list(session, user, method).await,
        Token::Show { id } => {
            let token = find(session, &id).await?;
            let out = &session.out;
            out.show(&render::Token::from(&token), || render::token(&token, &out.zone))
        }
        Token::Confirm { id } => {
            let token = find(session, &id).await?;
            confirm(session, &token).await?;
            changed(session, &token, "active").await
        }
        Token::Enable { id } => {
            let token = find(session, &id).await?;
            let options = ChangeOptions::default();
            change(session, "enable", &token, options, async |options| {
                session.manager.enable(&token.id, options).await
            })
            .await?;
            changed(session, &token, "active").await
        }
        Token::Disable { id, until, reason } => {
            let until = until.map(|until| until.ahead("--until", &session.out.zone)).transpose()?;
            let token = find(session, &id).await?;
            let options = ChangeOptions { until, reason, proof: None };
            change(session, "disable", &token, options, async |options| {
                session.manager.disable(&token.id, options).await
            })
            .await?;
            changed(session, &token, "disabled").await
        }
        Token::Remove { id, yes } => remove(session, &id, yes).await,
        Token::Resync { id } => resync(session, &id).await,
    }
}

/// The part of an id that lists show and that is enough to type.
pub(crate) fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// The token that an id, or the beginning of one, stands for.
pub(crate) async fn find(session: &Session, id: &str) -> Result<TokenDocument, Failure> {
    let id = id.to_ascii_lowercase();
    if !is_prefix(&id) {
        return Err(Failure::usage(format!(
            "{id}: a token's ID is {ID} hexadecimal digits, of which the first {PREFIX} or more \
             may stand for it; see `otpctl token list`"
        )));
    }
    let whole = (id.len() == ID).then(|| id.clone());
    let mut found = all(session, session.own.clone(), whole.clone()).await?;
    found.retain(|token| token.id.starts_with(&id));
    if found.is_empty() && session.own.is_some() {
        found = all(session, None, whole).await?;
        found.retain(|token| token.id.starts_with(&id));
    }
    let several = found.len() > 1;
    match found.into_iter().next() {
        Some(_) if several => Err(Failure::usage(format!(
            "{id}: several tokens begin so; give more of the ID (see `otpctl token list`)"
        ))),
        Some(token) => Ok(token),
        None => Err(Failure::new(
            Exit::NoCredential,
            "UnknownToken",
            format!("{id}: no such token; see `otpctl token list`"),
        )),
    }
}

/// Whether it can be an id, or stand for one.
pub(crate) fn is_prefix(text: &str) -> bool {
    (PREFIX..=ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// All tokens of a user, or of everyone; or the one with an id.
pub(crate) async fn all(
    session: &Session,
    user: Option<String>,
    id: Option<String>,
) -> Result<Vec<TokenDocument>, Failure> {
    matching(session, TokenFilter { user, id, ..TokenFilter::default() }).await
}

/// All tokens that match, whatever pages they come in.
async fn matching(
    session: &Session,
    mut filter: TokenFilter,
) -> Result<Vec<TokenDocument>, Failure> {
    filter.limit = Some(limits::PAGE);
    let mut tokens = Vec::new();
    loop {
        filter.offset = u32::try_from(tokens.len()).ok();
        let answer = session.manager.list_tokens(&filter).await;
        let (page, total) = answer.map_err(|error| failure("token list", &error))?;
        let end = page.is_empty();
        tokens.extend(page);
        if end || tokens.len() as u64 >= total {
            return Ok(tokens);
        }
    }
}

async fn list(
    session: &Session,
    user: Option<String>,
    method: Option<String>,
) -> Result<(), Failure> {
    let everyone = user.is_none();
    let filter = TokenFilter { user, method, ..TokenFilter::default() };
    let tokens = matching(session, filter).await.map_err(|failure| match &session.own {
        Some(own) if everyone && failure.exit == Exit::Denied => {
            failure.and(format!("your own: `otpctl token list {own}`"))
        }
        _ => failure,
    })?;
    let items: Vec<_> = tokens.iter().map(render::Token::from).collect();
    let out = &session.out;
    let total = items.len() as u64;
    out.show(&List { items, total }, || render::tokens(&tokens, out))
}

/// Makes a pending token active with its first code. A person has three tries.
pub(crate) async fn confirm(session: &Session, token: &TokenDocument) -> Result<(), Failure> {
    let what = format!("confirm token {}", short(&token.id));
    let mut tries = if tty::interactive() { TRIES } else { 1 };
    loop {
        let code = code("First code from the app: ")?;
        match session.manager.confirm(&token.id, &code).await {
            Ok(()) => return Ok(()),
            Err(error) if tries > 1 && kind(&error) == Some(ErrorKind::Rejected) => {
                tries -= 1;
                wrong_code();
            }
            Err(error) => return Err(failure(&what, &error)),
        }
    }
}

/// Tells the person that a first code is none.
pub(crate) fn wrong_code() {
    tty::tell("That is not the code. Try the next one; is the phone's clock right?");
}

fn code(prompt: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
    match tty::secret(prompt)? {
        Some(code) if !code.is_empty() => Ok(code),
        _ => Err(Failure::usage("no code was given; type it, or pass one line on standard input")),
    }
}

async fn remove(session: &Session, id: &str, yes: bool) -> Result<(), Failure> {
    let token = find(session, id).await?;
    let name = name(&token);
    tty::agree(&format!("Remove {name} for ever"), yes)?;
    let options = ChangeOptions::default();
    change(session, "remove", &token, options, async |options| {
        session.manager.revoke(&token.id, options).await
    })
    .await?;
    let document = json!({ "id": token.id, "user": token.user, "removed": true });
    session.out.done(&document, &format!("Removed {name}."))
}

async fn resync(session: &Session, id: &str) -> Result<(), Failure> {
    let token = find(session, id).await?;
    let first = code("A code: ")?;
    let second = code("The code that comes after it: ")?;
    let what = format!("resync {}", name(&token));
    let answer = session.manager.resync(&token.id, &first, &second).await;
    answer.map_err(|error| failure(&what, &error))?;
    changed(session, &token, "in step again").await
}

/// A call that changes a token, with the proof that it may need.
async fn change(
    session: &Session,
    verb: &str,
    token: &TokenDocument,
    options: ChangeOptions,
    call: impl AsyncFn(&ChangeOptions) -> zbus::Result<()>,
) -> Result<(), Failure> {
    let what = format!("{verb} {}", name(token));
    session.prove(&what, options, |options| &mut options.proof, call).await
}

/// Shows the token as it is now, or tells what became of it.
async fn changed(session: &Session, token: &TokenDocument, state: &str) -> Result<(), Failure> {
    let out = &session.out;
    if !out.json {
        return out.notice(&format!("The {} is {state}.", name(token)));
    }
    let now = find(session, &token.id).await?;
    out.print(&render::json(&render::Token::from(&now))?)
}

/// How a token is called in a sentence.
pub(crate) fn name(token: &TokenDocument) -> String {
    printable(&format!("token {} of {} ({})", short(&token.id), token.user, token.label))
}
