//! The personal identification number (số định danh cá nhân).

use crate::date::PartialDate;
use crate::sex::Sex;
use std::fmt;

/// How many digits a number has.
const DIGITS: usize = 12;
/// The first six digits are facts about the person, the last six are random.
const RANDOM_PART: u64 = 1_000_000;
/// Place, century-with-sex and year take three, one and two digits in front of the random part.
const PLACE_UNIT: u64 = 1_000 * RANDOM_PART;
/// One more than the greatest number of 12 digits.
const NUMBER_END: u64 = 1_000 * PLACE_UNIT;

/// A number of 12 digits `PPP G YY RRRRRR` whose place of registration `PPP` is not 000.
///
/// `PPP` is the province (of the 63 before July 2025) or the country where the birth was registered, `G` the century
/// and the sex (0 male and 1 female of the 1900s, 2 and 3 of the 2000s, and so on), `YY` the year of birth, and the rest
/// is random. There is no check digit, so a wrong digit can only show as a [`NumberContradiction`]; two people with
/// one number is a case for a clerk, never a proof. Source: Decree 137/2015/NĐ-CP, art. 13.
///
/// `Debug` hides the number, and there is no `Display`: [`PersonalNumber::digits`] is the one way to its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonalNumber(u64);

/// Why a text is not a personal number. No variant holds any part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonalNumberError {
    /// Nothing was given.
    #[error("the personal number is empty; leave the field out when it is not known")]
    Empty,
    /// A letter or sign among the digits.
    #[error("character {position} of the personal number is not a digit")]
    NotADigit {
        /// Where it stands in the text given, counted from 1.
        position: usize,
    },
    /// Not 12 digits; 11 often means that a spreadsheet dropped the leading zero, 9 that it is an old identity card.
    #[error(
        "the personal number has {digits} digits and needs {DIGITS}; check for a lost leading zero or an old paper"
    )]
    WrongLength {
        /// How many digits there are.
        digits: usize,
    },
    /// The number begins with 000, which is neither a province nor a country.
    #[error("the personal number begins with 000, which is no place of registration")]
    NoPlace,
}

/// A fact about the person that the number denies, so that one of the two was written wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberContradiction {
    /// The fourth digit says the other sex.
    Sex,
    /// The fourth to sixth digits say another year of birth.
    BirthYear,
}

impl PersonalNumberError {
    /// The same message in Vietnamese, for the clerk who mends the entry.
    pub fn vietnamese(&self) -> String {
        match self {
            Self::Empty => "số định danh cá nhân để trống; bỏ trống cả mục nếu chưa có".into(),
            Self::NotADigit { position } => {
                format!("ký tự thứ {position} của số định danh cá nhân không phải chữ số")
            }
            Self::WrongLength { digits } => format!(
                "số định danh cá nhân có {digits} chữ số, phải đủ {DIGITS}; kiểm tra xem có mất số 0 ở đầu hoặc là giấy tờ cũ"
            ),
            Self::NoPlace => "số định danh cá nhân bắt đầu bằng 000, không phải mã nơi đăng ký khai sinh".into(),
        }
    }
}

impl PersonalNumber {
    /// Reads 12 digits; spaces and dots between them are dropped.
    pub fn parse(text: &str) -> Result<Self, PersonalNumberError> {
        let (mut number, mut digits) = (0_u64, 0_usize);
        for (index, c) in text.chars().enumerate() {
            match c.to_digit(10) {
                Some(digit) => {
                    digits += 1;
                    // Too many digits are counted for the error, and their value does not matter.
                    number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
                }
                None if c.is_whitespace() || c == '.' => {}
                None => return Err(PersonalNumberError::NotADigit { position: index + 1 }),
            }
        }
        match digits {
            0 => Err(PersonalNumberError::Empty),
            DIGITS => Self::from_u64(number),
            digits => Err(PersonalNumberError::WrongLength { digits }),
        }
    }

    /// The number back from its value, as [`PersonalNumber::as_u64`] gave it.
    pub fn from_u64(number: u64) -> Result<Self, PersonalNumberError> {
        if number >= NUMBER_END {
            let digits = number.to_string().len();
            return Err(PersonalNumberError::WrongLength { digits });
        }
        if number < PLACE_UNIT {
            return Err(PersonalNumberError::NoPlace);
        }
        Ok(Self(number))
    }

    /// The number as an integer below 10¹², for narrow keys.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The 12 digits, which [`PersonalNumber::parse`] reads back.
    pub fn digits(self) -> String {
        format!("{:012}", self.0)
    }

