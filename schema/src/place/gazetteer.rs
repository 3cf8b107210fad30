//! The list of provinces by edition, with what became of each.

use super::{Edition, Place, PlaceError, ProvinceCode};
use crate::text;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The list that is built in, in the format of [`Gazetteer::parse`].
const BUILTIN: &str = include_str!("../../data/provinces.csv");

/// The first line of a list.
const HEADER: &str = "edition,code,name,valid_from,valid_to,successor";

/// One province of one edition.
///
/// The name is the last one of the edition: Huế, for one, was Tỉnh Thừa Thiên Huế until the end of 2024.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Province {
    /// The edition to which the code belongs.
    pub edition: Edition,
    /// The code within the edition.
    pub code: ProvinceCode,
    /// The name with its rank, as `Tỉnh Lào Cai`.
    pub name: String,
    /// The first day on which the edition's list was in force.
    pub valid_from: Date,
    /// The last such day, if it has passed.
    pub valid_to: Option<Date>,
    /// The code in the next edition of the province that took this one in, maybe under the same name.
    pub successor: Option<ProvinceCode>,
}

/// Provinces of every edition, where every successor stands in the list of the next edition.
///
/// Sources: the 34 provinces of Resolution 202/2025/QH15, and the 63 since Resolution 15/2008/QH12 took Hà Tây into
/// Hà Nội.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gazetteer {
    provinces: BTreeMap<(Edition, ProvinceCode), Province>,
}

/// Why a text is not a list of provinces; lines count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GazetteerError {
    /// The first line is not the header.
    #[error("line 1 of the list of provinces must be {HEADER}")]
    Header,
    /// A line has not six values, or one of them cannot be read.
    #[error("line {line} of the list of provinces cannot be read; it needs the six values {HEADER}")]
    Line {
        /// Which line.
        line: usize,
    },
    /// A province stands in the list twice.
    #[error("line {line} of the list of provinces repeats a code of edition {edition}")]
    Repeated {
        /// Which line.
        line: usize,
        /// The edition in which the code was already taken.
        edition: Edition,
    },
    /// A successor is not in the list of the next edition.
    #[error("province {code} of edition {edition} has a successor that is not in the next edition")]
    UnknownSuccessor {
        /// The province with the wrong successor.
        code: ProvinceCode,
        /// Its edition.
        edition: Edition,
    },
}

