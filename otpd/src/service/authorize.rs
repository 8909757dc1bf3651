//! The one table of who may call what on the Manager interface. What is not in it is for root.

use std::{collections::HashMap, time::Duration};

use otp_ipc::{
    ErrorKind,
    names::action::{CONFIGURE, ENROL_OWN, ISSUE, MANAGE, READ},
};
use zbus::message::{Flags, Header};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

use super::error::{Error, Result};
use crate::engine::{Authority, Caller};

/// What a method asks of a caller who is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    /// The owner of what is changed or read may do it, within the engine's rules.
    pub(super) owner: bool,
    /// The polkit action that an owner without any credential needs besides.
    pub(super) first: Option<&'static str>,
    /// The polkit action that makes everybody else an administrator; `None`: root only.
    pub(super) action: Option<&'static str>,
    /// Users who are marked as those who may issue codes may do it, too.
    pub(super) issuer: bool,
}

const fn admin(action: &'static str) -> Requirement {
    Requirement { owner: false, first: None, action: Some(action), issuer: false }
}

const fn issuer_or(action: &'static str) -> Requirement {
    Requirement { owner: false, first: None, action: Some(action), issuer: true }
}

const fn owner_or(action: &'static str) -> Requirement {
    Requirement { owner: true, first: None, action: Some(action), issuer: false }
}

/// Every method of the Manager interface.
const TABLE: &[(&str, Requirement)] = &[
    ("Enrol", Requirement { first: Some(ENROL_OWN), ..owner_or(MANAGE) }),
    ("Confirm", owner_or(MANAGE)),
    ("Share", Requirement { first: Some(ENROL_OWN), ..owner_or(MANAGE) }),
    ("Revoke", owner_or(MANAGE)),
    ("Enable", admin(MANAGE)),
    ("Disable", owner_or(MANAGE)),
    ("Resync", owner_or(MANAGE)),
    ("IssueRecoveryCodes", owner_or(MANAGE)),
    ("Unlock", admin(MANAGE)),
    ("Reset", admin(MANAGE)),
    // Never the owner: whoever holds a session must not be able to have the codes sent elsewhere.
    ("SetContact", admin(MANAGE)),
    ("SetAdministrator", admin(MANAGE)),
    ("IssueCode", issuer_or(ISSUE)),
    ("ListCodes", issuer_or(ISSUE)),
    ("RevokeCode", issuer_or(ISSUE)),
    ("AddClient", admin(MANAGE)),
    ("SetClient", admin(MANAGE)),
    ("RemoveClient", owner_or(MANAGE)),
    ("ListClients", owner_or(READ)),
    ("ListTokens", owner_or(READ)),
    ("ListUsers", admin(READ)),
    ("Audit", admin(READ)),
    ("Status", admin(READ)),
    ("ListPolicies", admin(READ)),
    ("Explain", admin(READ)),
    ("ListProviders", admin(CONFIGURE)),
    ("TestProvider", admin(CONFIGURE)),
    ("ListDirectories", admin(CONFIGURE)),
    ("TestDirectory", admin(CONFIGURE)),
    ("Reload", admin(CONFIGURE)),
];

/// The requirement of a method; root only where the table has none.
pub(super) fn requirement(method: &str) -> Requirement {
    let root_only = Requirement { owner: false, first: None, action: None, issuer: false };
    TABLE.iter().find(|(name, _)| *name == method).map_or(root_only, |(_, found)| *found)
}

/// How long polkit may take where it may ask nobody.
const POLKIT_ALONE: Duration = Duration::from_secs(5);
/// How long polkit may take where an agent asks a person.
const POLKIT_ASKING: Duration = Duration::from_secs(120);

