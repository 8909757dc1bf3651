//! One unambiguous sequence of bytes for a sequence of fields: every field is preceded by its
//! length, so that no two different sequences of fields have the same bytes.

/// The bytes of the fields appended so far.
pub(super) struct Canonical(Vec<u8>);

impl Canonical {
    /// Starts with `domain`, which keeps what is authenticated for one purpose out of another.
    pub(super) fn new(domain: &str) -> Self {
        Self(Vec::with_capacity(512)).text(domain)
    }

    pub(super) fn bytes(mut self, field: &[u8]) -> Self {
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    pub(super) fn text(self, field: &str) -> Self {
        self.bytes(field.as_bytes())
    }

    pub(super) fn number(self, field: i64) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// `None` is the empty field: no number and no text that is told from `None` is empty.
    pub(super) fn optional(self, field: Option<i64>) -> Self {
        match field {
            Some(number) => self.number(number),
            None => self.bytes(&[]),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Canonical;

    #[test]
    fn different_fields_have_different_bytes() {
        let sequences = [
            Canonical::new("a").text("b").text("c"),
            Canonical::new("a").text("bc").text(""),
            Canonical::new("a").text("").text("bc"),
            Canonical::new("a").text("bc"),
            Canonical::new("ab").text("c"),
            Canonical::new("a").optional(None),
            Canonical::new("a").optional(Some(0)),
            Canonical::new("a").optional(None).optional(Some(0)),
            Canonical::new("a").optional(Some(0)).optional(None),
        ];
        let encoded: std::collections::HashSet<_> =
            sequences.into_iter().map(Canonical::finish).collect();
        assert_eq!(encoded.len(), 9);
    }
}
