//! The name of a person, read once and kept in the three forms that matching and people need.

use std::borrow::Cow;

use crate::sensitive::Sensitive;
use crate::text;
use unicode_normalization::char::is_combining_mark;

/// The longest name accepted, in characters. The longest lawful names on record stay below a hundred; a longer text is
/// a whole cell or file that landed in the wrong column.
pub const NAME_CHARS_MAX: usize = 200;

/// Hyphens, dots and middle dots that stand in names of every origin, as in `Y-Ban`, `Jr.`, `Ana·Maria`.
const JOINERS: [char; 7] = ['-', '.', '·', '‐', '‑', '–', '・'];

/// A person's full name: tidy text of 1 to 200 characters with at least one letter, and nothing in it but letters and
/// their marks, spaces, apostrophes, hyphens and dots.
///
/// Names of any script are accepted, since foreign parents and spouses stand in the books too. `Debug` shows nothing
/// of the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName {
    written: Sensitive<Box<str>>,
    canonical: Sensitive<Box<str>>,
    folded: Sensitive<Box<str>>,
}

/// Why a text is not a name. No variant holds any part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but white space was given.
    #[error("the name is empty; write it as it stands in the book")]
    Empty,
    /// More than [`NAME_CHARS_MAX`] characters.
    #[error("the name has {chars} characters, more than {NAME_CHARS_MAX}; check the column")]
    TooLong {
        /// How many characters the tidy text has.
        chars: usize,
    },
    /// Only punctuation.
    #[error("the name has no letter; write it as it stands in the book")]
    NoLetter,
    /// A digit, a bracket or another character that no name has.
    #[error("character {position} of the name is not a letter, space, apostrophe, hyphen or dot")]
    ForbiddenCharacter {
        /// Where it stands in the tidy text, counted from 1.
        position: usize,
    },
}

impl NameError {
    /// The same message in Vietnamese, for the clerk who mends the entry.
    pub fn vietnamese(&self) -> String {
        match self {
            Self::Empty => "họ tên để trống; ghi đúng như trong sổ".into(),
            Self::TooLong { chars } => {
                format!("họ tên dài {chars} ký tự, quá {NAME_CHARS_MAX} ký tự; kiểm tra lại cột dữ liệu")
            }
            Self::NoLetter => "họ tên không có chữ cái nào; ghi đúng như trong sổ".into(),
            Self::ForbiddenCharacter { position } => {
                format!(
                    "ký tự thứ {position} của họ tên không phải chữ cái, dấu cách, dấu nháy, gạch nối hoặc dấu chấm"
                )
            }
        }
    }
}

impl PersonName {
    /// Reads a name, tidying its spaces and its Unicode form; letters and their case stay as written.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::of_tidy(&text::tidied(text))
    }

    /// Reads a name that is tidy already.
    pub(crate) fn of_tidy(written: &str) -> Result<Self, NameError> {
        if written.is_empty() {
            return Err(NameError::Empty);
        }
        let chars = written.chars().count();
        if chars > NAME_CHARS_MAX {
            return Err(NameError::TooLong { chars });
        }
        if let Some(index) = written.chars().position(|c| !is_name_character(c)) {
            return Err(NameError::ForbiddenCharacter { position: index + 1 });
        }
        if !written.chars().any(is_name_letter) {
            return Err(NameError::NoLetter);
        }
        let (canonical, folded) = text::readings_of_tidy(written);
        Ok(Self {
            folded: Sensitive::new(folded.into()),
            canonical: Sensitive::new(canonical.into()),
            written: Sensitive::new(written.into()),
        })
    }

    /// The tidy text, for storing and showing.
    pub fn as_written(&self) -> &str {
        self.written.expose()
    }

    /// The text in which spellings of one name agree; see [`text::canonical`].
    pub fn canonical(&self) -> &str {
        self.canonical.expose()
    }

    /// The text without any marks; see [`text::folded`]. Empty for a name in a script other than Latin.
    pub fn folded(&self) -> &str {
        self.folded.expose()
    }

    /// The words, each in its folded and its canonical form. Hyphens and dots part words, apostrophes do not.
    pub fn words(&self) -> Vec<(Cow<'_, str>, &str)> {
        let words = || self.canonical().split([' ', '-', '.']).filter(|word| !word.is_empty());
        let (count, known) = (words().count(), self.folded().split(' '));
        // Then the folded name has the same words, unless one has no folded form.
        let are_parted_alike = !self.canonical().contains(parts_folded_words_alone);
        if are_parted_alike && known.clone().count() == count {
            return known.map(Cow::Borrowed).zip(words()).collect();
        }
        words().map(|word| (text::folded(word).into(), word)).collect()
    }

    /// The first word (Họ), or nothing when the name is a single word.
    pub fn family(&self) -> &str {
        self.as_written().split_once(' ').map_or("", |(family, _)| family)
    }

    /// The words between the first and the last (Chữ đệm), often one, maybe none or several.
    pub fn middle(&self) -> &str {
        let after_family = self.as_written().split_once(' ').map_or("", |(_, rest)| rest);
        after_family.rsplit_once(' ').map_or("", |(middle, _)| middle)
    }

    /// The last word (Tên); a single word is a given name.
    pub fn given(&self) -> &str {
        let written = self.as_written();
        written.rsplit_once(' ').map_or(written, |(_, given)| given)
    }

    /// Whether the name has no diacritic at all, so that its marks may have been lost on the way.
    pub fn is_unmarked(&self) -> bool {
        text::is_unmarked(self.as_written())
    }
}

