//! What is wrong with an entry, field by field, in words a clerk can act on.

use serde::{Deserialize, Serialize};

use crate::date::DateError;
use crate::field::Field;
use crate::name::NameError;
use crate::personal_number::PersonalNumberError;
use crate::place::PlaceError;

/// One thing that keeps an entry out of the national registry until it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field that must be mended.
    pub field: Field,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Nothing stands where something must.
    Missing,
    /// The text is longer than a field can be.
    TooLong {
        /// The bound, in bytes of UTF-8.
        bytes_max: usize,
    },
    /// Not a date.
    Date(DateError),
    /// Not a person's name.
    Name(NameError),
    /// Not a personal identification number.
    PersonalNumber(PersonalNumberError),
    /// Not a place of the catalogue.
    Place(PlaceError),
    /// Not one of the codes of this field.
    Code {
        /// The codes that are allowed.
        allowed: &'static str,
    },
    /// Earlier than something it must follow.
    Before {
        /// What it must not precede.
        other: Field,
    },
}

impl Violation {
    /// A violation of a field.
    pub fn new(field: Field, problem: impl Into<Problem>) -> Self {
        Self { field, problem: problem.into() }
    }

    /// One sentence in English.
    #[must_use]
    pub fn english(&self) -> String {
        let field = self.field.english();
        match &self.problem {
            Problem::Missing => format!("{field}: nothing is written; it is required"),
            Problem::TooLong { bytes_max } => format!("{field}: longer than {bytes_max} bytes; shorten it"),
            Problem::Date(error) => format!("{field}: {error}"),
            Problem::Name(error) => format!("{field}: {error}"),
            Problem::PersonalNumber(error) => format!("{field}: {error}"),
            Problem::Place(error) => format!("{field}: {error}"),
            Problem::Code { allowed } => format!("{field}: write one of {allowed}"),
            Problem::Before { other } => {
                format!("{field}: earlier than the {}; correct one of the two", other.english())
            }
        }
    }

    /// One sentence in Vietnamese.
    #[must_use]
    pub fn vietnamese(&self) -> String {
        let field = self.field.vietnamese();
        match &self.problem {
            Problem::Missing => format!("{field}: còn để trống; bắt buộc phải ghi"),
            Problem::TooLong { bytes_max } => format!("{field}: dài quá {bytes_max} byte; cần rút ngắn"),
            Problem::Date(error) => format!("{field}: {}", error.vietnamese()),
            Problem::Name(error) => format!("{field}: {}", error.vietnamese()),
            Problem::PersonalNumber(error) => format!("{field}: {}", error.vietnamese()),
            Problem::Place(error) => format!("{field}: {}", error.vietnamese()),
            Problem::Code { allowed } => format!("{field}: chỉ ghi một trong các giá trị {allowed}"),
            Problem::Before { other } => {
                format!("{field}: sớm hơn {}; cần sửa một trong hai", other.vietnamese())
            }
        }
    }

    /// The violation as reports and notices carry it.
    #[must_use]
    pub fn report(&self) -> ViolationReport {
        ViolationReport { field: self.field.name(), english: self.english(), vietnamese: self.vietnamese() }
    }
}

/// A violation in words, as it goes into notices, reject files and reports. It never holds the content of the field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViolationReport {
    /// Name of the field.
    pub field: String,
    /// The sentence in English.
    pub english: String,
    /// The sentence in Vietnamese.
    pub vietnamese: String,
}

macro_rules! problem_from {
    ($($error:ty => $variant:ident),+) => {
        $(impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })+
    };
}
problem_from!(DateError => Date, NameError => Name, PersonalNumberError => PersonalNumber, PlaceError => Place);
