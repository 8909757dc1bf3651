//! PSKC (RFC 6030) with encrypted keys and their MACs, under a pre-shared key (figure 6) or a
//! passphrase (figure 7).

use std::fmt::Write as _;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use jiff::Timestamp;
use otp_core::{
    token::{Algorithm, Factor, Token},
    uri,
};
use zeroize::Zeroizing;

use super::{LeftOut, Writer};
use crate::pskc::{BLOCK, Cipher, DS, Hash, NAMESPACE, PBKDF2, PKCS5, XENC, XENC11};

/// The one that every implementation has (RFC 6030 section 6.1).
const CIPHER: Cipher = Cipher::Aes128;
/// As [`CIPHER`].
const MAC: Hash = Hash::Sha1;
/// Length of the MACs' key in bytes: that of the hash.
const MAC_KEY: usize = 20;
/// Length of the salt in bytes.
const SALT: usize = 16;
/// Iterations of PBKDF2. Its function is that of RFC 8018's default, which all programs have.
const ITERATIONS: u32 = 600_000;
/// Shortest passphrase in bytes: whoever has the file may try for years.
const SHORTEST: usize = 12;

/// A container that is being written.
pub(super) struct Container {
    issuer: String,
    key: Zeroizing<Vec<u8>>,
    mac_key: Zeroizing<[u8; MAC_KEY]>,
    /// What is written already.
    text: String,
}

impl Container {
    /// With `key` as the key, if it is 32 hexadecimal digits or 16 bytes that are no text, else as
    /// the passphrase.
    pub(super) fn new(issuer: String, key: &[u8]) -> Result<Self, String> {
        let (key, description) = encryption_key(key)?;
        let mut mac_key = Zeroizing::new([0; MAC_KEY]);
        random(mac_key.as_mut_slice())?;
        let sealed = BASE64.encode(&sealed(&key, mac_key.as_slice())?);
        let (cipher, mac) = (CIPHER.name(), MAC.name());
        let text = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<KeyContainer Version="1.0"
    xmlns="{NAMESPACE}"
    xmlns:ds="{DS}"
    xmlns:xenc="{XENC}"
    xmlns:xenc11="{XENC11}"
    xmlns:pkcs5="{PKCS5}">
  <EncryptionKey>
{description}
  </EncryptionKey>
  <MACMethod Algorithm="{mac}">
    <MACKey>
      <xenc:EncryptionMethod Algorithm="{cipher}"/>
      <xenc:CipherData>
        <xenc:CipherValue>{sealed}</xenc:CipherValue>
      </xenc:CipherData>
    </MACKey>
  </MACMethod>
"#
        );
        Ok(Self { issuer, key, mac_key, text })
    }
}

impl Writer for Container {
    fn add(&mut self, user: &str, token: &Token) -> Result<(), LeftOut> {
        let kind = match token.factor {
            Factor::Hotp => "hotp",
            factor => {
                uri::check(factor).map_err(|_| "T0 is not 0, or the period no whole seconds")?;
                "totp"
            }
        };
        let secret = sealed(&self.key, token.secret.expose())?;
        let mac = BASE64.encode(&MAC.mac(self.mac_key.as_slice(), &secret));
        let (secret, cipher, digits) = (BASE64.encode(&secret), CIPHER.name(), token.digits);
        let (id, issuer, label) = (&token.id, escaped(&self.issuer), escaped(&token.label));
        let user = escaped(&format!("UID={}", dn_value(user)));
        let (suite, moving, policy) = (suite(token.algorithm), moving(token), policy(token)?);
        let _ = write!(
            self.text,
            r#"  <KeyPackage>
    <DeviceInfo>
      <SerialNo>{id}</SerialNo>
    </DeviceInfo>
    <Key Id="{id}" Algorithm="{NAMESPACE}:{kind}">
      <Issuer>{issuer}</Issuer>
      <AlgorithmParameters>{suite}
        <ResponseFormat Length="{digits}" Encoding="DECIMAL"/>
      </AlgorithmParameters>
      <FriendlyName>{label}</FriendlyName>
      <Data>
        <Secret>
          <EncryptedValue>
            <xenc:EncryptionMethod Algorithm="{cipher}"/>
            <xenc:CipherData>
              <xenc:CipherValue>{secret}</xenc:CipherValue>
            </xenc:CipherData>
          </EncryptedValue>
          <ValueMAC>{mac}</ValueMAC>
        </Secret>{moving}
      </Data>
      <UserId>{user}</UserId>
      <Policy>{policy}
        <KeyUsage>OTP</KeyUsage>
      </Policy>
    </Key>
  </KeyPackage>
"#
        );
        Ok(())
    }