impl Gazetteer {
    /// The list that this release was built with.
    pub fn builtin() -> &'static Self {
        static LIST: OnceLock<Gazetteer> = OnceLock::new();
        LIST.get_or_init(|| Self::parse(BUILTIN).expect("a test reads the built-in list"))
    }

    /// Reads a list: a header, then a line a province, values without commas, dates as `yyyy-mm-dd` or empty.
    pub fn parse(list: &str) -> Result<Self, GazetteerError> {
        let mut lines = list.lines().zip(1..);
        if lines.next().is_none_or(|(header, _)| header.trim_start_matches('\u{feff}') != HEADER) {
            return Err(GazetteerError::Header);
        }
        let mut provinces = BTreeMap::new();
        for (text, line) in lines {
            let province = parse_province(text).ok_or(GazetteerError::Line { line })?;
            let edition = province.edition;
            if provinces.insert((edition, province.code), province).is_some() {
                return Err(GazetteerError::Repeated { line, edition });
            }
        }
        let gazetteer = Self { provinces };
        gazetteer.check_successors()?;
        Ok(gazetteer)
    }

    /// One province, if the edition has it.
    pub fn province(&self, edition: Edition, code: ProvinceCode) -> Option<&Province> {
        self.provinces.get(&(edition, code))
    }

    /// The provinces of an edition in the order of their codes.
    pub fn provinces(&self, edition: Edition) -> impl Iterator<Item = &Province> {
        self.provinces.values().filter(move |province| province.edition == edition)
    }

    /// The province in the next edition that took in the province of this place, if the place says its province.
    pub fn successor(&self, place: Place) -> Option<Place> {
        let province = self.province(place.edition(), place.province()?)?;
        Some(Place::province_of(edition_after(place.edition())?, province.successor?))
    }

    /// Whether the provinces of two places, of whatever editions, are one province in the newest edition.
    ///
    /// False when a place does not say its province or its code is in no list.
    pub fn same_province_later(&self, a: Place, b: Place) -> bool {
        let (a, b) = (self.in_newest_edition(a), self.in_newest_edition(b));
        a.is_some() && a == b
    }

    /// Whether the place stands in the list of its edition, as far as its code says the province.
    pub fn check(&self, place: &Place) -> Result<(), PlaceError> {
        let edition = place.edition();
        match place.province() {
            Some(code) if self.province(edition, code).is_none() => Err(PlaceError::UnknownProvince { code, edition }),
            _ => Ok(()),
        }
    }

    /// The codes that mean provinces of different names in two successive editions, in order.
    pub fn reused_codes(&self) -> Vec<ProvinceCode> {
        let is_reused = |province: &&Province| {
            let later = edition_after(province.edition).and_then(|edition| self.province(edition, province.code));
            later.is_some_and(|later| text::canonical(&later.name) != text::canonical(&province.name))
        };
        self.provinces.values().filter(is_reused).map(|province| province.code).collect()
    }

    /// The province of the place in the newest edition.
    fn in_newest_edition(&self, place: Place) -> Option<Place> {
        let mut at = Place::province_of(place.edition(), place.province()?);
        self.check(&at).ok()?;
        while edition_after(at.edition()).is_some() {
            at = self.successor(at)?;
        }
        Some(at)
    }

    fn check_successors(&self) -> Result<(), GazetteerError> {
        for Province { edition, code, successor, .. } in self.provinces.values() {
            let Some(successor) = successor else { continue };
            let found = edition_after(*edition).and_then(|next| self.province(next, *successor));
            if found.is_none() {
                return Err(GazetteerError::UnknownSuccessor { code: *code, edition: *edition });
            }
        }
        Ok(())
    }
}

fn edition_after(edition: Edition) -> Option<Edition> {
    Edition::ALL.into_iter().find(|later| *later > edition)
}

