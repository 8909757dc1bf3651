//! What encrypts the values of a container, and what tells whether they were changed (RFC 6030
//! section 6). CBC alone tells neither that nor whether the key is the right one, so there is no
//! value without its MAC.

use otp_core::account::escaped;
use roxmltree::Node;
use zeroize::Zeroizing;

use super::xml::{attribute, child, child_text, children, descendant, is, text};
use crate::{
    import::value::{self, Refused},
    pskc::{Cipher, Hash, PBKDF2},
};

/// Most iterations of PBKDF2: some seconds.
const ITERATIONS: u32 = 2_000_000;
/// Longest salt in bytes.
const SALT: usize = 1024;

const NO_FIT: &str = "the key or password does not fit, or the file was changed";

/// The keys that open the values of a container.
pub(super) struct Protection {
    cipher: Cipher,
    key: Zeroizing<Vec<u8>>,
    hash: Hash,
    mac_key: Zeroizing<Vec<u8>>,
}

impl Protection {
    /// Reads it from the container's `EncryptionKey` and `MACMethod`. `key` is what the
    /// administrator has: a password, or the key itself in bytes or hexadecimal digits.
    pub(super) fn read(container: Node, key: Option<&[u8]>) -> Result<Self, Refused> {
        let key = key.ok_or(
            "its keys are encrypted: name the file with the password or the pre-shared key \
             with --key-file",
        )?;
        let method = child(container, "MACMethod")?.ok_or(
            "its keys are encrypted and have no MAC (<MACMethod>), so that nobody can tell \
             whether they were changed: ask for a file with MACs",
        )?;
        let hash = hash(method)?;
        let used = container.descendants().find(|node| is(*node, "EncryptedValue"));
        let cipher = used.map_or(Ok(Cipher::Aes128), cipher)?;
        let key = encryption_key(container, cipher, key)?;
        if child(method, "MACKeyReference")?.is_some() {
            return Err("its MAC key is not in the file (<MACKeyReference>)".into());
        }
        let mac_key = match child(method, "MACKey")? {
            // RFC 6030 section 6.1.1 would have it in every file; others leave it out.
            None => Zeroizing::new(key.to_vec()),
            Some(sealed) => {
                let bytes = cipher_value(sealed)?;
                self::cipher(sealed)?.open(&key, &bytes).ok_or(NO_FIT)?
            }
        };
        if mac_key.is_empty() {
            return Err("its MAC key is empty".into());
        }
        Ok(Self { cipher, key, hash, mac_key })
    }

    /// What is in the `EncryptedValue` of `holder`.
    pub(super) fn open(&self, holder: Node, sealed: Node) -> Result<Zeroizing<Vec<u8>>, Refused> {
        if cipher(sealed)? != self.cipher {
            return Err("its values are encrypted in more than one way".into());
        }
        let mac = child_text(holder, "ValueMAC")?.ok_or(
            "an encrypted value has no MAC (<ValueMAC>), so that nobody can tell whether it was \
             changed: ask for a file with MACs",
        )?;
        let mac = value::base64(mac.as_bytes()).ok_or("a <ValueMAC> is no base64")?;
        let bytes = cipher_value(sealed)?;
        if !self.hash.verifies(&self.mac_key, &bytes, &mac) {
            return Err(NO_FIT.into());
        }
        self.cipher.open(&self.key, &bytes).ok_or_else(|| NO_FIT.into())
    }
}

/// Whether the container says that its keys are encrypted.
pub(super) fn declared(container: Node) -> bool {
    ["EncryptionKey", "MACMethod"].iter().any(|name| children(container, name).next().is_some())
}

fn encryption_key(
    container: Node,
    cipher: Cipher,
    given: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let described = child(container, "EncryptionKey")?;
    let derived = described.map(|key| child(key, "DerivedKey")).transpose()?.flatten();
    if let Some(derived) = derived {
        return derived_key(derived, cipher, given);
    }
    if described.is_some_and(|key| key.descendants().any(|node| is(node, "X509Data"))) {
        return Err("its keys are encrypted to a certificate, which is not known here: ask for a \
                    file that is encrypted with a password or a pre-shared key"
            .into());
    }
    let length = cipher.key_length();
    let line = given.trim_ascii();
    let digits = line.len() == 2 * length && line.iter().all(u8::is_ascii_hexdigit);
    match given {
        _ if digits => value::hex(line),
        raw if raw.len() == length => Ok(Zeroizing::new(raw.to_vec())),
        _ if line.len() == length => Ok(Zeroizing::new(line.to_vec())),
        _ => Err(format!(
            "the key file has no key of {length} bytes, neither as they are nor as {} \
             hexadecimal digits",
            2 * length
        )),
    }
}

/// By PBKDF2 (RFC 8018) from a password, whose last line end does not count.
fn derived_key(
    derived: Node,
    cipher: Cipher,
    password: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let method =
        child(derived, "KeyDerivationMethod")?.ok_or("<KeyDerivationMethod> is missing")?;
    let named = attribute(method, "Algorithm").unwrap_or_default();
    if !named.eq_ignore_ascii_case(PBKDF2) {
        return Err(unknown("derivation of a key", named));
    }
    let parameters = child(method, "PBKDF2-params")?.ok_or("<PBKDF2-params> is missing")?;
    let salt = descendant(parameters, &["Salt", "Specified"])?.ok_or("the salt is missing")?;
    let salt = value::base64(text(salt)?.as_bytes()).filter(|salt| salt.len() <= SALT);
    let salt = salt.ok_or("the salt is no base64, or too long")?;
    let number = |name: &str| {
        let number = child_text(parameters, name)?.map(str::parse::<u32>).transpose();
        number.map_err(|_| format!("<{name}> is not a number"))
    };
    let iterations = number("IterationCount")?.filter(|count| (1..=ITERATIONS).contains(count));
    let iterations = iterations.ok_or("<IterationCount> is not a number from 1 to 2000000")?;
    if number("KeyLength")?.is_some_and(|length| length as usize != cipher.key_length()) {
        return Err("<KeyLength> is not that of the cipher".into());
    }
    let prf = child(parameters, "PRF")?.and_then(|prf| attribute(prf, "Algorithm"));
    let hash = match prf {
        None | Some("") => Hash::Sha1,
        Some(named) => Hash::named(named).ok_or_else(|| unknown("PRF", named))?,
    };
    let password = password.strip_suffix(b"\n").unwrap_or(password);
    let password = password.strip_suffix(b"\r").unwrap_or(password);
    Ok(hash.derived(password, &salt, iterations, cipher.key_length()))
}

fn hash(method: Node) -> Result<Hash, Refused> {
    let named = attribute(method, "Algorithm").unwrap_or_default();
    Hash::named(named).ok_or_else(|| unknown("MAC", named))
}

fn cipher(sealed: Node) -> Result<Cipher, Refused> {
    let method = child(sealed, "EncryptionMethod")?.ok_or("<EncryptionMethod> is missing")?;
    let named = attribute(method, "Algorithm").unwrap_or_default();
    Cipher::named(named).ok_or_else(|| unknown("cipher", named))
}

fn cipher_value(sealed: Node) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let node = descendant(sealed, &["CipherData", "CipherValue"])?;
    let node = node.ok_or("<CipherValue> is missing")?;
    value::base64(text(node)?.as_bytes()).ok_or_else(|| "a <CipherValue> is no base64".into())
}

fn unknown(what: &str, named: &str) -> Refused {
    format!("its {what} \"{}\" is not known here", escaped(named))
}
