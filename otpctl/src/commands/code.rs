//! `otpctl code`: codes that administrators issue.

use std::path::Path;

use otp_ipc::{CodeDocument, CodeFilter, IssueOptions, limits};
use serde_json::json;
use zeroize::Zeroizing;

use super::ids;
use crate::bus::{Session, failure};
use crate::cli::{Code, CodeIssue, Scope, Send, Terms};
use crate::failure::{Exit, Failure};
use crate::render::{self, List, Output, left, printable};
use crate::secret_file::SecretFile;

const LIST: &str = "code list";

pub(crate) async fn run(session: &Session, command: Code) -> Result<(), Failure> {
    session.same_release("code").await?;
    match command {
        Code::Issue(args) => issue(session, args).await,
        Code::List { user } => list(session, user).await,
        Code::Revoke { id } => revoke(session, &id).await,
    }
}

async fn issue(session: &Session, args: CodeIssue) -> Result<(), Failure> {
    let sent = args.terms.send.is_some();
    let place =
        if sent { None } else { Some(Place::prepare(args.output.as_deref(), &session.out)?) };
    let told = ask(session, &args.user, args.terms, None).await?;
    match place {
        Some(place) => place.tell(&told, &session.out),
        None => {
            let document = &told.document;
            let notice = format!(
                "The code {} was sent to {}. {}",
                ids_short(&document.id),
                document.user,
                left(of_new(document))
            );
            session.out.done(&render::Code::from(document), &notice)
        }
    }
}

fn ids_short(id: &str) -> &str {
    super::token::short(id)
}

/// A code that was issued just now.
pub(super) struct Told {
    pub(super) document: CodeDocument,
    code: Zeroizing<Vec<u8>>,
}

impl Told {
    pub(super) fn text(&self) -> Result<&str, Failure> {
        let text = str::from_utf8(&self.code).ok().filter(|text| !text.is_empty());
        text.ok_or_else(|| Failure::failed("the daemon's code is no text; issue another one"))
    }
}

/// Issues a code, for a client where one is named.
pub(super) async fn ask(
    session: &Session,
    user: &str,
    terms: Terms,
    client: Option<String>,
) -> Result<Told, Failure> {
    let options = IssueOptions {
        valid_for_ms: terms.valid_for.map(|span| span.0),
        uses: terms.uses,
        service: terms.service,
        scope: terms.scope.map(|scope| {
            match scope {
                Scope::Local => "local",
                Scope::Remote => "remote",
                Scope::Both => "both",
            }
            .to_owned()
        }),
        reason: terms.reason,
        send: terms.send.map(|send| {
            match send {
                Send::Sms => "sms",
                Send::Email => "email",
            }
            .to_owned()
        }),
        client,
    };
    let what = format!("issue a code to {user}");
    let answer = session.manager.issue_code(user, &options).await;
    let (id, code, _) = answer.map_err(|error| failure(&what, &error))?;
    let code = Zeroizing::new(code);
    let document = all(session, None, Some(id)).await?.into_iter().next();
    let document = document.ok_or_else(|| Failure::failed("the new code is gone already"))?;
    Ok(Told { document, code })
}

/// How long a code that was issued just now is good, in whole seconds.
fn of_new(code: &CodeDocument) -> u64 {
    code.left_ms.next_multiple_of(1000)
}

/// Where a code is told: on a terminal, or in a new file.
pub(super) enum Place {
    Terminal,
    File(SecretFile),
}

impl Place {
    pub(super) fn prepare(output: Option<&Path>, out: &Output) -> Result<Self, Failure> {
        match output {
            Some(path) => SecretFile::create(path).map(Self::File),
            None if out.terminal => Ok(Self::Terminal),
            None => Err(Failure::usage(
                "codes are shown on a terminal only; name a new file with --output FILE",
            )),
        }
    }

    pub(super) fn tell(self, told: &Told, out: &Output) -> Result<(), Failure> {
        let (document, code) = (&told.document, told.text()?);
        let remaining = left(of_new(document));
        let with_code = render::json(&render::ToldCode { entry: document.into(), code })?;
        match self {
            Self::File(file) => {
                let path = file.write(with_code.as_bytes())?;
                let notice =
                    format!("The code for {} is in {}. {remaining}", document.user, path.display());
                out.done(&render::Code::from(document), &notice)
            }
            Self::Terminal if out.json => out.print(&with_code),
            Self::Terminal => {
                out.print(&Zeroizing::new(printable(&format!("OTP: {code}"))))?;
                out.print(&remaining)
            }
        }
    }
}

/// All codes, or those of a user, or the one with an id.
pub(super) async fn all(
    session: &Session,
    user: Option<String>,
    id: Option<String>,
) -> Result<Vec<CodeDocument>, Failure> {
    let mut filter = CodeFilter { user, id, offset: None, limit: Some(limits::PAGE) };
    let mut codes = Vec::new();
    loop {
        filter.offset = u32::try_from(codes.len()).ok();
        let answer = session.manager.list_codes(&filter).await;
        let (page, total) = answer.map_err(|error| failure(LIST, &error))?;
        let end = page.is_empty();
        codes.extend(page);
        if end || codes.len() as u64 >= total {
            return Ok(codes);
        }
    }
}

async fn list(session: &Session, user: Option<String>) -> Result<(), Failure> {
    let mut codes = all(session, user, None).await?;
    let out = &session.out;
    if !out.terminal {
        // Codes leave to a terminal only.
        codes.iter_mut().for_each(|code| code.code = None);
    }
    if out.json {
        let items: Vec<_> = codes.iter().map(render::ReadCode::from).collect();
        let total = items.len() as u64;
        return out.print(&render::json(&List { items, total })?);
    }
    out.print(&render::codes(&codes, out))
}

async fn revoke(session: &Session, id: &str) -> Result<(), Failure> {
    let id = ids::typed(id, "code", LIST)?;
    let codes = all(session, None, None).await?;
    let names = ("code", "UnknownCode", LIST);
    let code = ids::only(&id, codes, |code| code.id.as_str(), names, Exit::NoCredential)?;
    let what = format!("revoke code {}", ids_short(&code.id));
    let answer = session.manager.revoke_code(&code.id).await;
    answer.map_err(|error| failure(&what, &error))?;
    let notice = format!("The code {} of {} is revoked.", ids_short(&code.id), code.user);
    session.out.done(&json!({ "id": code.id, "user": code.user, "removed": true }), &notice)
}
