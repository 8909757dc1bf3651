//! Issued codes and clients as they are stored: a code that may be read again is sealed, all else
//! is in clear and authenticated with the account.

use otp_core::{
    client::{Client, Remembered},
    code::Digits,
    issued::{IssuedCode, Reach},
    recovery::Digest,
};

use super::{
    StoreError,
    canonical::Canonical,
    seal::{Binding, IssuedBinding},
    vault::Vault,
};

/// Which issued codes to list.
#[derive(Clone, Debug, Default)]
pub struct CodeQuery {
    /// Of exactly this user.
    pub user: Option<String>,
    /// Exactly this one.
    pub id: Option<String>,
    /// Only those that are kept and whose time is over at this moment, Unix milliseconds.
    pub kept_beyond_ms: Option<i64>,
    /// Rows to pass over.
    pub offset: u32,
    /// Rows to return at most; 0 returns none and the total.
    pub limit: u32,
}

/// An issued code as a list shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// Whom it was issued to.
    pub user: String,
    /// What was issued; without the code where that is not kept, and where it does not open.
    pub issued: IssuedCode,
}

/// Which clients to list.
#[derive(Clone, Debug, Default)]
pub struct ClientQuery {
    /// Of exactly this user.
    pub user: Option<String>,
    /// Exactly this one.
    pub id: Option<String>,
    /// Whose user's name or description contains this, as it stands.
    pub search: Option<String>,
    /// `search` is looked for in identities as well.
    pub search_identities: bool,
    /// Rows to pass over.
    pub offset: u32,
    /// Rows to return at most; 0 returns none and the total.
    pub limit: u32,
}

/// A client as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// Whose it is.
    pub user: String,
    /// The client.
    pub client: Client,
    /// Whether its user may issue codes to others.
    pub administrator: bool,
}

/// An issued code with the code sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IssuedRecord {
    pub(super) id: String,
    pub(super) digest: Digest,
    pub(super) digits: u8,
    pub(super) code: Option<Vec<u8>>,
    pub(super) issued_ms: i64,
    pub(super) expires_ms: i64,
    pub(super) uses_left: u8,
    pub(super) service: Option<String>,
    pub(super) reach: Reach,
    pub(super) reason: String,
    pub(super) issued_by: u32,
    pub(super) client: Option<String>,
}

impl IssuedRecord {
    fn unsealed(code: &IssuedCode) -> Self {
        Self {
            id: code.id.clone(),
            digest: code.digest,
            digits: code.digits,
            code: None,
            issued_ms: code.issued_ms,
            expires_ms: code.expires_ms,
            uses_left: code.uses_left,
            service: code.service.clone(),
            reach: code.reach,
            reason: code.reason.clone(),
            issued_by: code.issued_by,
            client: code.client.clone(),
        }
    }

    /// What was issued, with the code where that is known.
    pub(super) fn opened(&self, code: Option<Digits>) -> IssuedCode {
        IssuedCode {
            id: self.id.clone(),
            digest: self.digest,
            digits: self.digits,
            code,
            issued_ms: self.issued_ms,
            expires_ms: self.expires_ms,
            uses_left: self.uses_left,
            service: self.service.clone(),
            reach: self.reach,
            reason: self.reason.clone(),
            issued_by: self.issued_by,
            client: self.client.clone(),
        }
    }

    fn binding<'a>(&'a self, user: &'a str) -> Binding<'a> {
        Binding::Issued(IssuedBinding { user, id: &self.id, expires_ms: self.expires_ms })
    }

    /// Appends all of it. A text that may be missing is preceded by whether it is there.
    pub(super) fn encode(&self, fields: Canonical) -> Canonical {
        let fields = fields
            .text("issued")
            .text(&self.id)
            .bytes(&self.digest.0)
            .number(self.digits.into())
            .bytes(self.code.as_deref().unwrap_or_default())
            .number(self.issued_ms)
            .number(self.expires_ms)
            .number(self.uses_left.into());
        maybe(fields, self.service.as_deref())
            .text(self.reach.name())
            .text(&self.reason)
            .number(self.issued_by.into())
            .text(self.client.as_deref().unwrap_or_default())
    }
}

impl Vault {
    /// The record of an issued code. A code that `before` has sealed keeps its sealed bytes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the kernel has no random bytes.
    pub(super) fn seal_issued(
        &self,
        user: &str,
        code: &IssuedCode,
        before: &[IssuedRecord],
    ) -> Result<IssuedRecord, StoreError> {
        let mut record = IssuedRecord::unsealed(code);
        let Some(digits) = &code.code else { return Ok(record) };
        let stored = before.iter().find(|stored| stored.id == code.id);
        let sealed = stored.and_then(|stored| stored.code.as_ref()).filter(|sealed| {
            self.sealer
                .open(&record.binding(user), sealed)
                .is_some_and(|kept| Digits::from_ascii(&kept).as_ref() == Some(digits))
        });
        record.code = Some(match sealed {
            Some(sealed) => sealed.clone(),
            None => self
                .sealer
                .seal(&record.binding(user), digits.expose())
                .map_err(StoreError::Unavailable)?,
        });
        Ok(record)
    }

    /// The code of a record, where it is kept; `None` when it does not open.
    pub(super) fn open_code(&self, user: &str, record: &IssuedRecord) -> Option<Option<Digits>> {
        let Some(sealed) = &record.code else { return Some(None) };
        let plain = self.sealer.open(&record.binding(user), sealed)?;
        Digits::from_ascii(&plain).map(Some)
    }

    /// The issued code of a record; `None` when the code does not open.
    pub(super) fn open_issued(&self, user: &str, record: &IssuedRecord) -> Option<IssuedCode> {
        self.open_code(user, record).map(|code| record.opened(code))
    }
}

/// Appends all of a client.
pub(super) fn encode_client(fields: Canonical, client: &Client) -> Canonical {
    let fields = fields.text("client").text(&client.id).text(&client.description);
    let fields = maybe(fields, client.identity.as_deref())
        .text(client.enabling.text())
        .number(client.push.into())
        .number(client.created_ms)
        .optional(client.last_ms);
    let fields = maybe(fields, client.last_source.as_deref());
    match &client.remembered {
        Some(Remembered { service, address, until_ms }) => {
            fields.number(1).text(service).text(address).number(*until_ms)
        }
        None => fields.number(0),
    }
}

/// A text that may be missing, which is not the empty one.
fn maybe(fields: Canonical, text: Option<&str>) -> Canonical {
    fields.number(text.is_some().into()).text(text.unwrap_or_default())
}