fn parse_province(line: &str) -> Option<Province> {
    let values: Vec<&str> = line.trim_end().split(',').collect();
    let [edition, code, name, valid_from, valid_to, successor] = values[..] else {
        return None;
    };
    let province = Province {
        edition: Edition::parse(edition)?,
        code: ProvinceCode::parse(code).ok()?,
        name: text::tidy(name),
        valid_from: valid_from.parse().ok()?,
        valid_to: if valid_to.is_empty() { None } else { Some(valid_to.parse().ok()?) },
        successor: if successor.is_empty() { None } else { Some(ProvinceCode::parse(successor).ok()?) },
    };
    let ends_before_it_starts = province.valid_to.is_some_and(|to| to < province.valid_from);
    (!province.name.is_empty() && !ends_before_it_starts).then_some(province)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{BUILTIN, Gazetteer, GazetteerError, HEADER};
    use crate::place::{Edition, Place, PlaceError, ProvinceCode};

    fn place(text: &str) -> Place {
        Place::parse(text, Edition::E2025).unwrap()
    }

    fn check_successor(text: &str, expected: Option<&str>) {
        let found = Gazetteer::builtin().successor(place(text)).map(|p| p.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    fn check_same(a: &str, b: &str, expected: bool) {
        let gazetteer = Gazetteer::builtin();
        assert_eq!(gazetteer.same_province_later(place(a), place(b)), expected, "{a} {b}");
        assert_eq!(gazetteer.same_province_later(place(b), place(a)), expected, "{b} {a}");
    }

    fn check_error(lines: &str, expected: GazetteerError) {
        assert_eq!(Gazetteer::parse(&format!("{HEADER}\n{lines}")), Err(expected), "{lines}");
    }

    #[test]
    fn sixty_three_provinces_became_thirty_four() {
        let gazetteer = Gazetteer::builtin();
        assert_eq!(Gazetteer::parse(BUILTIN).as_ref(), Ok(gazetteer));
        assert_eq!(gazetteer.provinces(Edition::E2008).count(), 63);
        assert_eq!(gazetteer.provinces(Edition::E2025).count(), 34);
        let mut successors: Vec<_> = gazetteer.provinces(Edition::E2008).filter_map(|p| p.successor).collect();
        assert_eq!(successors.len(), 63);
        successors.sort();
        successors.dedup();
        assert_eq!(successors, gazetteer.provinces(Edition::E2025).map(|p| p.code).collect::<Vec<_>>());
    }

    #[test]
    fn validity_agrees_with_the_editions() {
        for edition in Edition::ALL {
            for province in Gazetteer::builtin().provinces(edition) {
                assert_eq!(Edition::on(province.valid_from), edition);
                assert!(province.valid_to.is_none_or(|to| Edition::on(to) == edition));
                assert_eq!(province.valid_to.is_some(), province.successor.is_some());
            }
        }
    }

    #[test]
    fn seven_codes_have_another_meaning_now() {
        let codes: Vec<u8> = Gazetteer::builtin().reused_codes().into_iter().map(ProvinceCode::get).collect();
        assert_eq!(codes, [15, 24, 44, 52, 80, 82, 91]);
    }

    #[test]
    fn provinces_lead_to_their_successors() {
        check_successor("10@2008", Some("15@2025"));
        check_successor("15@2008", Some("15@2025"));
        check_successor("54.00123@2008", Some("66@2025"));
        check_successor("15@2025", None);
        check_successor("03@2008", None);
        check_successor("00123@2008", None);
    }

    #[test]
    fn places_are_compared_through_their_successors() {
        check_same("10@2008", "15@2025", true);
        check_same("10@2008", "15@2008", true);
        check_same("27.00123@2008", "24@2025", true);
        check_same("27@2008", "27@2008", true);
        check_same("64@2008", "52@2025", true);
        check_same("10@2008", "10@2025", false);
        check_same("03@2025", "03@2025", false);
        check_same("00123@2025", "00123@2025", false);
    }

    #[test]
    fn a_place_is_checked_against_its_own_edition() {
        let gazetteer = Gazetteer::builtin();
        let (code, edition) = (ProvinceCode::new(10).unwrap(), Edition::E2025);
        assert_eq!(gazetteer.check(&place("10@2008")), Ok(()));
        assert_eq!(gazetteer.check(&place("10.00123@2025")), Err(PlaceError::UnknownProvince { code, edition }));
        assert_eq!(gazetteer.check(&place("00123@2025")), Ok(()));
        assert_eq!(gazetteer.province(Edition::E2025, ProvinceCode::new(15).unwrap()).unwrap().name, "Tỉnh Lào Cai");
    }

    #[test]
    fn a_wrong_list_is_refused() {
        let edition = Edition::E2008;
        let code = ProvinceCode::new(1).unwrap();
        assert_eq!(Gazetteer::parse(""), Err(GazetteerError::Header));
        check_error("2008,01,A,2008-08-01,", GazetteerError::Line { line: 2 });
        check_error("2009,01,A,2008-08-01,,", GazetteerError::Line { line: 2 });
        check_error("2008,01, ,2008-08-01,,", GazetteerError::Line { line: 2 });
        check_error("2008,01,A,2008-08-01,2008-02-30,", GazetteerError::Line { line: 2 });
        check_error("2008,01,A,2008-08-01,2007-01-01,", GazetteerError::Line { line: 2 });
        check_error("2008,01,A,2008-08-01,,\n2008,01,B,2008-08-01,,", GazetteerError::Repeated { line: 3, edition });
        check_error("2008,01,A,2008-08-01,,02", GazetteerError::UnknownSuccessor { code, edition });
    }
}
