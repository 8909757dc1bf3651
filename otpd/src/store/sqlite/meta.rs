//! The row that holds for the store as a whole: whose store it is, which key it is sealed with,
//! and whose accounts there are.

use rusqlite::{Connection, Error, OptionalExtension, Row, params, types::FromSql};

use super::{rows, setup};
use crate::{
    keys::{Keyring, Keys, Role},
    store::{
        StoreError,
        canonical::Canonical,
        digest::DigestKeys,
        vault::{Tag, Vault},
    },
};

const KEY_CHECK: &str = "otpd/v1/key-check";
const META: &str = "otpd/v1/meta";
const NAME: &str = "otpd/v1/name";
/// The version of a store's first key.
const FIRST_KEY: u32 = 1;

/// The row of the table meta that is authenticated.
pub(super) struct Meta {
    store: [u8; 16],
    created_ms: i64,
    key_check: Vec<u8>,
    pub(super) accounts: i64,
    pub(super) names: Tag,
    key_version: u32,
    digest_keys: Option<Vec<u8>>,
    mac: Vec<u8>,
}

/// What opened a store.
pub(super) struct Opened {
    pub(super) vault: Vault,
    pub(super) role: Role,
    /// Where the key came from, for people.
    pub(super) source: String,
}

impl Meta {
    /// The row of a new store under its first key.
    ///
    /// # Errors
    /// As the file's, or when the kernel has no random bytes.
    pub(super) fn create(
        connection: &Connection,
        keys: &Keys,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut store = [0; 16];
        getrandom::fill(&mut store).map_err(|error| setup(format!("no random bytes: {error}")))?;
        let insert = "INSERT INTO meta (id, store, created_ms, checked_ms, key_check, accounts, \
            names, mac) VALUES (1, ?1, ?2, ?2, x'', 0, zeroblob(32), x'')";
        rows::execute(connection, insert, params![store, now_ms])?;
        let vault = Vault::new(keys, store, FIRST_KEY);
        Self::load(connection)?.under(&vault, None).save(connection, &vault)
    }

    /// The row as it is, not verified yet.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        connection
            .prepare_cached("SELECT * FROM meta")?
            .query_row([], |row| {
                Ok(Self {
                    store: row.get("store")?,
                    created_ms: row.get("created_ms")?,
                    key_check: row.get("key_check")?,
                    accounts: row.get("accounts")?,
                    names: row.get("names")?,
                    key_version: newer(row, "key_version")?.unwrap_or(FIRST_KEY),
                    digest_keys: newer(row, "digest_keys")?.flatten(),
                    mac: row.get("mac")?,
                })
            })
            .optional()?
            .ok_or_else(|| setup("the store has no meta row; restore it from a backup"))
    }

    /// The vault of the store, by the first of the keys that is its own; the row is verified.
    ///
    /// # Errors
    /// [`StoreError::Setup`] when none is, or when the row was changed or damaged.
    pub(super) fn unlock(&self, ring: &Keyring) -> Result<Opened, StoreError> {
        let vault = |keys: &Keys| Vault::new(keys, self.store, self.key_version);
        let fits = |keys: &Keys| vault(keys).holds(&self.key_check, KEY_CHECK, |fields| fields);
        let (role, keys) = ring.find(fits).map_err(setup)?;
        let mut vault = vault(keys);
        self.verify(&vault)?;
        if let Some(sealed) = &self.digest_keys {
            let digests = DigestKeys::open(&vault, sealed).ok_or_else(damaged)?;
            vault = vault.with_digests(digests);
        }
        Ok(Opened { vault, role, source: keys.source().to_owned() })
    }

    /// The vault of this store under other keys, which keeps the keys of digests.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the kernel has no random bytes.
    pub(super) fn vault(&self, keys: &Keys, key_version: u32, before: &Vault) -> Vault {
        Vault::new(keys, self.store, key_version).with_digests(before.digests.clone())
    }

    /// The row under the vault's key, which knows of no account.
    pub(super) fn under(self, vault: &Vault, digest_keys: Option<Vec<u8>>) -> Self {
        Self {
            key_check: vault.tag(KEY_CHECK, |fields| fields).into(),
            accounts: 0,
            names: Tag::default(),
            key_version: vault.key_version,
            digest_keys,
            ..self
        }
    }

    /// Writes the row, within the transaction in progress.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn save(&self, connection: &Connection, vault: &Vault) -> Result<(), StoreError> {
        let update = "UPDATE meta SET key_check = ?1, accounts = ?2, names = ?3, key_version = ?4, \
            digest_keys = ?5, mac = ?6";
        let mac = vault.tag(META, |fields| self.encode(fields));
        let Self { key_check, accounts, names, key_version, digest_keys, .. } = self;
        let values = params![key_check, accounts, names, key_version, digest_keys, mac];
        Ok(rows::execute(connection, update, values)?)
    }

    /// # Errors
    /// [`StoreError::Setup`] when the row is not as it was written.
    pub(super) fn verify(&self, vault: &Vault) -> Result<(), StoreError> {
        if vault.holds(&self.mac, META, |fields| self.encode(fields)) {
            return Ok(());
        }
        Err(damaged())
    }

    /// Takes a name into the digest of the set of names, or out of it: the digest is the exclusive
    /// or of the names' keyed digests, so that one goes in or out without reading the others, and
    /// nobody without the key can trade one set for another.
    pub(super) fn toggle(names: &mut Tag, vault: &Vault, user: &str) {
        let tag = vault.tag(NAME, |fields| fields.text(user));
        names.iter_mut().zip(tag).for_each(|(byte, other)| *byte ^= other);
    }

    /// A store under its first key has the MAC that it had before a key could be replaced.
    fn encode(&self, fields: Canonical) -> Canonical {
        let fields = fields.number(self.created_ms).number(self.accounts).bytes(&self.names);
        match (self.key_version, &self.digest_keys) {
            (FIRST_KEY, None) => fields,
            (version, digest_keys) => fields
                .text("keys")
                .number(version.into())
                .bytes(digest_keys.as_deref().unwrap_or_default()),
        }
    }
}

/// A column that older stores do not have.
fn newer<T: FromSql>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    match row.get(column) {
        Err(Error::InvalidColumnName(_)) => Ok(None),
        value => value.map(Some),
    }
}

fn damaged() -> StoreError {
    setup("the store's meta row was changed or damaged; restore the store from a backup")
}
