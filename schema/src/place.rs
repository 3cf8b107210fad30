//! Administrative places and registering authorities, as codes that mean something only within one edition.

mod gazetteer;

pub use gazetteer::{Gazetteer, GazetteerError, Province};

use jiff::civil::{Date, date};
use std::fmt;

/// One edition of the national list of administrative codes; a code belongs to exactly one.
///
/// On 1 July 2025, 63 provinces became 34, the districts were abolished, and codes were used again with another
/// meaning: 15 was Yên Bái and is Lào Cai. A code without its edition is therefore not a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edition {
    /// 63 provinces, districts and communes, until 30 June 2025.
    E2008,
    /// 34 provinces and communes, from 1 July 2025.
    E2025,
}

impl Edition {
    /// Every edition, oldest first.
    pub const ALL: [Self; 2] = [Self::E2008, Self::E2025];

    /// The first day of the edition of 2025.
    const FIRST_DAY_OF_2025: Date = date(2025, 7, 1);

    /// The edition in force on a date.
    ///
    /// For dates before 2008 it is also the edition of 2008, because digitised books carry its codes whatever the year
    /// of the entry.
    pub fn on(date: Date) -> Self {
        if date < Self::FIRST_DAY_OF_2025 { Self::E2008 } else { Self::E2025 }
    }

    /// Reads a label.
    pub fn parse(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|edition| edition.label() == label.trim())
    }

    /// The label after the `@` of a place: `2008` or `2025`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::E2008 => "2008",
            Self::E2025 => "2025",
        }
    }

    /// A small number for compact storage, 1 for the oldest; it never changes for an edition.
    pub const fn ordinal(self) -> u8 {
        match self {
            Self::E2008 => 1,
            Self::E2025 => 2,
        }
    }

    /// The edition back from its ordinal.
    pub fn from_ordinal(ordinal: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|edition| edition.ordinal() == ordinal)
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Declares a code: a positive number printed with a fixed count of digits.
macro_rules! code {
    ($(#[$doc:meta])* $name:ident, $number:ty, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($number);

        impl $name {
            /// How many digits the code is written with.
            pub const DIGITS: usize = $digits;

            /// Checks that a number is positive and not too long for the code.
            pub fn new(number: $number) -> Result<Self, PlaceError> {
                let fits = number != 0 && number.ilog10() < $digits;
                if fits { Ok(Self(number)) } else { Err(PlaceError::Unreadable) }
            }

            /// Reads exactly the digits of the code, leading zeros included.
            pub fn parse(digits: &str) -> Result<Self, PlaceError> {
                if digits.len() != $digits || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(PlaceError::Unreadable);
                }
                digits.parse().map_err(|_| PlaceError::Unreadable).and_then(Self::new)
            }

            /// The code as a number.
            pub const fn get(self) -> $number {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:0width$}", self.0, width = $digits)
            }
        }
    };
}

code!(
    /// The code of a province: 01 to 99, always two digits.
    ProvinceCode, u8, 2
);
code!(
    /// The code of a district: 001 to 999, always three digits; there are none since July 2025.
    DistrictCode, u16, 3
);
code!(
    /// The code of a commune: 00001 to 99999, always five digits.
    CommuneCode, u32, 5
);

/// A code by its level, which the count of digits tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaceCode {
    /// A province, `15`.
    Province(ProvinceCode),
    /// A district, `132`.
    District(DistrictCode),
    /// A commune, `04252`.
    Commune(CommuneCode),
    /// The registering authority of a commune within its province, `15.04252`.
    Authority(ProvinceCode, CommuneCode),
}

impl PlaceCode {
    /// Reads two, three or five digits, or two and five with a dot between them.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        if let Some((province, commune)) = text.split_once('.') {
            return Ok(Self::Authority(ProvinceCode::parse(province)?, CommuneCode::parse(commune)?));
        }
        match text.len() {
            ProvinceCode::DIGITS => ProvinceCode::parse(text).map(Self::Province),
            DistrictCode::DIGITS => DistrictCode::parse(text).map(Self::District),
            CommuneCode::DIGITS => CommuneCode::parse(text).map(Self::Commune),
            _ => Err(PlaceError::Unreadable),
        }
    }
}