/// Decides on whose authority `caller` uses `method` on what belongs to the user id `owner`.
/// `enrolled` tells whether that user has a credential.
pub(super) async fn authorize(
    connection: &zbus::Connection,
    header: &Header<'_>,
    caller: &Caller,
    method: &str,
    owner: Option<u32>,
    enrolled: bool,
) -> Result<Authority> {
    if caller.uid == 0 {
        return Ok(Authority::Administrator);
    }
    let needs = requirement(method);
    if needs.owner && owner == Some(caller.uid) {
        if let (Some(action), false) = (needs.first, enrolled) {
            ask_polkit(connection, header, action).await?;
            return Ok(Authority::FirstTime);
        }
        return Ok(Authority::Owner);
    }
    let denied = || Error::new(ErrorKind::AccessDenied, format!("{method} is for root"));
    ask_polkit(connection, header, needs.action.ok_or_else(denied)?).await?;
    Ok(Authority::Administrator)
}

/// Asks polkit about the sender. No polkit, no answer or no "yes" is a no.
async fn ask_polkit(
    connection: &zbus::Connection,
    header: &Header<'_>,
    action: &str,
) -> Result<()> {
    let denied = |why: &str| {
        let text = format!("not allowed: {why} (polkit action {action}; root needs none)");
        Error::new(ErrorKind::AccessDenied, text)
    };
    let interactive = header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
    let (flags, patience) = if interactive {
        (CheckAuthorizationFlags::ALLOW_USER_INTERACTION, POLKIT_ASKING)
    } else {
        (CheckAuthorizationFlags::empty(), POLKIT_ALONE)
    };
    let check = async {
        let subject = Subject::new_for_message_header(header)
            .map_err(|error| zbus::Error::Failure(error.to_string()))?;
        let authority = AuthorityProxy::new(connection).await?;
        authority.check_authorization(&subject, action, &HashMap::new(), flags, "").await
    };
    let Ok(checked) = tokio::time::timeout(patience, check).await else {
        return Err(denied("polkit does not answer"));
    };
    match checked {
        Ok(answer) if answer.is_authorized => Ok(()),
        Ok(answer) if answer.is_challenge => Err(denied("an administrator must confirm")),
        Ok(_) => Err(denied("polkit says no")),
        Err(error) => {
            log::warn!("polkit: {error}");
            Err(denied("polkit gave no answer; see the log of otpd"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every method in the description of the interface is in the table and no other is.
    #[test]
    fn the_table_has_every_method_once() {
        let xml = include_str!("../../../packaging/dbus/org.pamotp.Otpd1.Manager.xml");
        let mut described: Vec<_> = xml
            .lines()
            .filter_map(|line| line.trim().strip_prefix("<method name=\""))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let mut listed: Vec<_> = TABLE.iter().map(|(name, _)| *name).collect();
        described.sort_unstable();
        listed.sort_unstable();
        assert_eq!(described, listed);
    }

    #[test]
    fn an_unknown_method_is_for_root() {
        let unknown = requirement("SetEverything");
        let root_only = Requirement { owner: false, first: None, action: None, issuer: false };
        assert_eq!(unknown, root_only);
    }

    #[test]
    fn only_an_administrator_ends_what_an_administrator_began() {
        for method in
            ["Enable", "Unlock", "Reset", "Reload", "Audit", "ListUsers", "ListPolicies", "Explain"]
        {
            assert!(!requirement(method).owner, "{method}");
        }
    }

    #[test]
    fn only_an_administrator_says_where_codes_go() {
        for (method, action) in [
            ("SetContact", MANAGE),
            ("ListProviders", CONFIGURE),
            ("TestProvider", CONFIGURE),
            ("ListDirectories", CONFIGURE),
            ("TestDirectory", CONFIGURE),
        ] {
            assert_eq!(requirement(method), admin(action), "{method}");
        }
    }

    #[test]
    fn t03_who_may_issue_codes_may_do_that_and_nothing_else() {
        let issuers: Vec<_> =
            TABLE.iter().filter(|(_, needs)| needs.issuer).map(|(name, _)| *name).collect();
        assert_eq!(issuers, ["IssueCode", "ListCodes", "RevokeCode"]);
        for method in issuers {
            assert_eq!(requirement(method), issuer_or(ISSUE), "{method}");
        }
        assert_eq!(requirement("SetAdministrator"), admin(MANAGE));
    }
}