    fn finish(self: Box<Self>) -> Zeroizing<Vec<u8>> {
        let mut text = self.text;
        text.push_str("</KeyContainer>\n");
        Zeroizing::new(text.into_bytes())
    }
}

/// The key, and what the container says of it.
fn encryption_key(given: &[u8]) -> Result<(Zeroizing<Vec<u8>>, String), String> {
    let line = given.trim_ascii();
    let pre_shared = "    <ds:KeyName>Pre-shared-key</ds:KeyName>".to_owned();
    if line.len() == 2 * CIPHER.key_length() && line.iter().all(u8::is_ascii_hexdigit) {
        let mut key = Zeroizing::new(vec![0; CIPHER.key_length()]);
        let decoded = HEXLOWER_PERMISSIVE.decode_mut(line, &mut key);
        decoded.map_err(|_| "the key file has no hexadecimal digits")?;
        return Ok((key, pre_shared));
    }
    let text = std::str::from_utf8(line).is_ok_and(|text| !text.contains(char::is_control));
    if given.len() == CIPHER.key_length() && !text {
        return Ok((Zeroizing::new(given.to_vec()), pre_shared));
    }
    let passphrase = given.strip_suffix(b"\n").unwrap_or(given);
    let passphrase = passphrase.strip_suffix(b"\r").unwrap_or(passphrase);
    if !text || passphrase.len() < SHORTEST {
        return Err(format!(
            "the key file has neither a passphrase of at least {SHORTEST} characters nor a key of \
             32 hexadecimal digits"
        ));
    }
    let mut salt = [0; SALT];
    random(&mut salt)?;
    let length = CIPHER.key_length();
    let key = Hash::Sha1.derived(passphrase, &salt, ITERATIONS, length);
    let salt = BASE64.encode(&salt);
    let description = format!(
        r#"    <xenc11:DerivedKey>
      <xenc11:KeyDerivationMethod Algorithm="{PBKDF2}">
        <pkcs5:PBKDF2-params>
          <Salt xmlns="">
            <Specified>{salt}</Specified>
          </Salt>
          <IterationCount xmlns="">{ITERATIONS}</IterationCount>
          <KeyLength xmlns="">{length}</KeyLength>
        </pkcs5:PBKDF2-params>
      </xenc11:KeyDerivationMethod>
      <xenc11:MasterKeyName>Passphrase</xenc11:MasterKeyName>
    </xenc11:DerivedKey>"#
    );
    Ok((key, description))
}

fn random(bytes: &mut [u8]) -> Result<(), String> {
    getrandom::fill(bytes).map_err(|error| format!("no random bytes: {error}"))
}

fn sealed(key: &[u8], plain: &[u8]) -> Result<Vec<u8>, String> {
    let mut vector = [0; BLOCK];
    random(&mut vector)?;
    CIPHER.seal(key, &vector, plain).map_err(|error| error.to_string())
}

/// The hash function, where it is not the one that is meant where none is named.
fn suite(algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Sha1 => String::new(),
        other => format!("\n        <Suite>HMAC-{}</Suite>", uri::algorithm(other)),
    }
}

/// What moves the code on; RFC 6030 has a counter's next value and a clock's drift in steps.
fn moving(token: &Token) -> String {
    let mut data = String::new();
    let mut value = |name: &str, value: i128| {
        let _ = write!(
            data,
            "\n        <{name}>\n          <PlainValue>{value}</PlainValue>\n        </{name}>"
        );
    };
    match token.factor {
        Factor::Totp { period_ms, .. } => {
            value("TimeInterval", i128::from(period_ms / 1000));
            let period = i128::from(period_ms.max(1));
            let half = period / 2 * i128::from(token.offset_ms.signum());
            let drift = (i128::from(token.offset_ms) + half) / period;
            if drift != 0 {
                value("TimeDrift", drift);
            }
        }
        _ => value("Counter", token.next.into()),
    }
    data
}

fn policy(token: &Token) -> Result<String, LeftOut> {
    let Some(end) = token.expires_ms else { return Ok(String::new()) };
    let end = Timestamp::from_millisecond(end).map_err(|_| "it ends out of all time")?;
    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ");
    Ok(format!("\n        <ExpiryDate>{end}</ExpiryDate>"))
}

/// A value in a distinguished name (RFC 4514 section 2.4).
fn dn_value(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (place, c) in text.chars().enumerate() {
        let end = c == ' ' && (place == 0 || place == last) || c == '#' && place == 0;
        if end || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            value.push('\\');
        }
        value.push(c);
    }
    value
}

/// A text in XML, without the characters that XML does not have.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}