impl fmt::Display for PlaceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Province(code) => code.fmt(f),
            Self::District(code) => code.fmt(f),
            Self::Commune(code) => code.fmt(f),
            Self::Authority(province, commune) => write!(f, "{province}.{commune}"),
        }
    }
}

/// A code in its edition, at a level that the edition has.
///
/// Whether the code stands in the edition's list is for [`Gazetteer::check`] to say, since lists change and old entries
/// do not. Places are equal only within one edition; across editions see [`Gazetteer::same_province_later`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    edition: Edition,
    code: PlaceCode,
}

/// Why a text is not a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Not a code of any level.
    #[error("the place code cannot be read; write 2, 3 or 5 digits, or PP.CCCCC, and maybe @2008 or @2025")]
    Unreadable,
    /// The part after the `@` is no edition.
    #[error("the edition of the place is not known; write @2008 or @2025")]
    UnknownEdition,
    /// A district code in an edition that has no districts.
    #[error("districts were abolished on 1 July 2025; write the commune, or @2008 for an older place")]
    DistrictsAbolished,
    /// The list of this edition has no such province.
    #[error("there is no province {code} in the list of {edition}; check the code and its edition")]
    UnknownProvince {
        /// The code that was not found.
        code: ProvinceCode,
        /// The edition in which it was looked up.
        edition: Edition,
    },
}

impl PlaceError {
    /// The same message in Vietnamese, for the clerk who mends the entry.
    pub fn vietnamese(&self) -> String {
        match self {
            Self::Unreadable => {
                "không đọc được mã địa danh; ghi 2, 3 hoặc 5 chữ số, hoặc PP.CCCCC, có thể kèm @2008 hoặc @2025".into()
            }
            Self::UnknownEdition => "không có danh mục địa danh này; ghi @2008 hoặc @2025".into(),
            Self::DistrictsAbolished => {
                "cấp huyện đã kết thúc hoạt động từ ngày 01.07.2025; ghi mã cấp xã, hoặc @2008 nếu là địa danh cũ"
                    .into()
            }
            Self::UnknownProvince { code, edition } => {
                format!("danh mục {edition} không có tỉnh, thành phố mã {code}; kiểm tra lại mã và danh mục")
            }
        }
    }
}

impl Place {
    /// Puts a code into an edition, which must have its level.
    pub const fn new(edition: Edition, code: PlaceCode) -> Result<Self, PlaceError> {
        match (edition, code) {
            (Edition::E2025, PlaceCode::District(_)) => Err(PlaceError::DistrictsAbolished),
            _ => Ok(Self { edition, code }),
        }
    }

    /// A province as a place; every edition has provinces.
    pub const fn province_of(edition: Edition, code: ProvinceCode) -> Self {
        Self { edition, code: PlaceCode::Province(code) }
    }

    /// Reads `CODE@EDITION`; a code alone belongs to the default edition.
    pub fn parse(text: &str, default: Edition) -> Result<Self, PlaceError> {
        let (code, edition) = match text.trim().split_once('@') {
            Some((code, label)) => (code, Edition::parse(label).ok_or(PlaceError::UnknownEdition)?),
            None => (text, default),
        };
        Self::new(edition, PlaceCode::parse(code.trim())?)
    }

    /// The edition to which the code belongs.
    pub const fn edition(self) -> Edition {
        self.edition
    }

    /// The code within the edition.
    pub const fn code(self) -> PlaceCode {
        self.code
    }

    /// The province, when the code itself says it; a district or commune alone does not.
    pub const fn province(self) -> Option<ProvinceCode> {
        match self.code {
            PlaceCode::Province(province) | PlaceCode::Authority(province, _) => Some(province),
            PlaceCode::District(_) | PlaceCode::Commune(_) => None,
        }
    }

