//! PSKC (RFC 6030): keys of tokens in XML, plain or encrypted, as vendors, `pskctool` and other
//! servers write them.

mod key;
mod protection;
#[cfg(test)]
pub(super) mod tests;
mod xml;

use std::collections::BTreeSet;

use roxmltree::Node;

use self::{key::Package, protection::Protection};
use super::{
    Circumstances, Contents, Reject, Row,
    value::{self, first_lines, mentions, refused},
};

pub(super) fn recognised(bytes: &[u8]) -> bool {
    first_lines(bytes).next().is_some_and(|line| line.starts_with(b"<"))
        && mentions(bytes.get(..4096).unwrap_or(bytes), b"keycontainer")
}

/// A key without a counter has not been used; of a time-based one all codes count as used that
/// were shown until now. Signatures are not checked: the MACs are.
pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let text = xml::with_line_ends(value::text(bytes)?);
    let document = xml::parsed(&text)?;
    let container = document.root_element();
    if !xml::is(container, "KeyContainer") {
        return Err(refused("it is no PSKC: its element is not <KeyContainer>"));
    }
    if !matches!(xml::attribute(container, "Version"), None | Some("1.0" | "1")) {
        return Err(refused("its version of PSKC is not known here; known: 1.0"));
    }
    let sealed = container.descendants().any(|node| xml::is(node, "EncryptedValue"));
    let encrypted = sealed || protection::declared(container);
    let key = circumstances.key.as_ref().map(|key| key.as_slice());
    let protection = sealed.then(|| Protection::read(container, key)).transpose();
    let protection = protection.map_err(refused)?;
    let pins: BTreeSet<_> =
        container.descendants().filter_map(|node| xml::attribute(node, "PINKeyId")).collect();

    let mut contents = Contents::default();
    let mut lines = Lines { text: &text, line: 1, seen: 0 };
    for package in xml::children(container, "KeyPackage") {
        for key in xml::children(package, "Key") {
            let line = lines.of(key);
            // The PIN of another key, of which that one tells.
            if key::is_pin(key) && xml::attribute(key, "Id").is_some_and(|id| pins.contains(id)) {
                continue;
            }
            let package =
                Package { package, key, protection: protection.as_ref(), encrypted, circumstances };
            let user = package.user();
            match package.row(line) {
                Ok(row) => contents.rows.push(Row { user, ..row }),
                Err(reason) => contents.rejects.push(Reject { line, user, reason }),
            }
        }
    }
    if contents.rows.is_empty() && contents.rejects.is_empty() {
        return Err(refused("it has no key"));
    }
    Ok(contents)
}

/// Where nodes stand, asked for in the order of the text.
struct Lines<'a> {
    text: &'a str,
    line: usize,
    seen: usize,
}

impl Lines<'_> {
    fn of(&mut self, node: Node) -> usize {
        let start = node.range().start;
        let passed = self.text.as_bytes().get(self.seen..start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.seen = start;
        self.line
    }
}
