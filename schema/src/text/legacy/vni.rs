//! The VNI fonts: a base letter, and behind it a byte for its marks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The letters by what stands for them, taken for Latin-1. `ô` and `ö` are the letters `ơ` and `ư`.
const LETTERS: [(&str, char); 134] = [
    ("aø", 'à'),
    ("aù", 'á'),
    ("aû", 'ả'),
    ("aõ", 'ã'),
    ("aï", 'ạ'),
    ("aê", 'ă'),
    ("aè", 'ằ'),
    ("aé", 'ắ'),
    ("aú", 'ẳ'),
    ("aü", 'ẵ'),
    ("aë", 'ặ'),
    ("aâ", 'â'),
    ("aà", 'ầ'),
    ("aá", 'ấ'),
    ("aå", 'ẩ'),
    ("aã", 'ẫ'),
    ("aä", 'ậ'),
    ("eø", 'è'),
    ("eù", 'é'),
    ("eû", 'ẻ'),
    ("eõ", 'ẽ'),
    ("eï", 'ẹ'),
    ("eâ", 'ê'),
    ("eà", 'ề'),
    ("eá", 'ế'),
    ("eå", 'ể'),
    ("eã", 'ễ'),
    ("eä", 'ệ'),
    ("ì", 'ì'),
    ("í", 'í'),
    ("æ", 'ỉ'),
    ("ó", 'ĩ'),
    ("ò", 'ị'),
    ("oø", 'ò'),
    ("où", 'ó'),
    ("oû", 'ỏ'),
    ("oõ", 'õ'),
    ("oï", 'ọ'),
    ("oâ", 'ô'),
    ("oà", 'ồ'),
    ("oá", 'ố'),
    ("oå", 'ổ'),
    ("oã", 'ỗ'),
    ("oä", 'ộ'),
    ("ô", 'ơ'),
    ("ôø", 'ờ'),
    ("ôù", 'ớ'),
    ("ôû", 'ở'),
    ("ôõ", 'ỡ'),
    ("ôï", 'ợ'),
    ("uø", 'ù'),
    ("uù", 'ú'),
    ("uû", 'ủ'),
    ("uõ", 'ũ'),
    ("uï", 'ụ'),
    ("ö", 'ư'),
    ("öø", 'ừ'),
    ("öù", 'ứ'),
    ("öû", 'ử'),
    ("öõ", 'ữ'),
    ("öï", 'ự'),
    ("yø", 'ỳ'),
    ("yù", 'ý'),
    ("yû", 'ỷ'),
    ("yõ", 'ỹ'),
    ("î", 'ỵ'),
    ("ñ", 'đ'),
    ("AØ", 'À'),
    ("AÙ", 'Á'),
    ("AÛ", 'Ả'),
    ("AÕ", 'Ã'),
    ("AÏ", 'Ạ'),
    ("AÊ", 'Ă'),
    ("AÈ", 'Ằ'),
    ("AÉ", 'Ắ'),
    ("AÚ", 'Ẳ'),
    ("AÜ", 'Ẵ'),
    ("AË", 'Ặ'),
    ("AÂ", 'Â'),
    ("AÀ", 'Ầ'),
    ("AÁ", 'Ấ'),
    ("AÅ", 'Ẩ'),
    ("AÃ", 'Ẫ'),
    ("AÄ", 'Ậ'),
    ("EØ", 'È'),
    ("EÙ", 'É'),
    ("EÛ", 'Ẻ'),
    ("EÕ", 'Ẽ'),
    ("EÏ", 'Ẹ'),
    ("EÂ", 'Ê'),
    ("EÀ", 'Ề'),
    ("EÁ", 'Ế'),
    ("EÅ", 'Ể'),
    ("EÃ", 'Ễ'),
    ("EÄ", 'Ệ'),
    ("Ì", 'Ì'),
    ("Í", 'Í'),
    ("Æ", 'Ỉ'),
    ("Ó", 'Ĩ'),
    ("Ò", 'Ị'),
    ("OØ", 'Ò'),
    ("OÙ", 'Ó'),
    ("OÛ", 'Ỏ'),
    ("OÕ", 'Õ'),
    ("OÏ", 'Ọ'),
    ("OÂ", 'Ô'),
    ("OÀ", 'Ồ'),
    ("OÁ", 'Ố'),
    ("OÅ", 'Ổ'),
    ("OÃ", 'Ỗ'),
    ("OÄ", 'Ộ'),
    ("Ô", 'Ơ'),
    ("ÔØ", 'Ờ'),
    ("ÔÙ", 'Ớ'),
    ("ÔÛ", 'Ở'),
    ("ÔÕ", 'Ỡ'),
    ("ÔÏ", 'Ợ'),
    ("UØ", 'Ù'),
    ("UÙ", 'Ú'),
    ("UÛ", 'Ủ'),
    ("UÕ", 'Ũ'),
    ("UÏ", 'Ụ'),
    ("Ö", 'Ư'),
    ("ÖØ", 'Ừ'),
    ("ÖÙ", 'Ứ'),
    ("ÖÛ", 'Ử'),
    ("ÖÕ", 'Ữ'),
    ("ÖÏ", 'Ự'),
    ("YØ", 'Ỳ'),
    ("YÙ", 'Ý'),
    ("YÛ", 'Ỷ'),
    ("YÕ", 'Ỹ'),
    ("Î", 'Ỵ'),
    ("Ñ", 'Đ'),
];

pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(base) = rest.next() {
        let after = rest.clone().next();
        if let Some(letter) = after.and_then(|mark| marked(base, mark)) {
            out.push(letter);
            rest.next();
        } else {
            out.push(single(base).unwrap_or(base));
        }
    }
    Cow::Owned(out)
}

/// The letters by base and mark; a zero where a letter has no mark.
static BY_CODE: LazyLock<BTreeMap<(char, char), char>> = LazyLock::new(|| {
    let code = |text: &str| {
        let mut chars = text.chars();
        (chars.next().unwrap_or_default(), chars.next().unwrap_or_default())
    };
    LETTERS.iter().map(|(text, letter)| (code(text), *letter)).collect()
});

fn single(base: char) -> Option<char> {
    if base.is_ascii() { None } else { BY_CODE.get(&(base, '\0')).copied() }
}

/// A base letter with its marks. Some keyboards put a small mark behind a capital; the base says the case.
fn marked(base: char, mark: char) -> Option<char> {
    if mark.is_ascii() || !(base.is_ascii_alphabetic() || "ôöÔÖ".contains(base)) {
        return None;
    }
    let swap = |c: char| if base.is_uppercase() { c.to_uppercase().next() } else { c.to_lowercase().next() };
    BY_CODE.get(&(base, swap(mark)?)).copied()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::syllable::tests::{known, marked_letters};
    use super::*;

    /// The text as a VNI font would have stored it.
    pub(in crate::text::legacy) fn encode(text: &str) -> String {
        let code_of = |letter| LETTERS.iter().find(|(_, other)| *other == letter).map(|(code, _)| (*code).to_owned());
        text.chars().map(|c| code_of(c).unwrap_or_else(|| c.to_string())).collect()
    }

    #[track_caller]
    fn check(written: &str, restored: &str) {
        assert_eq!(decode(written), restored);
    }

    #[test]
    fn names_as_they_stood_in_vni_files() {
        check("Nguyeãn Vaên Huøng", "Nguyễn Văn Hùng");
        check("Traàn Thò Myõ Haïnh", "Trần Thị Mỹ Hạnh");
        check("ÑAËNG THÒ AÙNH", "ĐẶNG THỊ ÁNH");
        check("Leâ Ñöùc Öng", "Lê Đức Ưng");
        check("Hoaøng Thò Böôûi", "Hoàng Thị Bưởi");
        check("Ñaø Naüng, tænh Vónh Long", "Đà Nẵng, tỉnh Vĩnh Long");
        check("Aân AÂn Aùnh", "Ân Ân Ánh");
    }

    #[test]
    fn one_text_is_a_name_in_two_ways() {
        check("Hoà", "Hồ");
        check("Hoaø", "Hoà");
    }

    #[test]
    fn what_stands_for_no_letter_stays() {
        check("José Núñez, Müller ‘ª’", "José Núđez, Müller ‘ª’");
    }

    #[test]
    fn every_letter_has_one_code() {
        for (place, (code, letter)) in LETTERS.iter().enumerate() {
            check(code, &letter.to_string());
            assert!(LETTERS[..place].iter().all(|(other_code, other)| other_code != code && other != letter));
        }
        for letter in marked_letters() {
            check(&encode(&letter.to_string()), &letter.to_string());
        }
    }

    proptest! {
        #[test]
        fn names_come_back_from_the_fonts(words in proptest::collection::vec(proptest::sample::select(known()), 1..6)) {
            let text = words.join(" ");
            for text in [text.to_uppercase(), text] {
                prop_assert_eq!(decode(&encode(&text)).into_owned(), text);
            }
        }
    }
}
