//! An entry as somebody wrote it: tidy text by field, nothing judged yet.

use std::collections::BTreeMap;

use crate::field::Field;
use crate::kind::Kind;
use crate::sensitive::Sensitive;
use crate::text;

/// The longest text of one field, in bytes. Longer text is cut one byte past this bound, which validation then reports;
/// the whole text stays where it was written.
pub const FIELD_BYTES_MAX: usize = 4_000;

/// An entry as it was written: for each field that says something, its tidy text (NFC, no stray white space).
///
/// A draft has no empty fields, so "absent" and "blank" are one thing, and fields are in the order of their codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    kind: Kind,
    values: BTreeMap<Field, Sensitive<String>>,
}

impl Draft {
    /// An entry that says nothing yet.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self { kind, values: BTreeMap::new() }
    }

    /// The kind of event.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes a field; blank text clears it.
    pub fn set(&mut self, field: Field, value: &str) {
        let mut tidy = text::tidy(cut(value, FIELD_BYTES_MAX * 4));
        if tidy.len() > FIELD_BYTES_MAX {
            let end = cut(&tidy, FIELD_BYTES_MAX + 4).len();
            tidy.truncate(end);
        }
        if tidy.is_empty() {
            self.values.remove(&field);
        } else {
            self.values.insert(field, Sensitive::new(tidy));
        }
    }

    /// The same draft with a field written, for building examples.
    #[must_use]
    pub fn with(mut self, field: Field, value: &str) -> Self {
        self.set(field, value);
        self
    }

    /// What a field says.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&str> {
        self.values.get(&field).map(|value| value.expose().as_str())
    }

    /// Every field that says something, in the order of codes.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &str)> {
        self.values.iter().map(|(field, value)| (*field, value.expose().as_str()))
    }

    /// How many fields say something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no field says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// The longest prefix of at most `bytes_max` bytes that ends between characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::field::{Attribute, Role};

    const NAME: Field = Field::new(Role::Child, Attribute::Name);

    #[test]
    fn blank_is_absent_and_text_is_tidy() {
        let draft = Draft::new(Kind::Birth).with(NAME, "  Nguyễn   Văn Hùng ");
        assert_eq!(draft.get(NAME), Some("Nguyễn Văn Hùng"));
        assert!(draft.with(NAME, " \t").is_empty());
    }

    #[test]
    fn a_forty_megabyte_cell_is_bounded_and_still_seen_to_be_too_long() {
        let draft = Draft::new(Kind::Birth).with(NAME, &"ễ".repeat(13_000_000));
        let kept = draft.get(NAME).unwrap().len();
        assert!(kept > FIELD_BYTES_MAX && kept <= FIELD_BYTES_MAX + 4, "{kept}");
    }
}
