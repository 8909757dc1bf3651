//! otpauth URIs: how a secret gets into an authenticator app, and from another one to us
//! (the Key URI format of Google Authenticator).

use std::{collections::BTreeMap, ops::RangeInclusive};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::{
    account::check_text,
    base32,
    code::{FEWEST, MOST},
    error::Error,
    secret::Secret,
    token::{Algorithm, Factor, Token},
};

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const SCHEME: &str = "otpauth://";
/// Longest URI that is read, in bytes.
const LONGEST: usize = 2048;

/// What a URI says. The caller chooses the id, the method and the label.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Who issued it, if it says so.
    pub issuer: Option<String>,
    /// Whose account it is for; may be empty.
    pub account: String,
    /// Time or counter.
    pub factor: Factor,
    /// Hash function.
    pub algorithm: Algorithm,
    /// Length of a code, 4–8.
    pub digits: u8,
    /// The shared secret.
    pub secret: Secret,
    /// HOTP: the counter of the next code. TOTP: 0.
    pub counter: u64,
}

/// How much a URI says of a token. Apps read all three alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything, defaults as well.
    Full,
    /// Without the algorithm, the digits and the period that every app takes where none is given:
    /// SHA1, 6 digits, 30 s.
    Short,
    /// Like [`Detail::Short`], and the issuer once instead of twice.
    Shortest,
}

/// The URI that gives `token` to an app: spaces are `%20`, never `+`; colons are dropped from
/// issuer and account, where they separate the two. An empty issuer is left out.
///
/// # Errors
/// [`Error::Uri`] for a token that no URI can tell: T0 is not 0, or the period is not a whole
/// number of seconds.
pub fn provisioning(
    token: &Token,
    issuer: &str,
    account: &str,
) -> Result<Zeroizing<String>, Error> {
    spelled(token, issuer, account, Detail::Full)
}

/// [`provisioning`] with less detail, for where there is little room.
///
/// # Errors
/// As [`provisioning`].
pub fn spelled(
    token: &Token,
    issuer: &str,
    account: &str,
    detail: Detail,
) -> Result<Zeroizing<String>, Error> {
    let (kind, moving, value) = moving(token.factor, token.next)?;
    let algorithm = algorithm(token.algorithm);
    let encoded = |text: &str| utf8_percent_encode(&plain(text), RESERVED).to_string();
    let (issuer, account) = (encoded(issuer), encoded(account));
    let secret = base32::encode(token.secret.expose());
    let fixed = 128;
    let length = fixed + 2 * issuer.len() + account.len() + secret.len();
    let mut uri = Zeroizing::new(String::with_capacity(length));
    let mut push = |pieces: &[&str]| pieces.iter().for_each(|piece| uri.push_str(piece));
    push(&[SCHEME, kind, "/"]);
    if !issuer.is_empty() && detail != Detail::Shortest {
        push(&[&issuer, ":"]);
    }
    push(&[&account, "?secret=", &secret]);
    if !issuer.is_empty() {
        push(&["&issuer=", &issuer]);
    }
    let all = detail == Detail::Full;
    if all || token.algorithm != Algorithm::Sha1 {
        push(&["&algorithm=", algorithm]);
    }
    if all || token.digits != 6 {
        push(&["&digits=", &token.digits.to_string()]);
    }
    if all || moving != "period" || value != 30 {
        push(&["&", moving, "=", &value.to_string()]);
    }
    Ok(uri)
}

/// Whether a URI can tell of tokens of this kind; a counter's is always there, apps ask for it.
///
/// # Errors
/// As [`provisioning`].
pub fn check(factor: Factor) -> Result<(), Error> {
    moving(factor, 0).map(drop)
}

/// The type, and the parameter that moves the code on.
fn moving(factor: Factor, next: u64) -> Result<(&'static str, &'static str, u64), Error> {
    match factor {
        Factor::Hotp => Ok(("hotp", "counter", next)),
        Factor::Totp { t0_ms: 0, period_ms } if period_ms > 0 && period_ms % 1000 == 0 => {
            Ok(("totp", "period", period_ms / 1000))
        }
        Factor::OutOfBand(_) => Err(Error::Uri("codes that are delivered have none")),
        Factor::Totp { .. } => {
            Err(Error::Uri("T0 must be 0 and the period a whole number of seconds"))
        }
    }
}

