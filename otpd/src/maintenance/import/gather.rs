//! What the files tell, user by user.

use std::collections::BTreeMap;

use otp_core::account::{UserName, escaped};
use otp_ipc::maintenance::import::{FORMATS, Request, Source};

use crate::import::{Circumstances, Format, Reject, Row};

/// A token and the file that tells of it, by its place in [`Gathered::files`].
pub(super) struct Found {
    pub(super) file: usize,
    pub(super) row: Row,
    /// Whoever it is for may have written it: it lies in their home, and nobody said whose it is.
    pub(super) own_word: bool,
}

/// What is not taken, and why.
pub(super) struct Refused {
    pub(super) file: usize,
    pub(super) line: usize,
    pub(super) user: Option<String>,
    pub(super) reason: String,
}

/// What all files tell.
#[derive(Default)]
pub(super) struct Gathered {
    /// What they are called.
    pub(super) files: Vec<String>,
    /// Each user's tokens in the files' order.
    pub(super) tokens: BTreeMap<String, Vec<Found>>,
    pub(super) refused: Vec<Refused>,
}

impl Gathered {
    /// A file that was not read.
    pub(super) fn refuse(&mut self, path: String, user: Option<String>, reason: String) {
        let file = self.files.len();
        self.files.push(path);
        self.refused.push(Refused { file, line: 0, user, reason });
    }

    /// A file's bytes.
    pub(super) fn read(
        &mut self,
        source: Source,
        bytes: &[u8],
        request: &Request,
        circumstances: &Circumstances,
    ) {
        let Source { path, user, format, .. } = source;
        let wanted = request.format.as_deref().or(format.as_deref());
        let format = match wanted {
            Some(name) => Format::named(name).ok_or_else(|| format!("{name} is no format")),
            None => Format::guessed(bytes).ok_or_else(|| {
                format!("no format is recognised; name it with --format: {}", FORMATS.join(", "))
            }),
        };
        let contents = format.and_then(|format| {
            let contents = format.read(bytes, circumstances);
            contents.map(|contents| (format, contents)).map_err(|reject| reject.to_string())
        });
        let (format, contents) = match contents {
            Ok(read) => read,
            Err(reason) => return self.refuse(path, user.or_else(|| request.user.clone()), reason),
        };
        let file = self.files.len();
        self.files.push(path);
        // Never the file's own word where its place says whose it is: that user has written it.
        let owner = request.user.as_ref().or(user.as_ref());
        // Where lines are for certain users, one of them is looked for; else all are theirs.
        let only = owner.filter(|_| format.names_accounts());
        let others = |user: &Option<String>| {
            only.is_some_and(|only| user.as_ref().is_some_and(|user| user != only))
        };
        let own_word = request.user.is_none() && user.is_some();
        for mut row in contents.rows.into_iter().filter(|row| !others(&row.user)) {
            // What people call their accounts elsewhere is no user here.
            let told = row.user.take().filter(|_| !format.is_of_an_app());
            if let (Some(told), Some(owner)) = (&told, owner)
                && told != owner
            {
                row.warnings.push(format!("the file says that it is {}'s", escaped(told)));
            }
            self.found(owner.cloned().or(told), Found { file, row, own_word });
        }
        for Reject { line, user: own, reason } in contents.rejects {
            if !others(&own) {
                let user = own.or_else(|| user.clone());
                self.refused.push(Refused { file, line, user, reason });
            }
        }
    }

    fn found(&mut self, user: Option<String>, found: Found) {
        let (file, line) = (found.file, found.row.line);
        let parsed = user.as_deref().map(UserName::parse).transpose();
        let reason = match (parsed, user) {
            (Ok(Some(_)), Some(user)) => {
                return self.tokens.entry(user).or_default().push(found);
            }
            (Err(error), _) => error.to_string(),
            _ => "the file does not say whose this is; name the user with --user".to_owned(),
        };
        self.refused.push(Refused { file, line, user: None, reason });
    }
}
