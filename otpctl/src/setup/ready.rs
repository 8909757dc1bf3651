//! Whether anybody could log in after a setup.

use std::path::Path;

use otp_ipc::{ExplainDocument, ExplainQuery};

use super::begin::Wish;
use super::plan::{ALL, Plan};
use crate::bus::{Session, failure};
use crate::failure::{Exit, Failure};
use crate::render::{Output, printable};

/// That somebody will be able to log in: otpd answers, and who tries has what the policy asks for.
pub(super) async fn ready(
    wish: &Wish,
    user: Option<&str>,
    bus: Option<&str>,
    out: &Output,
    plan: &mut Plan,
) -> Result<(), Failure> {
    let session = Session::open(bus, out.clone()).await?;
    session.manager.health().await.map_err(|error| failure("setup", &error))?;
    for service in roots_services(&wish.service) {
        let query = ExplainQuery { service: Some((*service).to_owned()), ..Default::default() };
        let root = session.manager.explain("root", &query).await;
        let root = root.map_err(|error| failure("setup", &error))?;
        if let Err(why) = can_log_in("root", service, wish.nullok, &root) {
            plan.notes.push(format!("{service} will not let root in: {}", why.message));
        }
    }
    let Some(user) = user else {
        if wish.no_try {
            return Ok(());
        }
        return Err(Failure::usage("who tries it before it is kept? Say --user NAME, or --no-try"));
    };
    let service = if wish.service == ALL { trial_service() } else { wish.service.as_str() };
    let query = ExplainQuery { service: Some(service.to_owned()), ..Default::default() };
    let explained = session.manager.explain(user, &query).await;
    let explained = explained.map_err(|error| failure("setup", &error))?;
    can_log_in(user, service, wish.nullok, &explained).map(|note| plan.notes.extend(note))
}

/// The services of a setup at which root's own code is asked for.
fn roots_services(service: &str) -> &'static [&'static str] {
    match service {
        ALL => &["login", "su"],
        "login" => &["login"],
        "su" => &["su"],
        _ => &[],
    }
}

/// Whether a user can do what the policy will ask for; what to know, or what to do first.
fn can_log_in(
    user: &str,
    service: &str,
    nullok: bool,
    explained: &ExplainDocument,
) -> Result<Option<String>, Failure> {
    let (user, policy) = (printable(user), printable(&explained.policy));
    if explained.account.is_none() && explained.directory.is_none() {
        return Err(Failure::unknown_user(&user));
    }
    let lacks_token = || {
        Failure::new(
            Exit::NoCredential,
            "NoCredential",
            format!(
                "{user} has no token and could not log in: first `otpctl token add {user}`, and for \
                 the day the phone is lost `otpctl recovery new {user}`"
            ),
        )
    };
    if let Some(why) = &explained.refused {
        return Err(Failure::failed(format!("{user} is let in by no code: {}", printable(why))));
    }
    match explained.outcome.as_str() {
        "code" => Ok(None),
        "skip" => Ok(Some(format!("policy \"{policy}\" asks {user} for no code at {service}"))),
        "enrol" if service != "sudo" => {
            Ok(Some(format!("{user} has no token; policy \"{policy}\" enrols at the login")))
        }
        "ignore" if nullok => {
            Ok(Some(format!("{user} has no token and is let in without (nullok)")))
        }
        "deny" if explained.enrolled != Some(false) => {
            Err(Failure::failed(format!("policy \"{policy}\" denies {user} at {service}")))
        }
        _ => Err(lacks_token()),
    }
}

/// Where a setup of every service is tried.
pub(super) fn trial_service() -> &'static str {
    let there = |service: &&str| Path::new("/etc/pam.d").join(service).exists();
    ["sudo", "login", "su"].into_iter().find(there).unwrap_or("other")
}