/// The algorithm as a URI names it.
#[must_use]
pub fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha1 => "SHA1",
        Algorithm::Sha256 => "SHA256",
        Algorithm::Sha512 => "SHA512",
    }
}

/// An issuer or an account as a URI tells it: without the colon that separates the two.
#[must_use]
pub fn plain(name: &str) -> String {
    name.replace(':', "")
}

/// Reads a URI of another program: upper and lower case are the same in the scheme, type and
/// algorithm; the secret may have lower case, spaces, dashes and padding; parameters that are not
/// known are ignored. Defaults: SHA1, 6 digits, 30 s.
///
/// # Errors
/// [`Error::Uri`] for what is missing, given twice or out of range, [`Error::Base32`] and
/// [`Error::SecretLength`] for the secret, [`Error::Text`] for names that are too long.
pub fn parse(uri: &str) -> Result<Parsed, Error> {
    let (_, rest) = uri
        .split_at_checked(SCHEME.len())
        .filter(|(scheme, _)| uri.len() <= LONGEST && scheme.eq_ignore_ascii_case(SCHEME))
        .ok_or(Error::Uri("it begins with otpauth:// and has at most 2048 bytes"))?;
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, label) = path.split_once('/').unwrap_or((path, ""));
    let parameters = parameters(query)?;
    let parameter = |name| parameters.get(name).map(|value| value.as_str());
    let number = |name, range, refusal| number(parameter(name), range, refusal);

    let (factor, counter) = match kind.to_ascii_lowercase().as_str() {
        "totp" => {
            let period = number("period", 1..=86_400, "the period is 1 to 86400 seconds")?;
            let period_ms = period.unwrap_or(30) * 1000;
            (Factor::Totp { t0_ms: 0, period_ms }, 0)
        }
        "hotp" => {
            let counter = number("counter", 0..=u64::MAX - 1, "the counter is a number")?;
            (Factor::Hotp, counter.ok_or(Error::Uri("hotp needs the counter"))?)
        }
        _ => return Err(Error::Uri("the type is totp or hotp")),
    };
    let algorithm = match parameter("algorithm").map(str::to_ascii_uppercase).as_deref() {
        None | Some("SHA1") => Algorithm::Sha1,
        Some("SHA256") => Algorithm::Sha256,
        Some("SHA512") => Algorithm::Sha512,
        Some(_) => return Err(Error::Uri("the algorithm is SHA1, SHA256 or SHA512")),
    };
    let range = u64::from(FEWEST)..=u64::from(MOST);
    let digits = number("digits", range, "a code has 4 to 8 digits")?.unwrap_or(6) as u8;
    let secret = parameter("secret").ok_or(Error::Uri("the secret is missing"))?;
    let secret = Secret::new(base32::decode(secret)?)?;

    let label = decoded(label)?;
    let (prefix, account) = label.split_once(':').unwrap_or(("", &label));
    let (prefix, account) = (prefix.trim(), account.trim().to_owned());
    let issuer = parameter("issuer").unwrap_or(prefix).to_owned();
    check_text(&issuer)?;
    check_text(&account)?;
    let issuer = Some(issuer).filter(|issuer| !issuer.is_empty());
    Ok(Parsed { issuer, account, factor, algorithm, digits, secret, counter })
}

/// The query's parameters, each at most once; a '+' in a value is a space.
fn parameters(query: &str) -> Result<BTreeMap<String, Zeroizing<String>>, Error> {
    let mut parameters = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(&Zeroizing::new(value.replace('+', " ")))?;
        if parameters.insert(name.to_ascii_lowercase(), value).is_some() {
            return Err(Error::Uri("a parameter is given twice"));
        }
    }
    Ok(parameters)
}

fn decoded(text: &str) -> Result<Zeroizing<String>, Error> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(|text| Zeroizing::new(text.into_owned())).map_err(|_| Error::Uri("it is not UTF-8"))
}

/// A number without sign in the range; `None` where the parameter is absent.
fn number(
    text: Option<&str>,
    range: RangeInclusive<u64>,
    refusal: &'static str,
) -> Result<Option<u64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let value = text.parse().ok().filter(|value| !text.starts_with('+') && range.contains(value));
    value.map(Some).ok_or(Error::Uri(refusal))
}
