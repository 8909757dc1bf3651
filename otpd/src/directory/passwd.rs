//! The system's own user database, through the name service switch.

use otp_core::contact::Contacts;

use super::{Directory, DirectoryError, Entry};
use crate::store::Pending;

/// `getpwnam_r`; asked on a thread of its own, since a network source behind NSS may block.
#[derive(Debug, Default)]
pub struct Passwd;

impl Directory for Passwd {
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>> {
        let name = name.to_owned();
        Box::pin(async move {
            let looked_up =
                tokio::task::spawn_blocking(move || nix::unistd::User::from_name(&name))
                    .await
                    .map_err(|error| DirectoryError(error.to_string()))?;
            let user = looked_up.map_err(|error| DirectoryError(error.desc().to_owned()))?;
            Ok(user.map(|user| Entry {
                name: user.name,
                uid: user.uid.as_raw(),
                contacts: Contacts::default(),
            }))
        })
    }
}
