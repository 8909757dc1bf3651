//! Whether a name still means the person whose tokens the store has: names are given again.

use std::time::Duration;

use otp_core::account::Account;

use super::{Engine, Error};
use crate::directory::Entry;

/// How long the directories may take to say whose a name is and which groups it is in.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

impl Engine {
    /// The user id of the account that is called `user` now; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the directory does not answer in time: nobody is let in on a
    /// guess.
    pub(super) async fn present_uid(&self, user: &str) -> Result<Option<u32>, Error> {
        Ok(self.own_entry(user).await?.map(|entry| entry.uid))
    }

    /// What the directory says of the user, in time. Nothing is sent and nobody enrols under another
    /// spelling of an account's name.
    ///
    /// # Errors
    /// As [`Engine::present_uid`].
    pub(super) async fn own_entry(&self, user: &str) -> Result<Option<Entry>, Error> {
        let asked = tokio::time::timeout(PATIENCE, self.entry(user)).await;
        let asked = asked.unwrap_or_else(|_| {
            Err(Error::Unavailable("the user database does not answer".to_owned()))
        });
        Ok(asked?.filter(|entry| entry.name == user))
    }
}

/// Why the tokens that were enrolled for the user id `before` are not those of whoever has the name
/// `user` and the user id `now`; `None` where they are. Where no directory knew the user id before,
/// nothing is said against it.
pub(crate) fn stranger(user: &str, before: Option<u32>, now: Option<u32>) -> Option<String> {
    let before = before.filter(|before| now != Some(*before))?;
    let reset = format!("`otpctl user reset {user}` removes what it had");
    Some(match now {
        Some(now) => format!(
            "the name was user id {before}'s at enrolment and is user id {now}'s now; {reset}, \
             `otpctl user set {user} uid={now}` keeps it for the same person"
        ),
        None => {
            format!("the name was user id {before}'s at enrolment and is nobody's now; {reset}")
        }
    })
}

/// Refuses to give anything to an account that is somebody else's.
pub(super) fn check(user: &str, account: &Account, now: u32) -> Result<(), Error> {
    stranger(user, account.uid, Some(now)).map_or(Ok(()), |why| Err(Error::WrongState(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u13_a_name_is_its_owners_while_its_user_id_is() {
        for (before, now, same) in [
            (Some(1000), Some(1000), true),
            (None, Some(1000), true),
            (None, None, true),
            (Some(1000), Some(1001), false),
            (Some(1000), None, false),
            (Some(0), Some(1000), false),
            (Some(1000), Some(0), false),
        ] {
            assert_eq!(stranger("alice", before, now).is_none(), same, "{before:?} {now:?}");
        }
    }
}
