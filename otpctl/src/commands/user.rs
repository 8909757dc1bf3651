//! `otpctl user`

use otp_ipc::{ContactOptions, UserDocument, UserFilter};
use serde_json::json;

use crate::bus::{Session, failure};
use crate::cli::{Setting, User, UserList};
use crate::failure::Failure;
use crate::render::{self, List};
use crate::tty;

pub(crate) async fn run(session: &Session, command: User) -> Result<(), Failure> {
    match command {
        User::List(args) => list(session, args).await,
        User::Show { user } => show(session, &user).await,
        User::Set { user, values } => set(session, &user, values).await,
        User::Unlock { user } => unlock(session, &user).await,
        User::Reset { user, yes } => reset(session, &user, yes).await,
    }
}

/// What the daemon knows of one user.
pub(crate) async fn find(session: &Session, user: &str) -> Result<UserDocument, Failure> {
    let filter = UserFilter { user: Some(user.to_owned()), ..UserFilter::default() };
    let (users, _) =
        session.manager.list_users(&filter).await.map_err(|error| failure(user, &error))?;
    users.into_iter().next().ok_or_else(|| Failure::unknown_user(user))
}

async fn list(session: &Session, args: UserList) -> Result<(), Failure> {
    let filter = UserFilter {
        user: None,
        search: args.search,
        locked: args.locked.then_some(true),
        offset: Some(args.offset),
        limit: Some(args.limit),
    };
    let answer = session.manager.list_users(&filter).await;
    let (users, total) = answer.map_err(|error| failure("user list", &error))?;
    let out = &session.out;
    let items = users.iter().map(render::User::from).collect();
    out.show(&List { items, total }, || render::users(&users, out))?;
    let next = u64::from(args.offset).saturating_add(users.len() as u64);
    if out.terminal && !users.is_empty() && next < total {
        out.notice(&format!("{} of {total}; --offset {next} shows more", users.len()))?;
    }
    Ok(())
}

async fn show(session: &Session, user: &str) -> Result<(), Failure> {
    let user = find(session, user).await?;
    let out = &session.out;
    out.show(&render::User::from(&user), || render::user(&user, &out.zone))
}

async fn set(session: &Session, user: &str, values: Vec<Setting>) -> Result<(), Failure> {
    let (contact, admin) = wishes(values)?;
    if contact != ContactOptions::default() {
        let what = format!("set contacts of {user}");
        let answer = session.manager.set_contact(user, &contact).await;
        answer.map_err(|error| failure(&what, &error))?;
    }
    if let Some(admin) = admin {
        session.same_release("user set admin").await?;
        let what = format!("set admin of {user}");
        let answer = session.manager.set_administrator(user, admin).await;
        answer.map_err(|error| failure(&what, &error))?;
    }
    let now = find(session, user).await?;
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let issues = if now.administrator { ", issues codes" } else { "" };
    let (mobile, mail) = (shown(&now.mobile), shown(&now.mail));
    let notice = format!("{user}: mobile {mobile}, mail {mail}{issues}.");
    session.out.done(&render::User::from(&now), &notice)
}

/// What is to be set; each key once.
fn wishes(values: Vec<Setting>) -> Result<(ContactOptions, Option<bool>), Failure> {
    let mut contact = ContactOptions::default();
    let mut admin = None;
    for setting in values {
        let (key, place, value) = match setting {
            Setting::Admin(on) => match admin.replace(on) {
                None => continue,
                Some(_) => return Err(Failure::usage("admin is given twice")),
            },
            Setting::Mobile(number) => ("mobile", &mut contact.mobile, number),
            Setting::Mail(address) => ("mail", &mut contact.mail, address),
            Setting::Country(code) => ("country", &mut contact.country, code),
            Setting::Uid(id) if contact.uid.is_none() => {
                contact.uid = Some(id);
                continue;
            }
            Setting::Uid(_) => return Err(Failure::usage("uid is given twice")),
        };
        if place.replace(value).is_some() {
            return Err(Failure::usage(format!("{key} is given twice")));
        }
    }
    if contact.country.is_some() && contact.mobile.as_ref().is_none_or(String::is_empty) {
        return Err(Failure::usage("country goes with mobile=NUMBER"));
    }
    Ok((contact, admin))
}

async fn unlock(session: &Session, user: &str) -> Result<(), Failure> {
    let what = format!("unlock {user}");
    session.manager.unlock(user).await.map_err(|error| failure(&what, &error))?;
    session.out.done(&json!({ "user": user, "lock": "open" }), &format!("{user} is unlocked."))
}

async fn reset(session: &Session, user: &str, yes: bool) -> Result<(), Failure> {
    let question = format!("Remove all tokens, recovery codes and locks of {user}");
    tty::agree(&question, yes)?;
    let what = format!("reset {user}");
    session.manager.reset(user).await.map_err(|error| failure(&what, &error))?;
    let notice = format!("Everything of {user} is removed.");
    session.out.done(&json!({ "user": user, "removed": true }), &notice)
}
