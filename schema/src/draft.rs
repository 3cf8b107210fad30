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
    /// In the order of their codes, each with the end of its text.
    fields: Vec<(Field, u32)>,
    /// One text behind the other: a country is read field by field, and memory for each would cost more than reading it.
    texts: Sensitive<String>,
}

impl Draft {
    /// An entry that says nothing yet.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self { kind, fields: Vec::new(), texts: Sensitive::new(String::new()) }
    }

    /// The same, with room for so many fields of so many bytes together.
    pub(crate) fn with_room(kind: Kind, fields: usize, bytes: usize) -> Self {
        Self { kind, fields: Vec::with_capacity(fields), texts: Sensitive::new(String::with_capacity(bytes)) }
    }

    /// The kind of event.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes a field; blank text clears it.
    pub fn set(&mut self, field: Field, value: &str) {
        let is_last = self.fields.last().is_none_or(|(last, _)| *last < field);
        if is_last && self.append(field, value) {
            return;
        }
        let tidy = text::tidied(cut(value, FIELD_BYTES_MAX * 4));
        let tidy = cut(&tidy, FIELD_BYTES_MAX + 4);
        let at = match (self.place(field), tidy.is_empty()) {
            (Err(_), true) => return,
            (Ok(at), _) => at,
            (Err(at), false) => {
                self.fields.insert(at, (field, self.begin(at)));
                at
            }
        };
        let (begin, end) = (self.begin(at), self.fields[at].1);
        self.texts.expose_mut().replace_range(begin as usize..end as usize, tidy);
        let moved = begin + length(tidy);
        self.fields[at..].iter_mut().for_each(|(_, other)| *other = *other - end + moved);
        if tidy.is_empty() {
            self.fields.remove(at);
        }
    }

    /// Writes a field that comes behind those before, as it does in canonical bytes. Nothing is written, and the answer is
    /// false, where the text is not what [`Draft::set`] would make of it.
    pub(crate) fn append(&mut self, field: Field, value: &str) -> bool {
        let is_kept = !value.is_empty() && value.len() <= FIELD_BYTES_MAX + 4 && text::is_tidy(value);
        if is_kept {
            debug_assert!(self.fields.last().is_none_or(|(last, _)| *last < field), "fields come in order");
            self.texts.expose_mut().push_str(value);
            self.fields.push((field, length(self.texts.expose())));
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
        self.place(field).ok().map(|at| self.text(at))
    }

    /// Every field that says something, in the order of codes.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &str)> {
        self.fields.iter().enumerate().map(|(at, (field, _))| (*field, self.text(at)))
    }

    /// How many fields say something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether no field says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Where a field stands, or would.
    fn place(&self, field: Field) -> Result<usize, usize> {
        self.fields.binary_search_by_key(&field, |(other, _)| *other)
    }

    /// Where a field's text begins: at the end of the one before.
    fn begin(&self, at: usize) -> u32 {
        at.checked_sub(1).map_or(0, |before| self.fields[before].1)
    }

    fn text(&self, at: usize) -> &str {
        &self.texts.expose()[self.begin(at) as usize..self.fields[at].1 as usize]
    }
}

/// The bytes of a text: of 65,536 fields, each at its longest, 262 MB.
fn length(text: &str) -> u32 {
    u32::try_from(text.len()).expect("codes of fields have two bytes, and each text a bound")
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

    /// What a draft says after some writing, and what a plain table says.
    fn check(writes: &[(u16, &str)]) {
        let (mut draft, mut table) = (Draft::new(Kind::Birth), std::collections::BTreeMap::new());
        for (code, value) in writes {
            draft.set(Field::from_code(*code), value);
            table.insert(Field::from_code(*code), *value);
            table.retain(|_, value| !value.is_empty());
            assert!(draft.iter().eq(table.iter().map(|(field, value)| (*field, *value))), "{writes:?}");
            assert_eq!((draft.len(), draft.is_empty()), (table.len(), table.is_empty()));
            assert!(table.iter().all(|(field, value)| draft.get(*field) == Some(*value)));
        }
    }

    #[test]
    fn fields_are_written_over_cleared_and_put_between_others() {
        check(&[
            (5, "năm"),
            (3, "ba"),
            (9, "chín"),
            (5, "nam"),
            (3, ""),
            (4, "bốn"),
            (9, ""),
            (9, ""),
            (4, ""),
            (5, ""),
        ]);
    }

    proptest::proptest! {
        #[test]
        fn a_draft_is_a_table(writes in proptest::collection::vec((0_u16..9, "(|[aễ]{1,9})"), 0..30)) {
            check(&writes.iter().map(|(code, value)| (*code, value.as_str())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_forty_megabyte_cell_is_bounded_and_still_seen_to_be_too_long() {
        let draft = Draft::new(Kind::Birth).with(NAME, &"ễ".repeat(13_000_000));
        let kept = draft.get(NAME).unwrap().len();
        assert!(kept > FIELD_BYTES_MAX && kept <= FIELD_BYTES_MAX + 4, "{kept}");
    }
}
