//! One syllable or word of a name, in a form that compares in nanoseconds.

use std::fmt;

use registry_schema::digest::hash63;

/// Letters of a token that are kept, in bytes. No Vietnamese syllable has more than seven; of a longer word the last
/// two bytes stand for the rest, so that equal tokens are equal words.
const LETTERS_MAX: usize = 14;
/// Letters from which one edit may be a slip, and from which two may be.
const ONE_EDIT_FROM: usize = 3;
const TWO_EDITS_FROM: usize = 5;

/// A folded word with what is known of its marks and its rarity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    letters: [u8; LETTERS_MAX],
    len: u8,
    /// Whether the word was written with marks.
    pub(crate) marked: bool,
    /// Whether the edition knows the word as a name of this place in a name.
    pub(crate) known: bool,
    /// The CRC-32 of the word with its marks: words of one length that differ in four bytes in a row never share it.
    marks: u32,
    /// -log2 of the word's share among names, in thousandths of a bit.
    pub(crate) bits: i32,
}

impl fmt::Debug for Token {
    /// Shows how rare the word is, and nothing of the word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bits)", self.bits)
    }
}

impl Token {
    pub(crate) fn new(folded: &str, canonical: &str) -> Self {
        // Letters of other scripts have no folded form; their own bytes then serve.
        let text = if folded.is_empty() { canonical } else { folded };
        let mut letters = [0; LETTERS_MAX];
        let bytes = text.as_bytes();
        let len = bytes.len().min(LETTERS_MAX);
        letters[..len].copy_from_slice(&bytes[..len]);
        if bytes.len() > LETTERS_MAX {
            let rest = hash63("hotich token", &[bytes]).to_be_bytes();
            letters[LETTERS_MAX - 2..].copy_from_slice(&rest[6..]);
        }
        Self {
            letters,
            len: u8::try_from(len).unwrap_or(u8::MAX),
            marked: folded != canonical,
            known: false,
            marks: crc32fast::hash(canonical.as_bytes()),
            bits: 0,
        }
    }

    /// The same word with this rarity.
    pub(crate) const fn weighing(self, bits: i32) -> Self {
        Self { bits, ..self }
    }

    /// The kept letters.
    pub(crate) fn letters(&self) -> &[u8] {
        &self.letters[..usize::from(self.len)]
    }

    /// Whether the letters are equal, whatever the marks.
    pub(crate) fn same_letters(&self, other: &Self) -> bool {
        self.len == other.len && self.letters == other.letters
    }

    /// Whether both are written with marks, or one without although its name has marks elsewhere, and they differ.
    pub(crate) const fn marks_differ(&self, other: &Self) -> bool {
        self.marks != other.marks
    }

    /// Whether one may be the other with a slip of the hand: one edit from three letters on, two from five, or the rest of
    /// the word left out; and not two common names, which are two names.
    pub(crate) fn is_slip_of(&self, other: &Self) -> bool {
        !(self.known && other.known) && self.is_near(other)
    }

    /// Whether one is a slip away from the other, be they two common names or not.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        let shorter = self.len.min(other.len);
        let allowed = match usize::from(shorter) {
            TWO_EDITS_FROM.. => 2,
            ONE_EDIT_FROM.. => 1,
            _ => 0,
        };
        if allowed == 0 {
            return false;
        }
        let (short, long) = if self.len <= other.len { (self, other) } else { (other, self) };
        long.letters().starts_with(short.letters())
            || (long.len - short.len <= allowed && within_edits(short.letters(), long.letters(), allowed))
    }

    /// Whether one is the first letter of the other.
    pub(crate) fn is_initial_of(&self, other: &Self) -> bool {
        (self.len == 1) != (other.len == 1) && self.letters[0] == other.letters[0]
    }
}

/// Whether two words are at most `allowed` insertions, deletions, exchanges or swaps of neighbours apart.
fn within_edits(a: &[u8], b: &[u8], allowed: u8) -> bool {
    const WIDTH: usize = LETTERS_MAX + 1;
    let mut rows = [[0_u8; WIDTH]; 3];
    for (at, cell) in (0_u8..).zip(rows[0].iter_mut()) {
        *cell = at;
    }
    for i in 1..=a.len() {
        let (now, before, earlier) = (i % 3, (i + 2) % 3, (i + 1) % 3);
        rows[now][0] = u8::try_from(i).unwrap_or(u8::MAX);
        let mut least = rows[now][0];
        for j in 1..=b.len() {
            let exchange = rows[before][j - 1] + u8::from(a[i - 1] != b[j - 1]);
            let mut cost = exchange.min(rows[before][j] + 1).min(rows[now][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(rows[earlier][j - 2] + 1);
            }
            rows[now][j] = cost;
            least = least.min(cost);
        }
        if least > allowed {
            return false;
        }
    }
    rows[a.len() % 3][b.len()] <= allowed
}

/// The bytes of two words of equal length that differ: for numbers in which a digit is wrong.
pub(crate) fn one_digit_apart(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut differ = a.iter().zip(b).enumerate().filter(|(_, (one, other))| one != other).map(|(at, _)| at);
    match (differ.next(), differ.next(), differ.next()) {
        (Some(_), None, _) => true,
        (Some(first), Some(second), None) => second == first + 1 && a[first] == b[second] && a[second] == b[first],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text, text)
    }

    fn check(a: &str, b: &str, expected: bool) {
        assert_eq!(token(a).is_slip_of(&token(b)), expected, "{a} {b}");
        assert_eq!(token(b).is_slip_of(&token(a)), expected, "{b} {a}");
    }

    #[test]
    fn slips_grow_with_the_word() {
        check("an", "anh", false);
        check("lan", "lam", true);
        check("hung", "hugn", true);
        check("hung", "hong", true);
        check("nguyen", "nguyeen", true);
        check("phuong", "phung", true);
        check("phuong", "phng", false);
        check("phuong", "trang", false);
        check("tom", "tommy", true);
    }

    #[test]
    fn two_known_names_are_two_names() {
        let known = |text| Token { known: true, ..token(text) };
        assert!(!known("lan").is_slip_of(&known("loan")));
        assert!(known("lan").is_slip_of(&token("laan")));
    }

    #[test]
    fn a_wrong_or_swapped_digit_is_one_slip() {
        for (a, b, expected) in [
            ("001090123456", "001090123457", true),
            ("001090123456", "001090124356", true),
            ("001090123456", "001090124365", false),
            ("001090123456", "001090123456", false),
            ("123", "1234", false),
        ] {
            assert_eq!(one_digit_apart(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn edits_agree_with_the_reference(a in "[a-d]{0,14}", b in "[a-d]{0,14}", allowed in 0_u8..3) {
            let expected = strsim::osa_distance(&a, &b) <= usize::from(allowed);
            prop_assert_eq!(within_edits(a.as_bytes(), b.as_bytes(), allowed), expected);
        }

        #[test]
        fn long_words_stay_different(a in "[a-z]{15,40}", b in "[a-z]{15,40}") {
            // Two bytes stand for the rest: a false equality needs equal heads and a chance of one in 65,536.
            prop_assert!(a == b || !token(&a).same_letters(&token(&b)) || a[..12] == b[..12]);
        }
    }
}
