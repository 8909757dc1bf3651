//! What entries look like: names, filters and account states of the usual servers.

use super::attributes::Found;
use crate::directory::{Record, Standing};

/// A family of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Nothing is assumed; account states are not told.
    Generic,
    /// RFC 2307 and the password policies of OpenLDAP.
    OpenLdap,
    /// Microsoft's, and Samba's.
    ActiveDirectory,
}

/// What is default with a schema.
pub struct Defaults {
    /// Finds a user.
    pub filter: &'static str,
    /// The attribute of the login name.
    pub name: Option<&'static str>,
    /// The attribute of groups.
    pub groups: Option<&'static str>,
}

/// ACCOUNTDISABLE of userAccountControl.
const DISABLED: i64 = 0x2;
/// Values of accountExpires that mean never.
const NEVER: [i64; 2] = [0, i64::MAX];
/// From 1601-01-01 to 1970-01-01 in milliseconds.
const EPOCH_1601_MS: i64 = 11_644_473_600_000;
/// pwdAccountLockedTime of an account that an administrator has locked for good.
const LOCKED_FOR_GOOD: &str = "000001010000Z";
const DAY_MS: i64 = 86_400_000;

impl Schema {
    /// Every schema by its name in the configuration.
    pub const ALL: [(&str, Self); 3] = [
        ("generic", Self::Generic),
        ("openldap", Self::OpenLdap),
        ("active-directory", Self::ActiveDirectory),
    ];

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, schema)| *schema == self).map_or("", |(name, _)| name)
    }

    /// What counts where the configuration says nothing.
    #[must_use]
    pub fn defaults(self) -> Defaults {
        match self {
            Self::Generic => Defaults { filter: "(uid={user})", name: None, groups: None },
            Self::OpenLdap => Defaults {
                filter: "(&(objectClass=posixAccount)(uid={user}))",
                name: Some("uid"),
                groups: None,
            },
            Self::ActiveDirectory => Defaults {
                filter: "(&(objectCategory=person)(objectClass=user)(sAMAccountName={user}))",
                name: Some("sAMAccountName"),
                groups: Some("memberOf"),
            },
        }
    }

    /// Whether entries say if an account may be used.
    #[must_use]
    pub fn tells_state(self) -> bool {
        !self.state_attributes().is_empty()
    }

    /// The attributes that say so.
    pub(super) fn state_attributes(self) -> &'static [&'static str] {
        match self {
            Self::Generic => &[],
            Self::OpenLdap => &["shadowExpire", "pwdAccountLockedTime"],
            Self::ActiveDirectory => &["userAccountControl", "accountExpires"],
        }
    }

    /// Reads an account's state. A value that is none of its kind is an error: nobody is let in by
    /// what cannot be read.
    pub(super) fn state(self, entry: &Found, record: &mut Record) -> Result<(), String> {
        match self {
            Self::Generic => {}
            Self::OpenLdap => {
                if let Some(days) = number(entry, "shadowExpire")?.filter(|days| *days >= 0) {
                    record.expires_ms = Some(days.saturating_mul(DAY_MS));
                }
                record.disabled =
                    entry.values("pwdAccountLockedTime").any(|value| value == LOCKED_FOR_GOOD);
            }
            Self::ActiveDirectory => {
                let control = number(entry, "userAccountControl")?;
                // Whoever may not read it would take every account for an active one.
                let control =
                    control.ok_or("userAccountControl is missing: bind_dn may not read it")?;
                if control & DISABLED != 0 {
                    record.set(Standing::Disabled);
                }
                let expires = number(entry, "accountExpires")?;
                if let Some(ticks) = expires.filter(|ticks| !NEVER.contains(ticks)) {
                    record.expires_ms = Some((ticks / 10_000).saturating_sub(EPOCH_1601_MS));
                }
            }
        }
        Ok(())
    }
}

fn number(entry: &Found, attribute: &str) -> Result<Option<i64>, String> {
    let Some(value) = entry.values(attribute).next() else { return Ok(None) };
    let wrong = |_| format!("{attribute} is no whole number");
    value.trim().parse().map(Some).map_err(wrong)
}
