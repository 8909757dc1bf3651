//! One key of a container and the device that it is in.

use otp_core::{
    account::escaped,
    resync::REACH,
    token::{Algorithm, Factor},
};
use roxmltree::Node;
use zeroize::Zeroizing;

use super::{
    protection::Protection,
    xml::{attribute, child, child_text, children, descendant},
};
use crate::import::{
    Circumstances, Row, key,
    value::{self, Refused, Seed},
};

/// What `Policy` may hold. A key with another rule must not be used (RFC 6030 section 5).
const RULES: [&str; 5] =
    ["StartDate", "ExpiryDate", "PINPolicy", "KeyUsage", "NumberOfTransactions"];

/// The name of the key's algorithm behind its namespace, in lower case.
fn algorithm(key: Node) -> String {
    let named = attribute(key, "Algorithm").unwrap_or_default();
    named.rsplit([':', '#']).next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether the key is the PIN of another one.
pub(super) fn is_pin(key: Node) -> bool {
    algorithm(key) == "pin"
}

/// A key, and what it is read with.
pub(super) struct Package<'a, 'input> {
    pub(super) package: Node<'a, 'input>,
    pub(super) key: Node<'a, 'input>,
    /// What opens encrypted values.
    pub(super) protection: Option<&'a Protection>,
    /// Whether the container says that keys are encrypted: a plain one was put there by others.
    pub(super) encrypted: bool,
    pub(super) circumstances: &'a Circumstances,
}

impl<'a> Package<'a, '_> {
    /// Whose it is: the user of the key, or of the device.
    pub(super) fn user(&self) -> Option<String> {
        let of_key = child_text(self.key, "UserId").ok().flatten();
        let of_device = || self.device("UserId").ok().flatten();
        of_key.or_else(of_device).and_then(value::owner)
    }

    fn device(&self, name: &str) -> Result<Option<&'a str>, Refused> {
        let device = child(self.package, "DeviceInfo")?;
        device.map(|device| child_text(device, name)).transpose().map(Option::flatten)
    }

    pub(super) fn row(&self, line: usize) -> Result<Row, Refused> {
        let data = child(self.key, "Data")?.ok_or("<Data> is missing: the file holds no key")?;
        let mut warnings = Vec::new();
        let factor = self.factor(data)?;
        let (hash, digits) = self.parameters(&mut warnings)?;
        let secret = key(self.secret(data)?, &mut warnings)?;
        let seed = Seed { secret, factor, algorithm: hash, digits, warnings: Vec::new() };
        let counter = self.number(data, "Counter")?;
        let counter = counter.map(|counter| {
            let counter = u64::try_from(counter).ok().filter(|counter| *counter < u64::MAX);
            counter.ok_or("<Counter> is out of range")
        });
        let counter = counter.transpose()?;
        let now_ms = self.circumstances.now_ms;
        let mut row = seed.row(line, counter.unwrap_or_default(), now_ms);
        match factor {
            Factor::Totp { period_ms, .. } => {
                row.offset_ms = self.drift(data, period_ms, &mut warnings)?;
                let device_ms = now_ms.saturating_add(row.offset_ms);
                row.next = value::untouched(factor, device_ms).unwrap_or_default();
                // privacyIDEA writes its watermark there.
                row.next = row.next.max(counter.filter(|c| *c <= row.next + REACH).unwrap_or(0));
            }
            _ if counter.is_none() => {
                warnings.push("the file has no counter: 0 is taken, as of a new token".into());
            }
            _ => {}
        }
        self.policy(&mut row, &mut warnings)?;
        let name = child_text(self.key, "FriendlyName")?.or(attribute(self.key, "Id"));
        row.label = self.device("SerialNo")?.or(name).and_then(value::label);
        row.warnings = warnings;
        Ok(row)
    }

    fn factor(&self, data: Node) -> Result<Factor, Refused> {
        match algorithm(self.key).as_str() {
            "hotp" => Ok(Factor::Hotp),
            "totp" => {
                if self.number(data, "Time")?.is_some_and(|time| time != 0) {
                    return Err("it has a <Time> other than 0, which every program reads \
                                differently: enrol the user anew"
                        .into());
                }
                let seconds = self.number(data, "TimeInterval")?.unwrap_or(30);
                value::period(u64::try_from(seconds).unwrap_or_default())
            }
            _ => {
                let named = escaped(attribute(self.key, "Algorithm").unwrap_or_default());
                Err(format!("keys for \"{named}\" are not known here; known: hotp and totp"))
            }
        }
    }

    /// The hash function and the length of a code.
    fn parameters(&self, warnings: &mut Vec<String>) -> Result<(Algorithm, u8), Refused> {
        let parameters = child(self.key, "AlgorithmParameters")?;
        let part = |name| parameters.map(|node| child(node, name)).transpose().map(Option::flatten);
        let suite = match part("Suite")? {
            // An attribute is privacyIDEA's way.
            Some(suite) => attribute(suite, "hashalgo").or(Some(super::xml::text(suite)?)),
            None => None,
        };
        let suite = suite.filter(|suite| !suite.is_empty()).map(value::algorithm).transpose()?;
        let format = part("ResponseFormat")?;
        let of = |name| format.and_then(|format| attribute(format, name));
        let encoding = of("Encoding").unwrap_or("DECIMAL");
        if !encoding.eq_ignore_ascii_case("DECIMAL") {
            return Err(format!("its codes are not digits but \"{}\"", escaped(encoding)));
        }
        let check = of("CheckDigits").or(of("CheckDigit")).unwrap_or("false");
        if !matches!(check.to_ascii_lowercase().as_str(), "false" | "0") {
            return Err("its codes have a check digit, which is not known here".into());
        }
        let digits = match of("Length") {
            Some(length) => {
                length.parse().map_err(|_| "the length of its codes is not a number")?
            }
            None => {
                warnings.push("the file does not tell the length of a code: 6 is taken".into());
                6
            }
        };
        Ok((suite.unwrap_or(Algorithm::Sha1), value::digits(digits)?))
    }

    fn secret(&self, data: Node) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let missing = "the key itself is not in the file: it comes another way (<KeyReference>)";
        let holder = child(data, "Secret")?.ok_or(missing)?;
        match self.value(holder)?.ok_or(missing)? {
            Value::Opened(bytes) => Ok(bytes),
            Value::Plain(_) if self.encrypted => {
                Err("the key is not encrypted, and the file says that keys are".into())
            }
            Value::Plain(text) => {
                value::base64(text.as_bytes()).ok_or_else(|| "the key is no base64".into())
            }
        }
    }

    fn value<'n>(&self, holder: Node<'n, '_>) -> Result<Option<Value<'n>>, Refused> {
        match (child_text(holder, "PlainValue")?, child(holder, "EncryptedValue")?) {
            (None, None) => Ok(None),
            (Some(text), None) => Ok(Some(Value::Plain(text))),
            (None, Some(sealed)) => {
                let protection = self.protection.ok_or("nothing tells how it is encrypted")?;
                protection.open(holder, sealed).map(|bytes| Some(Value::Opened(bytes)))
            }
            (Some(_), Some(_)) => Err("a value is there both plain and encrypted".into()),
        }
    }

    /// A number: decimal digits, or what some programs write in their place.
    fn number(&self, data: Node, name: &str) -> Result<Option<i64>, Refused> {
        let Some(holder) = child(data, name)? else { return Ok(None) };
        let number = match self.value(holder)? {
            None => return Ok(None),
            Some(Value::Opened(bytes)) => number(&bytes),
            Some(Value::Plain(text)) => {
                text.parse().ok().or_else(|| number(&value::base64(text.as_bytes())?))
            }
        };
        number.map(Some).ok_or_else(|| format!("<{name}> is not a number"))
    }

    /// How far the device's clock is ahead, in milliseconds.
    fn drift(
        &self,
        data: Node,
        period_ms: u64,
        warnings: &mut Vec<String>,
    ) -> Result<i64, Refused> {
        let steps = self.number(data, "TimeDrift")?.unwrap_or_default();
        if steps != 0 {
            warnings.push(format!("the device's clock is {steps} time steps ahead, says the file"));
        }
        let offset_ms = i64::try_from(period_ms).ok().and_then(|period| steps.checked_mul(period));
        offset_ms.ok_or_else(|| "<TimeDrift> is out of range".into())
    }

    /// From when until when, and what else limits the key.
    fn policy(&self, row: &mut Row, warnings: &mut Vec<String>) -> Result<(), Refused> {
        let zone = &self.circumstances.zone;
        let moment = |text: Option<&str>| text.map(|text| value::moment(text, zone)).transpose();
        row.from_ms = moment(self.device("StartDate")?)?;
        row.expires_ms = moment(self.device("ExpiryDate")?)?;
        let Some(policy) = child(self.key, "Policy")? else { return Ok(()) };
        row.from_ms = row.from_ms.max(moment(child_text(policy, "StartDate")?)?);
        let end = moment(child_text(policy, "ExpiryDate")?)?;
        row.expires_ms = [row.expires_ms, end].into_iter().flatten().min();
        let known = |node: &Node| RULES.iter().any(|rule| super::xml::is(*node, rule));
        if let Some(other) = policy.children().find(|node| node.is_element() && !known(node)) {
            let name = escaped(other.tag_name().name());
            return Err(format!("its policy has a rule that is not known here: <{name}>"));
        }
        if children(policy, "NumberOfTransactions").next().is_some() {
            return Err("its policy limits how often it is used, which is not done here".into());
        }
        let mut uses = children(policy, "KeyUsage").peekable();
        if uses.peek().is_some() && !uses.any(|usage| super::xml::text(usage) == Ok("OTP")) {
            return Err("its policy does not let it be used for one-time passwords".into());
        }
        if let Some(pin) = descendant(policy, &["PINPolicy"])? {
            let local = attribute(pin, "PINUsageMode").is_some_and(|mode| mode == "Local");
            warnings.push(
                if local {
                    "the device asks for a PIN of its own"
                } else {
                    "its PIN is not taken over: the code alone is enough here"
                }
                .into(),
            );
        }
        Ok(())
    }
}

/// What an element holds.
enum Value<'a> {
    Plain(&'a str),
    Opened(Zeroizing<Vec<u8>>),
}

/// Decimal digits, or 4 or 8 bytes with the highest first.
fn number(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
    text.or_else(|| match bytes.len() {
        4 => Some(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        8 => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    })
}
