//! A valid entry: what every kind has, and what its own kind adds.

use crate::birth::Birth;
use crate::date::PartialDate;
use crate::death::Death;
use crate::draft::Draft;
use crate::field::{Attribute, Field, Role};
use crate::kind::Kind;
use crate::marriage::Marriage;
use crate::name::PersonName;
use crate::personal_number::PersonalNumber;
use crate::place::{Edition, Place};
use crate::reader::Reader;
use crate::sensitive::Sensitive;
use crate::sex::Sex;
use crate::violation::Violation;

/// An entry that is valid and in normal form: whoever holds one needs to check nothing again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What every entry has.
    pub registration: Registration,
    /// What its kind adds.
    pub act: Act,
}

/// What the kinds add to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A birth.
    Birth(Birth),
    /// A marriage.
    Marriage(Marriage),
    /// A death.
    Death(Death),
}

/// Where and how an entry was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The registering office.
    pub authority: Authority,
    /// The book (quyển số), when it was noted.
    pub book: Option<String>,
    /// The number in the book, as written.
    pub number: Option<String>,
    /// The date of registration, when it was noted.
    pub date: Option<PartialDate>,
    /// Why the entry was made.
    pub registration_type: RegistrationType,
    /// What the entry says it replaces, for a re-registration.
    pub replaces: Option<String>,
    /// The number of the same act abroad, for a note of a foreign act.
    pub foreign_number: Option<String>,
    /// Whether the book or the note says that this is an extract or a copy of an entry, and not an entry itself.
    pub is_extract: bool,
}

/// The registering office: by code where the source has one, else by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// A code with the edition that gives it its meaning.
    Code(Place),
    /// A name in words, folded; it says which office only within its province.
    Name(String),
}

/// Why an entry was made; the Ministry's codes for births and deaths, and for marriages where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistrationType {
    /// Not noted.
    Unknown,
    /// In time (for marriages: first registration).
    OnTime,
    /// Đăng ký lại: a lawful second entry when book and original are lost.
    ReRegistration,
    /// Ghi chú: the note of an act registered abroad.
    FromAbroad,
    /// After the deadline.
    Late,
}

/// A person as named on one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The part the person has in the entry.
    pub role: Role,
    /// The name.
    pub name: PersonName,
    /// The sex, when known; spouses and parents have it from their role.
    pub sex: Sex,
    /// The date of birth, as far as it is known.
    pub birth_date: Option<PartialDate>,
    /// The personal identification number.
    pub personal_number: Option<PersonalNumber>,
    /// The number of another identity paper, folded.
    pub paper_number: Option<Sensitive<String>>,
    /// Place of origin (quê quán), folded.
    pub origin: Option<Sensitive<String>>,
    /// Place of residence, folded.
    pub residence: Option<Sensitive<String>>,
}

impl Record {
    /// Judges a draft by itself: a valid record, or everything that is wrong with it.
    ///
    /// # Errors
    /// Every violation, in the order of the book.
    pub fn validate(draft: &Draft) -> Result<Self, Vec<Violation>> {
        Self::read(draft, Reader::new(draft))
    }

    /// [`Record::validate`] for data sets about people of any century, which no registry keeps.
    ///
    /// # Errors
    /// Every violation, in the order of the book.
    pub fn validate_of_any_century(draft: &Draft) -> Result<Self, Vec<Violation>> {
        Self::read(draft, Reader::new(draft).of_any_century())
    }

    fn read(draft: &Draft, mut reader: Reader<'_>) -> Result<Self, Vec<Violation>> {
        let registration = Registration::read(&mut reader);
        let act = match draft.kind() {
            Kind::Birth => Birth::read(&mut reader).map(Act::Birth),
            Kind::Marriage => Marriage::read(&mut reader).map(Act::Marriage),
            Kind::Death => Death::read(&mut reader).map(Act::Death),
        };
        let violations = reader.finish();
        match (registration, act) {
            (Some(registration), Some(act)) if violations.is_empty() => Ok(Self { registration, act }),
            _ => Err(violations),
        }
    }