    /// The province or country where the birth was registered, 1 to 999.
    pub fn registered_in(self) -> u16 {
        u16::try_from(self.0 / PLACE_UNIT).expect("a number of 12 digits has three in front of the last nine")
    }

    /// The sex that the fourth digit says: even is male, odd is female.
    pub const fn sex(self) -> Sex {
        if self.century_and_sex().is_multiple_of(2) { Sex::Male } else { Sex::Female }
    }

    /// The year of birth that the fourth to sixth digits say, 1900 to 2399.
    pub fn birth_year(self) -> i16 {
        let year = 1900 + 100 * (self.century_and_sex() / 2) + self.0 / RANDOM_PART % 100;
        i16::try_from(year).expect("five centuries from 1900 fit")
    }

    /// The first fact that the number denies, sex before year of birth; what is not known contradicts nothing.
    pub fn contradicts(self, sex: Sex, birth: Option<&PartialDate>) -> Option<NumberContradiction> {
        if matches!(sex, Sex::Male | Sex::Female) && sex != self.sex() {
            return Some(NumberContradiction::Sex);
        }
        let birth = birth?;
        (birth.year() != self.birth_year()).then_some(NumberContradiction::BirthYear)
    }

    const fn century_and_sex(self) -> u64 {
        self.0 / (100 * RANDOM_PART) % 10
    }
}

impl fmt::Debug for PersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalNumber([personal data])")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{NumberContradiction, PersonalNumber, PersonalNumberError};
    use crate::date::PartialDate;
    use crate::sex::Sex;
    use proptest::prelude::*;

    fn check(text: &str, place: u16, sex: Sex, year: i16) {
        let number = PersonalNumber::parse(text).unwrap();
        assert_eq!((number.registered_in(), number.sex(), number.birth_year()), (place, sex, year), "{text}");
    }

    fn check_error(text: &str, expected: PersonalNumberError) {
        assert_eq!(PersonalNumber::parse(text), Err(expected), "{text:?}");
    }

    fn check_against(text: &str, sex: Sex, birth: &str, expected: Option<NumberContradiction>) {
        let birth = PartialDate::parse(birth).ok();
        let number = PersonalNumber::parse(text).unwrap();
        assert_eq!(number.contradicts(sex, birth.as_ref()), expected, "{text} {sex:?} {birth:?}");
    }

    #[test]
    fn the_digits_say_place_sex_and_year() {
        check("001053000017", 1, Sex::Male, 1953);
        check("079 199 123456", 79, Sex::Female, 1999);
        check("031.304.000000", 31, Sex::Female, 2004);
        check("052220999999", 52, Sex::Male, 2020);
        check("999999999999", 999, Sex::Female, 2399);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        check_error("", PersonalNumberError::Empty);
        check_error(" . ", PersonalNumberError::Empty);
        check_error("01053000017", PersonalNumberError::WrongLength { digits: 11 });
        check_error(&"9".repeat(40), PersonalNumberError::WrongLength { digits: 40 });
        check_error("00105300001O", PersonalNumberError::NotADigit { position: 12 });
        check_error("-01053000017", PersonalNumberError::NotADigit { position: 1 });
        check_error("000053000017", PersonalNumberError::NoPlace);
    }

    #[test]
    fn known_facts_can_contradict() {
        check_against("001053000017", Sex::Male, "05.1953", None);
        check_against("001053000017", Sex::Female, "1954", Some(NumberContradiction::Sex));
        check_against("001053000017", Sex::Male, "1954", Some(NumberContradiction::BirthYear));
        check_against("001053000017", Sex::Unknown, "", None);
        check_against("001053000017", Sex::Undetermined, "2053", Some(NumberContradiction::BirthYear));
    }

    #[test]
    fn debug_hides_the_number() {
        let shown = format!("{:?}", PersonalNumber::parse("001053000017").unwrap());
        assert!(!shown.contains(|c: char| c.is_ascii_digit()), "{shown}");
    }

    proptest! {
        #[test]
        fn digits_and_value_read_back(value in 1_000_000_000_u64..1_000_000_000_000) {
            let number = PersonalNumber::from_u64(value).unwrap();
            prop_assert_eq!(PersonalNumber::parse(&number.digits()), Ok(number));
            prop_assert_eq!(number.as_u64(), value);
        }

        #[test]
        fn other_values_are_refused(value in prop_oneof![0..1_000_000_000_u64, 1_000_000_000_000..u64::MAX]) {
            prop_assert!(PersonalNumber::from_u64(value).is_err());
        }
    }
}
