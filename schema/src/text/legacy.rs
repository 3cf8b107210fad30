//! Vietnamese text from before Unicode: what fonts and keyboards left behind, and how it is restored.
//!
//! Text typed in a TCVN3 (ABC) or VNI font and stored as if it were Windows-1252 shows as `NguyÔn V¨n Hïng` or
//! `Nguyeãn Vaên Huøng`; keystrokes that no input method caught show as `Nguyeenx Vawn Hungf`. One field alone cannot
//! tell which it is, since `Hoà` is a name as it stands and also VNI for `Hồ`: a [`Vote`] of a whole book or file does.

mod syllable;
mod tcvn3;
mod vni;
mod telex;
mod vote;

pub use vote::{Teller, Vote};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;

/// A way of writing Vietnamese letters that is not Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Legacy {
    /// The ABC fonts (`.VnTime`, `.VnTimeH`) after TCVN 5712:1993, one byte a letter.
    Tcvn3,
    /// The VNI fonts for Windows, a base letter and a byte for its marks.
    Vni,
    /// The keystrokes of the Telex input method.
    Telex,
}

impl Legacy {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Tcvn3, Self::Vni, Self::Telex];

    /// The name in mapping files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcvn3 => "tcvn3",
            Self::Vni => "vni",
            Self::Telex => "telex",
        }
    }

    /// The form with this name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|legacy| legacy.name().eq_ignore_ascii_case(name))
    }
}

/// The text in Unicode letters, when it was written in this form.
///
/// Total: characters that the form does not have stay as they are. A text with a letter that neither font has was
/// written in Unicode and stays whole; Telex changes only words that become Vietnamese syllables by it.
#[must_use]
pub fn decode(text: &str, legacy: Legacy) -> Cow<'_, str> {
    match legacy {
        Legacy::Telex => telex::decode(text),
        Legacy::Tcvn3 | Legacy::Vni if text.chars().any(is_only_unicode) => Cow::Borrowed(text),
        Legacy::Tcvn3 => tcvn3::decode(text),
        Legacy::Vni => vni::decode(text),
    }
}

/// Whether a character is a letter or a mark that text stored as Windows-1252 cannot have.
fn is_only_unicode(c: char) -> bool {
    c > '\u{ff}' && (c.is_alphabetic() || is_combining_mark(c)) && !"ŒœŠšŽžŸƒˆ".contains(c)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(legacy: Legacy, written: &str, restored: &str) {
        assert_eq!(decode(written, legacy), restored);
    }

    #[test]
    fn one_name_in_every_form() {
        check(Legacy::Tcvn3, "NguyÔn V¨n Hïng", "Nguyễn Văn Hùng");
        check(Legacy::Vni, "Nguyeãn Vaên Huøng", "Nguyễn Văn Hùng");
        check(Legacy::Telex, "Nguyeenx Vawn Hungf", "Nguyễn Văn Hùng");
    }

    #[test]
    fn text_with_letters_of_unicode_stays_whole() {
        for legacy in [Legacy::Tcvn3, Legacy::Vni] {
            check(legacy, "Hồ Thị Hoà", "Hồ Thị Hoà");
            check(legacy, "Nguye\u{302}\u{303}n Hoà", "Nguye\u{302}\u{303}n Hoà");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,20}|[a-zA-Z \u{0}-\u{ff}]{0,20}") {
            for legacy in Legacy::ALL {
                let restored = decode(&text, legacy);
                prop_assert!(restored.chars().count() <= text.chars().count());
            }
        }
    }
}
