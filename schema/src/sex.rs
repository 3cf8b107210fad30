//! Sex as the books state it.

use crate::text;

/// The sex stated on an entry, in the Ministry's value list: 1 male, 2 female, 3 undetermined, 0 unknown.
///
/// The Ministry's `gioiTinh` and QCVN 109:2017/BTTTT agree on 0, 1 and 2; only the Ministry has 3. Undetermined is a
/// statement of the registrar about the child; unknown means that the entry does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sex {
    /// Nam.
    Male,
    /// Nữ.
    Female,
    /// The registrar recorded that the sex could not be determined.
    Undetermined,
    /// The entry does not say.
    Unknown,
}

impl Sex {
    /// Every value, in the order of the declaration.
    pub const ALL: [Self; 4] = [Self::Male, Self::Female, Self::Undetermined, Self::Unknown];

    /// Reads a code or a word, in any case: 1 or nam, 2 or nữ, 3, 0, or the English words.
    pub fn parse(text: &str) -> Option<Self> {
        match text::canonical(text).as_str() {
            "1" | "nam" | "male" | "m" => Some(Self::Male),
            "2" | "nữ" | "nu" | "female" | "f" => Some(Self::Female),
            "3" | "undetermined" => Some(Self::Undetermined),
            "0" | "unknown" => Some(Self::Unknown),
            _ => None,
        }
    }

    /// The Ministry's code, which [`Sex::parse`] reads back.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Male => "1",
            Self::Female => "2",
            Self::Undetermined => "3",
            Self::Unknown => "0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sex;

    fn check(text: &str, expected: Option<Sex>) {
        assert_eq!(Sex::parse(text), expected, "{text:?}");
    }

    #[test]
    fn words_and_codes_are_read() {
        check("Nam", Some(Sex::Male));
        check(" NỮ ", Some(Sex::Female));
        check("nu\u{31b}\u{303}", Some(Sex::Female));
        check("nu", Some(Sex::Female));
        check("F", Some(Sex::Female));
        check("male", Some(Sex::Male));
        check("3", Some(Sex::Undetermined));
        check("0", Some(Sex::Unknown));
        check("", None);
        check("4", None);
        check("-1", None);
        check("nấm", None);
    }

    #[test]
    fn every_code_reads_back() {
        for sex in Sex::ALL {
            check(sex.code(), Some(sex));
        }
    }
}
