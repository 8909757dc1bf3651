//! What a session is shown: the secret under the names that Nevis gave its parts.

use otp_core::{
    account::Account,
    base32,
    contact::Contacts,
    share::{self, Share},
    token::{Factor, Token},
    uri,
};
use otp_ipc::ShareDocument;

use super::{Error, contact::in_force};
use crate::config::{AccountName, Confirmation};

/// [`ShareDocument::confirm`] of [`Confirmation::Code`].
pub(super) const CODE: &str = "code";

/// What the app calls the account.
pub(super) fn called(
    by: AccountName,
    user: &str,
    account: &Account,
    known: &Contacts,
) -> Result<String, Error> {
    match by {
        AccountName::LoginId => Ok(user.to_owned()),
        AccountName::Email => {
            let mail = in_force(&account.contacts, known).mail;
            let none = "the user has no mail address, by which [sharing] account = \"email\" calls \
                        the account; set one: `otpctl user set USER mail=…`";
            let mail = mail.ok_or_else(|| Error::WrongState(none.to_owned()))?;
            Ok(mail.as_str().to_owned())
        }
    }
}

/// What belongs to a showing, without what is shown.
pub(super) fn plain_document(token: String, user: String, confirm: Confirmation) -> ShareDocument {
    let mut document = ShareDocument::default();
    document.token = token;
    document.user = user;
    document.confirm = match confirm {
        Confirmation::Code => CODE.to_owned(),
        Confirmation::Acknowledgement => "ack".to_owned(),
    };
    document
}

/// The same with the secret, and all that an app needs besides.
///
/// # Errors
/// [`Error::InvalidArgument`] for a token that no URI can tell.
pub(super) fn shown_document(
    token: &Token,
    account: &str,
    issuer: &str,
    mut document: ShareDocument,
) -> Result<ShareDocument, Error> {
    let uri = uri::provisioning(token, issuer, account)?;
    document.content = Some(uri.as_bytes().to_vec());
    let (kind, period, counter) = match token.factor {
        Factor::Totp { period_ms, .. } => ("totp", Some(period_ms / 1000), None),
        Factor::Hotp => ("hotp", None, Some(token.next)),
        Factor::OutOfBand(_) => return Err(share::Refusal::NoCredential.into()),
    };
    document.kind = Some(kind.to_owned());
    (document.period, document.counter) = (period, counter);
    document.algorithm = Some(uri::algorithm(token.algorithm).to_owned());
    document.digits = Some(u32::from(token.digits));
    document.account = Some(uri::plain(account));
    document.issuer = Some(uri::plain(issuer));
    document.secret = Some(base32::encode(token.secret.expose()).as_bytes().to_vec());
    document.until = match token.share {
        Share::Showing { until_ms, .. } => Some(until_ms),
        Share::Released | Share::Created | Share::Shared => None,
    };
    Ok(document)
}
