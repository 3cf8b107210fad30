//! TCVN3, the ABC fonts: one byte a letter.

use std::borrow::Cow;

use super::syllable::split;

/// The letters by their byte in TCVN 5712:1993 (VN1), which a program that knew nothing of it took for Latin-1.
///
/// The fonts have no code for an upper-case vowel with a tone: `.VnTimeH` shows the code of the lower-case letter as a
/// capital. The upper-case codes among the control characters are those of VN1 alone; where they were taken for
/// Windows-1252 they look like quotation marks and dashes, and stay.
const LETTERS: [(u8, char); 134] = [
    (0x01, 'Ú'),
    (0x02, 'Ụ'),
    (0x04, 'Ừ'),
    (0x05, 'Ử'),
    (0x06, 'Ữ'),
    (0x11, 'Ứ'),
    (0x12, 'Ự'),
    (0x13, 'Ỳ'),
    (0x14, 'Ỷ'),
    (0x15, 'Ỹ'),
    (0x16, 'Ý'),
    (0x17, 'Ỵ'),
    (0x80, 'À'),
    (0x81, 'Ả'),
    (0x82, 'Ã'),
    (0x83, 'Á'),
    (0x84, 'Ạ'),
    (0x85, 'Ặ'),
    (0x86, 'Ậ'),
    (0x87, 'È'),
    (0x88, 'Ẻ'),
    (0x89, 'Ẽ'),
    (0x8a, 'É'),
    (0x8b, 'Ẹ'),
    (0x8c, 'Ệ'),
    (0x8d, 'Ì'),
    (0x8e, 'Ỉ'),
    (0x8f, 'Ĩ'),
    (0x90, 'Í'),
    (0x91, 'Ị'),
    (0x92, 'Ò'),
    (0x93, 'Ỏ'),
    (0x94, 'Õ'),
    (0x95, 'Ó'),
    (0x96, 'Ọ'),
    (0x97, 'Ộ'),
    (0x98, 'Ờ'),
    (0x99, 'Ở'),
    (0x9a, 'Ỡ'),
    (0x9b, 'Ớ'),
    (0x9c, 'Ợ'),
    (0x9d, 'Ù'),
    (0x9e, 'Ủ'),
    (0x9f, 'Ũ'),
    (0xa1, 'Ă'),
    (0xa2, 'Â'),
    (0xa3, 'Ê'),
    (0xa4, 'Ô'),
    (0xa5, 'Ơ'),
    (0xa6, 'Ư'),
    (0xa7, 'Đ'),
    (0xa8, 'ă'),
    (0xa9, 'â'),
    (0xaa, 'ê'),
    (0xab, 'ô'),
    (0xac, 'ơ'),
    (0xad, 'ư'),
    (0xae, 'đ'),
    (0xaf, 'Ằ'),
    (0xb5, 'à'),
    (0xb6, 'ả'),
    (0xb7, 'ã'),
    (0xb8, 'á'),
    (0xb9, 'ạ'),
    (0xba, 'Ẳ'),
    (0xbb, 'ằ'),
    (0xbc, 'ẳ'),
    (0xbd, 'ẵ'),
    (0xbe, 'ắ'),
    (0xbf, 'Ẵ'),
    (0xc0, 'Ắ'),
    (0xc1, 'Ầ'),
    (0xc2, 'Ẩ'),
    (0xc3, 'Ẫ'),
    (0xc4, 'Ấ'),
    (0xc5, 'Ề'),
    (0xc6, 'ặ'),
    (0xc7, 'ầ'),
    (0xc8, 'ẩ'),
    (0xc9, 'ẫ'),
    (0xca, 'ấ'),
    (0xcb, 'ậ'),
    (0xcc, 'è'),
    (0xcd, 'Ể'),
    (0xce, 'ẻ'),
    (0xcf, 'ẽ'),
    (0xd0, 'é'),
    (0xd1, 'ẹ'),
    (0xd2, 'ề'),
    (0xd3, 'ể'),
    (0xd4, 'ễ'),
    (0xd5, 'ế'),
    (0xd6, 'ệ'),
    (0xd7, 'ì'),
    (0xd8, 'ỉ'),
    (0xd9, 'Ễ'),
    (0xda, 'Ế'),
    (0xdb, 'Ồ'),
    (0xdc, 'ĩ'),
    (0xdd, 'í'),
    (0xde, 'ị'),
    (0xdf, 'ò'),
    (0xe0, 'Ổ'),
    (0xe1, 'ỏ'),
    (0xe2, 'õ'),
    (0xe3, 'ó'),
    (0xe4, 'ọ'),
    (0xe5, 'ồ'),
    (0xe6, 'ổ'),
    (0xe7, 'ỗ'),
    (0xe8, 'ố'),
    (0xe9, 'ộ'),
    (0xea, 'ờ'),
    (0xeb, 'ở'),
    (0xec, 'ỡ'),
    (0xed, 'ớ'),
    (0xee, 'ợ'),
    (0xef, 'ù'),
    (0xf0, 'Ỗ'),
    (0xf1, 'ủ'),
    (0xf2, 'ũ'),
    (0xf3, 'ú'),
    (0xf4, 'ụ'),
    (0xf5, 'ừ'),
    (0xf6, 'ử'),
    (0xf7, 'ữ'),
    (0xf8, 'ứ'),
    (0xf9, 'ự'),
    (0xfa, 'ỳ'),
    (0xfb, 'ỷ'),
    (0xfc, 'ỹ'),
    (0xfd, 'ý'),
    (0xfe, 'ỵ'),
    (0xff, 'Ố'),
];

pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| letter(c).is_none()) {
        return Cow::Borrowed(text);
    }
    let read: Vec<Letter> = text.chars().map(Letter::read).collect();
    let words: Vec<&[Letter]> = read.chunk_by(|a, b| a.c.is_alphabetic() == b.c.is_alphabetic()).collect();
    let is_word = |word: &&&[Letter]| word[0].c.is_alphabetic();
    let all_capitals = !read.iter().any(|letter| letter.case == Case::Lower)
        && words.iter().filter(is_word).any(|word| capitals(word) >= 2);
    let begins_large = |word: &[Letter]| word[0].case == Case::Upper;
    let is_soft = |word: &[Letter]| word[0].case == Case::Unsaid;
    let all_begin_large = words.iter().filter(is_word).all(|word| begins_large(word) || is_soft(word))
        && words.iter().filter(is_word).any(|word| begins_large(word));
    let mut out = String::with_capacity(text.len() * 2);
    for word in words {
        let has_small = word.iter().any(|letter| letter.case == Case::Lower);
        let is_capital = all_capitals || (!has_small && capitals(word) >= 2);
        for (place, letter) in word.iter().enumerate() {
            if letter.case == Case::Unsaid && (is_capital || (place == 0 && all_begin_large)) {
                out.extend(letter.c.to_uppercase());
            } else {
                out.push(letter.c);
            }
        }
    }
    Cow::Owned(out)
}

/// The letter that a character stands for, as its code says.
pub(super) fn letter(c: char) -> Option<char> {
    let byte = u8::try_from(u32::from(c)).ok()?;
    LETTERS.binary_search_by_key(&byte, |(byte, _)| *byte).ok().map(|place| LETTERS[place].1)
}

/// What a code says about the case of its letter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
    /// A vowel with a tone: the font made it small or large.
    Unsaid,
    None,
}

struct Letter {
    c: char,
    case: Case,
}

impl Letter {
    fn read(written: char) -> Self {
        let decoded = letter(written);
        let c = decoded.unwrap_or(written);
        let case = match decoded {
            _ if c.is_uppercase() => Case::Upper,
            Some(c) if split(c).1 != 0 => Case::Unsaid,
            _ if c.is_lowercase() => Case::Lower,
            _ => Case::None,
        };
        Self { c, case }
    }
}

fn capitals(word: &[Letter]) -> usize {
    word.iter().filter(|letter| letter.case == Case::Upper).count()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::syllable::tests::{known, marked_letters};
    use super::*;

    /// The text as an ABC font would have stored it: capital vowels with a tone as small ones.
    pub(in crate::text::legacy) fn encode(text: &str) -> String {
        let byte_of = |letter| LETTERS.iter().find(|(_, other)| *other == letter).map(|(byte, _)| char::from(*byte));
        let small = |c: char| c.to_lowercase().next().filter(|lower| split(*lower).1 != 0);
        text.chars().map(|c| byte_of(small(c).unwrap_or(c)).unwrap_or(c)).collect()
    }

    #[track_caller]
    fn check(written: &str, restored: &str) {
        assert_eq!(decode(written), restored);
    }

    #[test]
    fn what_iconv_made_of_names_reads_back() {
        check("Nguy\u{d4}n V\u{a8}n H\u{ef}ng", "Nguyễn Văn Hùng");
        check("Tr\u{c7}n Th\u{de} Thu\u{fb}", "Trần Thị Thuỷ");
        check("L\u{aa} \u{a7}\u{f8}c \u{a6}ng", "Lê Đức Ưng");
        check("\u{a7}\u{c6}ng Qu\u{e8}c Kh\u{b8}nh", "Đặng Quốc Khánh");
        check("Ph\u{b9}m Ng\u{e4}c \u{83}nh", "Phạm Ngọc Ánh");
        check("Ho\u{b5}ng Th\u{de} B\u{ad}\u{eb}i", "Hoàng Thị Bưởi");
        check("x\u{b7} C\u{c8}m Gi\u{b5}ng, huy\u{d6}n \u{a7}\u{ab} L\u{ad}\u{ac}ng", "xã Cẩm Giàng, huyện Đô Lương");
    }

    #[test]
    fn the_capitals_of_a_font_are_told_by_the_letters_around_them() {
        check("NGUYÔN V¡N HïNG", "NGUYỄN VĂN HÙNG");
        check("L£ Hµ", "LÊ HÀ");
        check("Vò THÞ Hµ", "VŨ THỊ HÀ");
        check("NGUYÔN V¨n Hïng", "NGUYỄN Văn Hùng");
        check("Lª Hµ", "Lê Hà");
        check("Ph¹m Ngäc ¸nh", "Phạm Ngọc Ánh");
        check("x· ¸i Quèc", "xã ái Quốc");
        check("Hµ", "Hà");
        check("K’Br\u{aa}p “A”", "K’Brêp “A”");
    }

    #[test]
    fn every_letter_has_one_code() {
        for (place, (byte, letter)) in LETTERS.iter().enumerate() {
            check(&char::from(*byte).to_string(), &letter.to_string());
            assert!(LETTERS[..place].iter().all(|(other_byte, other)| other_byte < byte && other != letter));
        }
        for letter in marked_letters() {
            let restored = decode(&encode(&letter.to_string())).into_owned();
            assert_eq!(restored.to_lowercase(), letter.to_lowercase().to_string());
        }
    }

    proptest! {
        #[test]
        fn names_come_back_from_the_fonts(words in proptest::collection::vec(proptest::sample::select(known()), 1..6)) {
            let text = words.join(" ");
            prop_assert_eq!(decode(&encode(&text)).to_lowercase(), text.clone());
            let capital = format!("BAN {}", text.to_uppercase());
            prop_assert_eq!(decode(&encode(&capital)).into_owned(), capital);
        }
    }
}
