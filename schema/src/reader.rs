//! Reads the fields of a draft and notes every violation on the way, so that a clerk sees all of them at once.

use crate::date::{DateError, PartialDate, REGISTERED_YEAR_MIN, YEAR_MIN};
use crate::draft::{Draft, FIELD_BYTES_MAX};
use crate::field::{Attribute, Field};
use crate::kind::Kind;
use crate::name::PersonName;
use crate::personal_number::PersonalNumber;
use crate::place::{Edition, Gazetteer, Place};
use crate::record::{Authority, RegistrationType};
use crate::sensitive::Sensitive;
use crate::sex::Sex;
use crate::text;
use crate::violation::{Problem, Violation};

/// Reads typed values out of a draft; what cannot be read is noted and read as absent.
pub(crate) struct Reader<'a> {
    draft: &'a Draft,
    violations: Vec<Violation>,
    year_min: i16,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(draft: &'a Draft) -> Self {
        let too_long = |(field, value): (Field, &str)| {
            let problem = Problem::TooLong { bytes_max: FIELD_BYTES_MAX };
            (value.len() > FIELD_BYTES_MAX).then(|| Violation::new(field, problem))
        };
        let violations = draft.iter().filter_map(too_long).collect();
        Self { draft, violations, year_min: REGISTERED_YEAR_MIN }
    }

    /// The same reader for entries of any century.
    pub(crate) fn of_any_century(self) -> Self {
        Self { year_min: YEAR_MIN, ..self }
    }

    /// Every violation noted, in the order of field codes.
    pub(crate) fn finish(mut self) -> Vec<Violation> {
        self.violations.sort_by_key(|violation| violation.field);
        self.violations
    }

    pub(crate) fn note(&mut self, field: Field, problem: impl Into<Problem>) {
        self.violations.push(Violation::new(field, problem));
    }

    /// Notes a required field in which nothing is written.
    pub(crate) fn require(&mut self, field: Field) {
        if self.draft.get(field).is_none() {
            self.note(field, Problem::Missing);
        }
    }

    /// Notes an event that is dated after its registration.
    pub(crate) fn not_before(&mut self, later: (Field, Option<PartialDate>), earlier: (Field, Option<PartialDate>)) {
        if let (Some(after), Some(before)) = (later.1, earlier.1)
            && after.definitely_before(before)
        {
            self.note(later.0, Problem::Before { other: earlier.0 });
        }
    }

    pub(crate) fn text(&mut self, field: Field) -> Option<String> {
        self.draft.get(field).map(str::to_owned)
    }

    pub(crate) fn folded(&mut self, field: Field) -> Option<Sensitive<String>> {
        self.draft.get(field).map(text::folded_of_tidy).filter(|text| !text.is_empty()).map(Sensitive::new)
    }

    pub(crate) fn name(&mut self, field: Field) -> Option<PersonName> {
        self.read(field, PersonName::of_tidy)
    }

    pub(crate) fn date(&mut self, field: Field) -> Option<PartialDate> {
        let year_min = self.year_min;
        self.read(field, |text| match PartialDate::parse(text)? {
            date if date.year() < year_min => Err(DateError::YearOutOfRange { year: date.year() }),
            date => Ok(date),
        })
    }

    pub(crate) fn personal_number(&mut self, field: Field) -> Option<PersonalNumber> {
        self.read(field, PersonalNumber::parse)
    }

    pub(crate) fn sex(&mut self, field: Field) -> Sex {
        let allowed = Problem::Code { allowed: "1 nam/male, 2 nữ/female, 3, 0" };
        self.read(field, |text| Sex::parse(text).ok_or(allowed)).unwrap_or(Sex::Unknown)
    }

    /// A code of an office with its edition, or the office's name in words.
    pub(crate) fn authority(&mut self, field: Field, edition: Edition) -> Option<Authority> {
        self.require(field);
        let text = self.draft.get(field)?;
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(Authority::Name(text::folded_of_tidy(text)));
        }
        let place = self.read(field, |text| Place::parse(text, edition))?;
        if let Err(error) = Gazetteer::builtin().check(&place) {
            self.note(field, error);
        }
        Some(Authority::Code(place))
    }

    pub(crate) fn place(&mut self, field: Field, edition: Edition) -> Option<Place> {
        let place = self.read(field, |text| Place::parse(text, edition))?;
        if let Err(error) = Gazetteer::builtin().check(&place) {
            self.note(field, error);
        }
        Some(place)
    }

    /// Births and deaths: 0 unknown, 1 on time, 2 re-registration, 3 from abroad, 4 late; marriages: 1 first, 2
    /// re-registration, 3 from abroad.
    pub(crate) fn registration_type(&mut self, field: Field) -> RegistrationType {
        let marriage = self.draft.kind() == Kind::Marriage;
        let allowed = Problem::Code { allowed: if marriage { "0, 1, 2, 3" } else { "0, 1, 2, 3, 4" } };
        let read = |text: &str| match text {
            "0" => Ok(RegistrationType::Unknown),
            "1" => Ok(RegistrationType::OnTime),
            "2" => Ok(RegistrationType::ReRegistration),
            "3" => Ok(RegistrationType::FromAbroad),
            "4" if !marriage => Ok(RegistrationType::Late),
            _ => Err(allowed),
        };
        self.read(field, read).unwrap_or(RegistrationType::Unknown)
    }

    /// The registration date, for checks against the dates of events.
    pub(crate) fn registration_date(&self) -> (Field, Option<PartialDate>) {
        let field = Field::entry(Attribute::RegistrationDate);
        (field, self.draft.get(field).and_then(|text| PartialDate::parse(text).ok()))
    }

    fn read<T, E: Into<Problem>>(&mut self, field: Field, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match parse(self.draft.get(field)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.note(field, error);
                None
            }
        }
    }
}