/// Apostrophes, and hyphens and dots other than those of [`PersonName::words`].
const fn parts_folded_words_alone(c: char) -> bool {
    matches!(c, '\'' | '`' | '´' | '‘' | '’' | 'ʼ' | '′' | '·' | '‐' | '‑' | '–' | '・')
}

fn is_name_character(c: char) -> bool {
    c == ' ' || is_name_letter(c) || is_combining_mark(c) || text::APOSTROPHES.contains(&c) || JOINERS.contains(&c)
}

/// Letters of Vietnamese names, which need no look into Unicode's tables.
const fn is_vietnamese_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, 'à'..='ö' | '\u{1ea0}'..='\u{1ef9}')
}

/// U+02BC counts as a letter in Unicode, but alone it names nobody.
fn is_name_letter(c: char) -> bool {
    is_vietnamese_letter(c) || (c.is_alphabetic() && !is_combining_mark(c) && !text::APOSTROPHES.contains(&c))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{NAME_CHARS_MAX, NameError, PersonName};
    use proptest::prelude::*;

    fn check(text: &str, parts: [&str; 3]) {
        let name = PersonName::parse(text).unwrap();
        assert_eq!([name.family(), name.middle(), name.given()], parts, "{text:?}");
    }

    fn check_error(text: &str, expected: NameError) {
        assert_eq!(PersonName::parse(text), Err(expected), "{text:?}");
    }

    #[test]
    fn names_fall_into_family_middle_and_given() {
        check("Nguyễn Văn Hùng", ["Nguyễn", "Văn", "Hùng"]);
        check("  Lê   Thị Ngọc\tAnh ", ["Lê", "Thị Ngọc", "Anh"]);
        check("Trần An", ["Trần", "", "An"]);
        check("Siu", ["", "", "Siu"]);
        check("H'Hen Niê", ["H'Hen", "", "Niê"]);
        check("Y-Ban M`Lô Jr.", ["Y-Ban", "M`Lô", "Jr."]);
        check("JOHN O’BRIEN", ["JOHN", "", "O’BRIEN"]);
        check("王小明", ["", "", "王小明"]);
        check("สมชาย ใจดี", ["สมชาย", "", "ใจดี"]);
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        check_error("", NameError::Empty);
        check_error(" \u{200b}\n", NameError::Empty);
        check_error("-.'", NameError::NoLetter);
        check_error("ʼ", NameError::NoLetter);
        check_error("Hùng2", NameError::ForbiddenCharacter { position: 5 });
        check_error(" <b>An", NameError::ForbiddenCharacter { position: 1 });
        check_error("An, Bình", NameError::ForbiddenCharacter { position: 3 });
        check_error("An \u{fffd}", NameError::ForbiddenCharacter { position: 4 });
        check_error(&"a".repeat(NAME_CHARS_MAX + 1), NameError::TooLong { chars: NAME_CHARS_MAX + 1 });
        assert!(PersonName::parse(&"ệ".repeat(NAME_CHARS_MAX)).is_ok());
    }

    #[test]
    fn the_name_keeps_its_three_forms() {
        let name = PersonName::parse("Lý  Thị Hòa").unwrap();
        assert_eq!([name.as_written(), name.canonical(), name.folded()], ["Lý Thị Hòa", "lí thị hoà", "li thi hoa"]);
        assert!(!name.is_unmarked());
        assert!(PersonName::parse("LY THI HOA").unwrap().is_unmarked());
    }

    #[test]
    fn debug_shows_nothing_of_the_name() {
        let shown = format!("{:?}", PersonName::parse("Nguyễn Văn Hùng").unwrap());
        assert!(!shown.contains("Hùng") && !shown.contains("hung"), "{shown}");
    }

    fn check_words(text: &str, words: &[(&str, &str)]) {
        let name = PersonName::parse(text).unwrap();
        let found = name.words();
        assert!(found.iter().map(|(folded, word)| (&**folded, *word)).eq(words.iter().copied()), "{text:?}: {found:?}");
    }

    #[test]
    fn a_name_has_its_words_in_two_forms() {
        check_words("Lý  Thị-Hòa", &[("li", "lí"), ("thi", "thị"), ("hoa", "hoà")]);
        check_words("K'Brêp Y.Ban", &[("k brep", "k'brêp"), ("y", "y"), ("ban", "ban")]);
        check_words("王 K'Brêp", &[("", "王"), ("k brep", "k'brêp")]);
        check_words("Ana·Maria 王", &[("ana maria", "ana·maria"), ("", "王")]);
        check_words("An 王", &[("an", "an"), ("", "王")]);
        check_words("王", &[("", "王")]);
        check_words("Jr.", &[("jr", "jr")]);
    }

    proptest! {
        #[test]
        fn words_are_folded_as_they_stand_alone(text in "([A-Za-zĂÂĐÊÔƠƯăâđêôơư王'’·–. -]|\u{301}){1,20}") {
            if let Ok(name) = PersonName::parse(&text) {
                for (folded, word) in name.words() {
                    prop_assert_eq!(&*folded, crate::text::folded(word), "{}", word);
                }
                prop_assert_eq!(name.words().len(), name.canonical().split([' ', '-', '.']).filter(|w| !w.is_empty()).count());
            }
        }

        #[test]
        fn a_written_name_reads_back_as_itself(text in "[A-Za-zĂÂĐÊÔƠƯăâđêôơư\u{300}\u{301}\u{323}'. -]{1,40}") {
            if let Ok(name) = PersonName::parse(&text) {
                prop_assert_eq!(PersonName::parse(name.as_written()), Ok(name.clone()));
                let parts = [name.family(), name.middle(), name.given()];
                let joined: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                prop_assert_eq!(joined.join(" "), name.as_written());
            }
        }
    }
}
