//! What matching sees of an entry: worked out once, compared many times.

use registry_schema::date::PartialDate;
use registry_schema::digest::hash63;
use registry_schema::field::Role;
use registry_schema::ids::RecordKey;
use registry_schema::natural_key::NaturalKey;
use registry_schema::personal_number::PersonalNumber;
use registry_schema::place::Place;
use registry_schema::record::{Act, Authority, Participant, Record, Registration};
use registry_schema::sex::Sex;

use super::edition::Edition;
use super::name::Name;
use super::place::Words;
use super::token::Token;

/// An entry as matching sees it, under one edition.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The record.
    pub key: RecordKey,
    pub(crate) people: Box<[Person]>,
    pub(crate) event: Event,
    /// The date of a marriage or death.
    pub(crate) event_date: Option<PartialDate>,
    pub(crate) place: Option<Place>,
    pub(crate) place_words: Option<Words>,
    /// The place in the books, hashed.
    pub(crate) natural: Option<i64>,
    /// Office and day of registration, hashed: twins are registered together, under two numbers.
    pub(crate) registered: Option<i64>,
    /// The place in the books of the entry that this one says it replaces.
    pub(crate) replaces: Option<i64>,
}

/// What kind of event an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Birth,
    Marriage,
    Death,
}

/// A participant as matching sees it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) role: Role,
    pub(crate) sex: Sex,
    pub(crate) name: Option<Name>,
    pub(crate) born: Option<PartialDate>,
    pub(crate) number: Option<PersonalNumber>,
    pub(crate) paper: Option<Token>,
    pub(crate) origin: Option<Words>,
    pub(crate) residence: Option<Words>,
}

impl Profile {
    /// The profile of an entry.
    #[must_use]
    pub fn of(key: RecordKey, record: &Record, edition: &Edition) -> Self {
        let (event, event_date, place, place_text) = match &record.act {
            Act::Birth(birth) => (Event::Birth, None, birth.place, birth.place_text.as_ref()),
            Act::Marriage(marriage) => (Event::Marriage, marriage.date, None, None),
            Act::Death(death) => (Event::Death, death.date, death.place, death.place_text.as_ref()),
        };
        let replaces = record.registration.replaces.as_deref();
        Self {
            key,
            people: record.participants().map(|person| Person::of(person, edition)).collect(),
            event,
            event_date,
            place,
            place_words: place_text.and_then(|text| Words::of(text.expose(), edition)),
            natural: NaturalKey::of(record, key.origin).map(|natural| natural.hash()),
            registered: registered(&record.registration),
            replaces: replaces
                .and_then(|text| NaturalKey::referred_to(text, record.kind()))
                .map(|natural| natural.hash()),
        }
    }

    /// The parts in which the entry names somebody.
    pub(crate) fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.people.iter().map(|person| person.role)
    }

    /// The person in a role.
    pub(crate) fn person(&self, role: Role) -> Option<&Person> {
        self.people.iter().find(|person| person.role == role)
    }

    /// The date on which somebody died, when the entry says so.
    pub(crate) fn died(&self) -> Option<PartialDate> {
        self.event_date.filter(|_| self.event == Event::Death)
    }
}

fn registered(registration: &Registration) -> Option<i64> {
    let date = registration.date.filter(|date| date.is_full())?.to_string();
    let office = match &registration.authority {
        Authority::Code(place) => place.to_string(),
        Authority::Name(name) => name.clone(),
    };
    Some(hash63("hotich registered", &[office.as_bytes(), date.as_bytes()]))
}

impl Person {
    fn of(participant: &Participant, edition: &Edition) -> Self {
        let words = |text: &Option<registry_schema::sensitive::Sensitive<String>>| {
            text.as_ref().and_then(|text| Words::of(text.expose(), edition))
        };
        let paper = participant.paper_number.as_ref().map(|paper| paper.expose().replace(' ', ""));
        Self {
            role: participant.role,
            sex: participant.sex,
            name: Name::of(&participant.name, participant.sex, edition),
            born: participant.birth_date,
            number: participant.personal_number,
            paper: paper.filter(|paper| is_paper(paper)).map(|paper| Token::new(&paper, &paper)),
            origin: words(&participant.origin),
            residence: words(&participant.residence),
        }
    }

    /// Whether the person is one whom the act is about.
    pub(crate) const fn is_principal(&self) -> bool {
        matches!(self.role, Role::Child | Role::Husband | Role::Wife | Role::Deceased)
    }
}

/// Whether a text can be the number of a paper: long enough to name one, and not one character over and over.
fn is_paper(paper: &str) -> bool {
    const PAPER_LENGTH_MIN: usize = 5;
    let mut bytes = paper.bytes();
    let first = bytes.next();
    paper.len() >= PAPER_LENGTH_MIN && bytes.any(|byte| Some(byte) != first)
}
