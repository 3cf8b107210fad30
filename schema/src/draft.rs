//! An entry as somebody wrote it: tidy text by field, nothing judged yet.

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
    /// In the order of their codes.
    values: Vec<(Field, Sensitive<String>)>,
}

impl Draft {
    /// An entry that says nothing yet.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self { kind, values: Vec::new() }
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
        match (self.place(field), tidy.is_empty()) {
            (Ok(at), true) => drop(self.values.remove(at)),
            (Ok(at), false) => self.values[at].1 = Sensitive::new(tidy),
            (Err(_), true) => {}
            (Err(at), false) => self.values.insert(at, (field, Sensitive::new(tidy))),
        }
    }

    /// Writes the next field of canonical bytes, which comes behind those before. Nothing is written, and the answer is
    /// false, where the text is not what [`Draft::set`] would make of it.
    pub(crate) fn append(&mut self, field: Field, value: &str) -> bool {
        let is_kept = !value.is_empty() && value.len() <= FIELD_BYTES_MAX + 4 && text::is_tidy(value);
        if is_kept {
            debug_assert!(self.values.last().is_none_or(|(last, _)| *last < field), "fields come in order");
            self.values.push((field, Sensitive::new(value.to_owned())));
        }
        is_kept
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
        self.place(field).ok().map(|at| self.values[at].1.expose().as_str())
    }

    /// Every field that says something, in the order of codes.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &str)> {
        self.values.iter().map(|(field, value)| (*field, value.expose().as_str()))
    }

    /// Where a field stands, or would.
    fn place(&self, field: Field) -> Result<usize, usize> {
        self.values.binary_search_by_key(&field, |(other, _)| *other)
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
