//! What an entry holds.

use std::collections::HashMap;

use ldap3::ResultEntry;

/// An entry that was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Its distinguished name.
    pub(super) dn: String,
    /// Values by the attribute's name in lower case.
    values: HashMap<String, Vec<String>>,
}

impl Found {
    /// Reads an entry; `None` for what is none, as a server that is broken or hostile sends. A
    /// value that is not UTF-8 is left out.
    pub(super) fn read(entry: ResultEntry) -> Option<Self> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let mut parts = entry.0.match_id(4)?.expect_constructed()?.into_iter();
        let dn = text(parts.next()?.expect_primitive()?)?;
        let mut values = HashMap::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = text(parts.next()?.expect_primitive()?)?;
            let list = parts.next()?.expect_constructed()?.into_iter();
            let list = list.filter_map(|value| text(value.expect_primitive()?)).collect();
            values.insert(name.to_lowercase(), list);
        }
        Some(Self { dn, values })
    }

    /// The values of an attribute, whose name has no case.
    pub(super) fn values(&self, attribute: &str) -> impl Iterator<Item = &str> + use<'_> {
        let list = self.values.get(&attribute.to_lowercase());
        list.into_iter().flatten().map(String::as_str)
    }

    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        let mut found = Self::default();
        for (name, value) in pairs {
            found.values.entry(name.to_lowercase()).or_default().push((*value).to_owned());
        }
        found
    }
}

/// The name of a group: the first part of a distinguished name (RFC 4514), or the value itself.
pub(super) fn common_name(value: &str) -> String {
    let Some((kind, rest)) = value.split_once('=') else { return value.to_owned() };
    if kind.is_empty() || !kind.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    {
        return value.to_owned();
    }
    let (mut bytes, mut chars) = (Vec::new(), rest.bytes().peekable());
    while let Some(byte) = chars.next() {
        match byte {
            b',' | b'+' => break,
            b'\\' => {
                let Some(next) = chars.next() else { break };
                let pair = [Some(next), chars.peek().copied()].map(|digit| digit.and_then(hex));
                if let [Some(high), Some(low)] = pair {
                    chars.next();
                    bytes.push(high << 4 | low);
                } else {
                    bytes.push(next);
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
