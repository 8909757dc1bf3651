//! XML as far as PSKC needs it. Nothing is ever expanded or fetched: a file with a DTD is refused.
//! Names of elements and attributes are compared without their namespaces and their case, because
//! programs disagree on both (and RFC 6030's own figure 7 leaves namespaces out).

use std::collections::BTreeSet;

use otp_core::account::escaped;
use roxmltree::{Document, Error, Node, ParsingOptions};
use zeroize::Zeroizing;

use crate::import::{
    Reject,
    value::{Refused, refused},
};

/// Most nodes that are read: an eighth of the longest file's bytes.
const NODES: u32 = 8 * 1024 * 1024;
/// Most prefixes of namespaces in a file.
const PREFIXES: usize = 32;
/// Most quotation marks between two `<`: two for each attribute of an element.
const QUOTES: usize = 128;

/// The text with the line ends that XML has, so that the parser need not copy what is secret.
pub(super) fn with_line_ends(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    text.split("\r\n").enumerate().for_each(|(number, piece)| {
        if number > 0 {
            plain.push('\n');
        }
        plain.push_str(piece);
    });
    plain
}

/// Reads a document. What it says is never repeated in an error, only where it is wrong.
pub(super) fn parsed(text: &str) -> Result<Document<'_>, Reject> {
    bounded(text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, entity_resolver: None };
    Document::parse_with_options(text, options).map_err(|error| match error {
        Error::DtdDetected => {
            refused("it has a DTD (<!DOCTYPE …>), which is never read: remove it")
        }
        Error::NodesLimitReached => refused("it has too many elements: split it"),
        error => {
            let position = error.pos();
            refused(format!("it is no XML (line {}, column {})", position.row, position.col))
        }
    })
}

/// Refuses what would take the parser more than linear time.
fn bounded(text: &str) -> Result<(), Reject> {
    let declared = text.split("xmlns:").skip(1).map(|rest| {
        let end = rest.find(|c: char| c == '=' || c.is_ascii_whitespace());
        rest.get(..end.unwrap_or(rest.len()).min(64)).unwrap_or_default()
    });
    let mut prefixes = BTreeSet::new();
    for prefix in declared {
        prefixes.insert(prefix);
        if prefixes.len() > PREFIXES {
            return Err(refused("it has too many namespaces to be PSKC"));
        }
    }
    let mut quotes = 0;
    for byte in text.bytes() {
        quotes = match byte {
            b'<' => 0,
            b'"' | b'\'' => quotes + 1,
            _ => quotes,
        };
        if quotes > QUOTES {
            return Err(refused("it has an element with too many attributes to be PSKC"));
        }
    }
    Ok(())
}

/// Whether the element has this name.
pub(super) fn is(node: Node, name: &str) -> bool {
    node.is_element() && node.tag_name().name().eq_ignore_ascii_case(name)
}

/// The children of this name.
pub(super) fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| is(*child, name))
}

/// The only child of this name.
pub(super) fn child<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &str,
) -> Result<Option<Node<'a, 'input>>, Refused> {
    let mut children = children(node, name);
    match (children.next(), children.next()) {
        (child, None) => Ok(child),
        _ => Err(format!("<{name}> is there twice")),
    }
}

/// The child at the end of a path of names.
pub(super) fn descendant<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    path: &[&str],
) -> Result<Option<Node<'a, 'input>>, Refused> {
    path.iter().try_fold(Some(node), |node, name| match node {
        Some(node) => child(node, name),
        None => Ok(None),
    })
}

/// All that an element says, which has no children but one text.
pub(super) fn text<'a>(node: Node<'a, '_>) -> Result<&'a str, Refused> {
    let mut children = node.children();
    match (children.next(), children.next()) {
        (None, _) => Ok(""),
        (Some(only), None) if only.is_text() => Ok(only.text().unwrap_or_default().trim()),
        _ => {
            let name = node.tag_name().name();
            Err(format!("<{}> is not one text", escaped(name)))
        }
    }
}

/// What the child of this name says; `None` where it is missing or empty.
pub(super) fn child_text<'a>(node: Node<'a, '_>, name: &str) -> Result<Option<&'a str>, Refused> {
    let Some(child) = child(node, name)? else { return Ok(None) };
    text(child).map(|text| Some(text).filter(|text| !text.is_empty()))
}

/// The value of an attribute.
pub(super) fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut attributes = node.attributes();
    attributes.find(|found| found.name().eq_ignore_ascii_case(name)).map(|found| found.value())
}