    /// The commune, when the code is a commune or the authority of one.
    pub const fn commune(self) -> Option<CommuneCode> {
        match self.code {
            PlaceCode::Commune(commune) | PlaceCode::Authority(_, commune) => Some(commune),
            PlaceCode::Province(_) | PlaceCode::District(_) => None,
        }
    }
}

/// Prints `CODE@EDITION`, which [`Place::parse`] reads back whatever its default.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.code, self.edition)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{CommuneCode, DistrictCode, Edition, Place, PlaceCode, PlaceError, ProvinceCode};
    use jiff::civil::date;
    use proptest::prelude::*;

    fn check(text: &str, default: Edition, printed: &str) {
        assert_eq!(Place::parse(text, default).map(|p| p.to_string()).as_deref(), Ok(printed), "{text:?}");
    }

    fn check_error(text: &str, expected: PlaceError) {
        assert_eq!(Place::parse(text, Edition::E2025), Err(expected), "{text:?}");
    }

    #[test]
    fn places_are_read_with_and_without_their_edition() {
        check("15", Edition::E2025, "15@2025");
        check("15@2008", Edition::E2025, "15@2008");
        check(" 01.00123@2008 ", Edition::E2025, "01.00123@2008");
        check("132", Edition::E2008, "132@2008");
        check("04252 @ 2025", Edition::E2008, "04252@2025");
    }

    #[test]
    fn what_is_not_a_place_is_refused() {
        for text in ["", "1", "1234", "00", "00000", "1.00123", "01.123", "01.00123.4", "a1", "+1", "Hà Nội", "@2025"]
        {
            check_error(text, PlaceError::Unreadable);
        }
        check_error("15@2031", PlaceError::UnknownEdition);
        check_error("15@", PlaceError::UnknownEdition);
        check_error("132", PlaceError::DistrictsAbolished);
    }

    #[test]
    fn a_code_knows_its_width() {
        assert!(ProvinceCode::new(99).is_ok() && ProvinceCode::new(100).is_err() && ProvinceCode::new(0).is_err());
        assert!(CommuneCode::new(99_999).is_ok() && CommuneCode::new(100_000).is_err());
    }

    #[test]
    fn the_edition_changed_on_the_first_of_july_2025() {
        assert_eq!(Edition::on(date(1975, 4, 30)), Edition::E2008);
        assert_eq!(Edition::on(date(2025, 6, 30)), Edition::E2008);
        assert_eq!(Edition::on(date(2025, 7, 1)), Edition::E2025);
    }

    #[test]
    fn labels_and_ordinals_read_back() {
        for edition in Edition::ALL {
            assert_eq!(Edition::parse(edition.label()), Some(edition));
            assert_eq!(Edition::from_ordinal(edition.ordinal()), Some(edition));
        }
        assert_eq!((Edition::from_ordinal(0), Edition::from_ordinal(3)), (None, None));
    }

    fn any_code() -> impl Strategy<Value = PlaceCode> {
        let province = (1..=99_u8).prop_map(|n| ProvinceCode::new(n).unwrap());
        let commune = (1..=99_999_u32).prop_map(|n| CommuneCode::new(n).unwrap());
        prop_oneof![
            province.clone().prop_map(PlaceCode::Province),
            (1..=999_u16).prop_map(|n| PlaceCode::District(DistrictCode::new(n).unwrap())),
            commune.clone().prop_map(PlaceCode::Commune),
            (province, commune).prop_map(|(p, c)| PlaceCode::Authority(p, c)),
        ]
    }

    proptest! {
        #[test]
        fn printed_places_read_back(code in any_code(), new: bool, default_new: bool) {
            let edition = |is_new| if is_new { Edition::E2025 } else { Edition::E2008 };
            if let Ok(place) = Place::new(edition(new), code) {
                prop_assert_eq!(Place::parse(&place.to_string(), edition(default_new)), Ok(place));
            } else {
                prop_assert!(matches!(code, PlaceCode::District(_)) && new);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9.@]{0,12}|\\PC{0,8}") {
            let _ = Place::parse(&text, Edition::E2008);
        }
    }
}