    /// The kind of event.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.act {
            Act::Birth(_) => Kind::Birth,
            Act::Marriage(_) => Kind::Marriage,
            Act::Death(_) => Kind::Death,
        }
    }

    /// The people in the entry, principal ones first.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        let people: [Option<&Participant>; 3] = match &self.act {
            Act::Birth(birth) => [Some(&birth.child), birth.mother.as_ref(), birth.father.as_ref()],
            Act::Marriage(marriage) => [Some(&marriage.husband), Some(&marriage.wife), None],
            Act::Death(death) => [Some(&death.deceased), None, None],
        };
        people.into_iter().flatten()
    }

    /// The person in this role.
    #[must_use]
    pub fn participant(&self, role: Role) -> Option<&Participant> {
        self.participants().find(|participant| participant.role == role)
    }

    /// When the event happened, as far as it is known.
    #[must_use]
    pub fn event_date(&self) -> Option<PartialDate> {
        match &self.act {
            Act::Birth(birth) => birth.child.birth_date,
            Act::Marriage(marriage) => marriage.date,
            Act::Death(death) => death.date,
        }
    }
}

impl Registration {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let date = reader.date(Field::entry(Attribute::RegistrationDate));
        let edition = date.map_or(Edition::E2008, |date| Edition::on(date.latest()));
        let authority = reader.authority(Field::entry(Attribute::Authority), edition);
        let registration_type = reader.registration_type(Field::entry(Attribute::RegistrationType));
        Some(Self {
            authority: authority?,
            book: reader.text(Field::entry(Attribute::Book)),
            number: reader.text(Field::entry(Attribute::Number)),
            date,
            registration_type,
            replaces: reader.text(Field::entry(Attribute::Replaces)),
            foreign_number: reader.text(Field::entry(Attribute::ForeignNumber)),
            is_extract: [Attribute::Book, Attribute::Note]
                .into_iter()
                .filter_map(|attribute| reader.folded(Field::entry(attribute)))
                .any(|text| is_extract(text.expose())),
        })
    }

    /// The edition of the catalogue that was in force on the registration date.
    #[must_use]
    pub fn edition(&self) -> Edition {
        self.date.map_or(Edition::E2008, |date| Edition::on(date.latest()))
    }
}

/// Words for a paper that was printed from an entry, folded.
const EXTRACT_WORDS: [&str; 2] = ["trich luc", "ban sao"];
/// The word by which an office notes that it handed such a paper out: the note then stands on the entry itself.
const ISSUED_WORD: &str = "cap";

/// Whether a folded text says that what carries it is an extract or a copy ("trích lục", "bản sao"), and not merely
/// that one was issued ("đã cấp trích lục").
fn is_extract(text: &str) -> bool {
    let before = EXTRACT_WORDS.iter().filter_map(|words| text.find(words)).min().map(|at| &text[..at]);
    before.is_some_and(|before| !before.split(|c: char| !c.is_alphanumeric()).any(|word| word == ISSUED_WORD))
}

impl Participant {
    /// Reads the person in a role, when a name is written there.
    pub(crate) fn read(reader: &mut Reader<'_>, role: Role) -> Option<Self> {
        let field = |attribute| Field::new(role, attribute);
        let birth_date = reader.date(field(Attribute::BirthDate));
        let personal_number = reader.personal_number(field(Attribute::PersonalNumber));
        let sex = match role {
            Role::Mother | Role::Wife => Sex::Female,
            Role::Father | Role::Husband => Sex::Male,
            _ => reader.sex(field(Attribute::Sex)),
        };
        Some(Self {
            role,
            name: reader.name(field(Attribute::Name))?,
            sex,
            birth_date,
            personal_number,
            paper_number: reader.folded(field(Attribute::PaperNumber)),
            origin: reader.folded(field(Attribute::Origin)),
            residence: reader.folded(field(Attribute::Residence)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(attribute: Attribute, text: &str, expected: bool) {
        let draft = Draft::new(Kind::Death)
            .with(Field::entry(Attribute::Authority), "01.00001")
            .with(Field::new(Role::Deceased, Attribute::Name), "Lê An")
            .with(Field::entry(attribute), text);
        let record = Record::validate(&draft).unwrap();
        assert_eq!(record.registration.is_extract, expected, "{text}");
    }

    #[test]
    fn an_extract_says_so_in_its_book_or_note() {
        check(Attribute::Note, "Trích lục khai tử số 7 năm 1999", true);
        check(Attribute::Note, "nhập theo BẢN SAO của xã Kim Liên", true);
        check(Attribute::Book, "trích lục", true);
        check(Attribute::Book, "01/1999", false);
        check(Attribute::Cause, "trích lục", false);
    }

    #[test]
    fn an_entry_from_which_an_extract_was_issued_is_no_extract() {
        check(Attribute::Note, "Đã cấp trích lục ngày 05.03.2010", false);
        check(Attribute::Note, "Cấp lại bản sao; trích lục lần 2", false);
    }
}
