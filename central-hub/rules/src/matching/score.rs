//! The score of two participants: Fellegi and Sunter's sum of weights, criterion by criterion, and what bars a link.
//!
//! Source: I. P. Fellegi, A. B. Sunter, A Theory for Record Linkage, JASA 64 (1969); frequencies after W. E. Winkler.
//! A score is a pure function of two profiles and the edition, and the same for `(a, b)` and `(b, a)`.

use registry_schema::field::Role;
use registry_schema::sex::Sex;

use super::date::{self, Agreement};
use super::edition::Edition;
use super::level::{Criterion, Level};
use super::name::{self, Manner, Whose};
use super::place;
use super::profile::{Event, Person, Profile};
use super::token::one_digit_apart;

/// Ages that people reach, and at which they marry, in completed years.
const LIFE_YEARS_MAX: i32 = 110;
const MARRIAGE_YEARS: std::ops::RangeInclusive<i32> = 14..=90;

/// What two participants are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// The same part in two entries that may tell of one event.
    OneEvent,
    /// Parts in two events of one life.
    OneLife,
}

/// Why two participants cannot be linked, however much else agrees; of several the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bar {
    /// Both stand in one entry.
    OneEntry,
    /// Two entries in which nobody bears the name of their counterpart.
    Strangers,
    /// A man and a woman.
    TwoSexes,
    /// Parents in two entries of one child, with two names.
    TwoParents,
    /// Children of one parent with two given names: twins or siblings.
    TwoGivenNames,
    /// Children of the same parents, born on two dates.
    TwoBirths,
    /// Two personal numbers, not one with a slip.
    TwoNumbers,
    /// Two events under two names or dates of birth, which nothing but a number or a paper joins.
    TwoLives,
    /// No life reaches from the one event to the other.
    NoSuchLife,
}

/// A line of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) criterion: Criterion,
    pub(crate) level: Level,
    pub(crate) millibits: i32,
}

/// The sum of weights with its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    pub(crate) lines: Vec<Line>,
    /// What the participants are compared as.
    pub sense: Sense,
    /// The sum, in thousandths of a bit.
    pub millibits: i32,
    /// What bars a link.
    pub bar: Option<Bar>,
    /// Whether the personal numbers are equal.
    pub numbers_equal: bool,
    /// Whether the full name or the date of birth agrees.
    pub identity_agrees: bool,
    /// Whether one of two different given names is no name that the edition knows.
    pub odd_name: bool,
    /// Whether they differ as siblings do, or a parent is another, or neither name nor date of birth is quite the same: a
    /// human must look, however much agrees.
    pub doubtful: bool,
}

impl Score {
    fn new(sense: Sense, edition: &Edition) -> Self {
        let mut score = Self {
            lines: Vec::with_capacity(16),
            sense,
            millibits: 0,
            bar: None,
            numbers_equal: false,
            identity_agrees: false,
            odd_name: false,
            doubtful: false,
        };
        let prior = if sense == Sense::OneEvent { Level::PriorOneEvent } else { Level::PriorOneLife };
        score.add(Criterion::Prior, prior, 0, edition);
        score
    }

    /// Adds a level with the rarity of what agrees; levels met several times in one criterion share a line.
    pub(crate) fn add(&mut self, criterion: Criterion, level: Level, bits: i32, edition: &Edition) {
        let millibits = edition.weight(level) + bits;
        self.millibits += millibits;
        match self.lines.iter_mut().find(|line| (line.criterion, line.level) == (criterion, level)) {
            Some(line) => line.millibits += millibits,
            None => self.lines.push(Line { criterion, level, millibits }),
        }
    }

    fn forbid(&mut self, bar: Bar) {
        self.bar = Some(self.bar.map_or(bar, |before| before.min(bar)));
    }

    /// Whether the full names are equal.
    pub(crate) fn name_is_equal(&self) -> bool {
        self.lines.iter().any(|line| (line.criterion, line.level) == (Criterion::Name, Level::NameEqual))
    }

    /// The sum without the lines of one criterion.
    pub(crate) fn without(&self, criterion: Criterion) -> i32 {
        let lines = self.lines.iter().filter(|line| line.criterion == criterion);
        self.millibits - lines.map(|line| line.millibits).sum::<i32>()
    }
}

/// A participant in the profile of its entry.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) person: &'a Person,
}

impl<'a> Side<'a> {
    /// The participant in a role.
    #[must_use]
    pub fn new(profile: &'a Profile, role: Role) -> Option<Self> {
        profile.person(role).map(|person| Self { profile, person })
    }

    /// The others in the entry that speak for who a person is: parents of a child, the spouse of a spouse, the child and
    /// the other parent of a parent.
    fn kin(self) -> [Option<(&'a Person, Criterion)>; 2] {
        let of = |role, criterion| self.profile.person(role).map(|person| (person, criterion));
        match self.person.role {
            Role::Child => [of(Role::Mother, Criterion::Mother), of(Role::Father, Criterion::Father)],
            Role::Mother => [of(Role::Child, Criterion::Partner), of(Role::Father, Criterion::Father)],
            Role::Father => [of(Role::Child, Criterion::Partner), of(Role::Mother, Criterion::Mother)],
            Role::Husband => [of(Role::Wife, Criterion::Partner), None],
            Role::Wife => [of(Role::Husband, Criterion::Partner), None],
            _ => [None, None],
        }
    }

    fn bears_fathers_name(self) -> bool {
        let father = self.profile.person(Role::Father).and_then(|father| father.name.as_ref()?.family());
        let child = self.person.name.as_ref().and_then(|name| name.family());
        matches!((father, child), (Some(father), Some(child)) if father.same_letters(child))
    }
}

/// Scores two participants.
#[must_use]
pub fn score(a: Side<'_>, b: Side<'_>, edition: &Edition) -> Score {
    let mut score = Score::new(sense(a, b), edition);
    if a.profile.key == b.profile.key {
        score.forbid(Bar::OneEntry);
    }
    numbers(a.person, b.person, edition, &mut score);
    papers(a.person, b.person, edition, &mut score);
    let one_entry =
        score.sense == Sense::OneEvent && a.profile.natural.is_some() && a.profile.natural == b.profile.natural;
    let manner = Manner { criterion: Criterion::Name, whose: Whose::Own, one_entry };
    let own = name::compare(a.person.name.as_ref(), b.person.name.as_ref(), manner, edition, &mut score);
    let born = date::compare_births(a.person.born, b.person.born, edition, &mut score);
    sexes(a.person.sex, b.person.sex, edition, &mut score);
    score.odd_name = own.odd;
    score.identity_agrees = (own.compared && !own.is_another()) || (born.is_some() && !two_dates(born));
    let kin = if score.sense == Sense::OneEvent { kin(a, b, edition, &mut score) } else { Kin::default() };
    places(a, b, edition, &mut score);
    if score.sense == Sense::OneEvent {
        date::compare_events(a.profile.event_date, b.profile.event_date, edition, &mut score);
        books(a.profile, b.profile, edition, &mut score);
    }
    let settled = score.numbers_equal || score.lines.iter().any(|line| line.level == Level::PaperEqual);
    if score.sense == Sense::OneEvent && a.person.is_principal() && !settled {
        score.doubtful = two_dates(born) && !score.name_is_equal();
    }
    let is_named_otherwise = own.is_another() && kin.compared > 0 && kin.agree == 0;
    if is_named_otherwise && !settled && !score.lines.iter().any(|line| line.criterion == Criterion::Entry) {
        score.forbid(Bar::Strangers);
    }
    match score.sense {
        Sense::OneEvent if a.person.role == Role::Child && !settled => {
            children(a, b, (own, born, &kin), &mut score);
        }
        Sense::OneEvent if !a.person.is_principal() && own.given_differs && own.family_differs => {
            score.forbid(Bar::TwoParents);
        }
        Sense::OneLife if !settled && (own.is_another() || born == Some(Agreement::Far)) => {
            score.forbid(Bar::TwoLives);
        }
        _ => {}
    }
    if score.sense == Sense::OneLife && !score.numbers_equal && !one_life_fits(a, b) {
        score.forbid(Bar::NoSuchLife);
    }
    score
}

/// Twins and siblings share their parents, and much else: what their names and dates must not differ in.
fn children(a: Side<'_>, b: Side<'_>, found: (name::Verdict, Option<Agreement>, &Kin), score: &mut Score) {
    let (own, born, kin) = found;
    // Where a minority's names put the clan last, the given name stands where others have the family name.
    if own.is_another() && kin.agree > 0 {
        score.forbid(Bar::TwoGivenNames);
    }
    let full = a.person.born.is_some_and(|date| date.is_full()) && b.person.born.is_some_and(|date| date.is_full());
    if kin.agree == 2 && two_dates(born) && full {
        score.forbid(Bar::TwoBirths);
    }
    // A year that somebody remembered may be wrong, and may be that of a brother who bears the name.
    let two_years = !full && (two_dates(born) || born == Some(Agreement::Slip));
    let together = a.profile.registered.is_some() && a.profile.registered == b.profile.registered;
    let two_entries = together && (a.profile.natural.is_none() || a.profile.natural != b.profile.natural);
    let date_slips = matches!(born, Some(Agreement::Slip | Agreement::TwoOfThree | Agreement::Near));
    let as_of_twins = own.as_of_twins || ((two_entries || date_slips) && !score.name_is_equal());
    score.doubtful |= kin.differ > 0 || (kin.agree > 0 && (as_of_twins || two_years));
}

/// Whether two dates of birth are two dates, and not one with a slip or one of which less is known.
pub(crate) fn two_dates(born: Option<Agreement>) -> bool {
    matches!(born, Some(Agreement::YearOnly | Agreement::YearNear | Agreement::Far))
}

/// Two equal parts are compared as one event unless the entries plainly tell of two.
fn sense(a: Side<'_>, b: Side<'_>) -> Sense {
    if a.person.role != b.person.role {
        return Sense::OneLife;
    }
    let dates_agree = match (a.profile.event_date, b.profile.event_date) {
        (Some(one), Some(other)) => !two_dates(Some(date::agreement(one, other))),
        _ => true,
    };
    let same_book = a.profile.natural.is_some() && a.profile.natural == b.profile.natural;
    let one_event = match a.profile.event {
        Event::Birth => a.person.role == Role::Child || same_child(a.profile, b.profile),
        Event::Death => dates_agree || same_book,
        Event::Marriage => same_book || (dates_agree && same_partner(a, b)),
    };
    if one_event { Sense::OneEvent } else { Sense::OneLife }
}

/// Whether two births may be of one child: a parent has several.
fn same_child(a: &Profile, b: &Profile) -> bool {
    let (Some(one), Some(other)) = (a.person(Role::Child), b.person(Role::Child)) else { return false };
    let dates = match (one.born, other.born) {
        (Some(one), Some(other)) => !two_dates(Some(date::agreement(one, other))),
        _ => true,
    };
    dates && same_given(one, other)
}

fn same_partner(a: Side<'_>, b: Side<'_>) -> bool {
    match (a.kin()[0], b.kin()[0]) {
        (Some((one, _)), Some((other, _))) => same_given(one, other),
        _ => true,
    }
}

fn same_given(a: &Person, b: &Person) -> bool {
    match (&a.name, &b.name) {
        (Some(one), Some(other)) => {
            let near = |a: &super::token::Token, b: &super::token::Token| a.same_letters(b) || a.is_slip_of(b);
            let turned = |a: &name::Name, b: &name::Name| b.family().is_some_and(|family| near(a.given(), family));
            near(one.given(), other.given()) || turned(one, other) || turned(other, one)
        }
        _ => true,
    }
}

fn numbers(a: &Person, b: &Person, edition: &Edition, score: &mut Score) {
    let (Some(one), Some(other)) = (a.number, b.number) else { return };
    let digits = |number: registry_schema::personal_number::PersonalNumber| format!("{:012}", number.as_u64());
    let level = if one == other {
        score.numbers_equal = true;
        Level::NumberEqual
    } else if one_digit_apart(digits(one).as_bytes(), digits(other).as_bytes()) {
        Level::NumberSlip
    } else {
        score.forbid(Bar::TwoNumbers);
        Level::NumberDiffers
    };
    score.add(Criterion::PersonalNumber, level, 0, edition);
}

fn papers(a: &Person, b: &Person, edition: &Edition, score: &mut Score) {
    let (Some(one), Some(other)) = (&a.paper, &b.paper) else { return };
    let level = if one.same_letters(other) {
        Level::PaperEqual
    } else if one_digit_apart(one.letters(), other.letters()) {
        Level::PaperSlip
    } else {
        Level::PaperDiffers
    };
    score.add(Criterion::Paper, level, 0, edition);
}

fn sexes(a: Sex, b: Sex, edition: &Edition, score: &mut Score) {
    match (a, b) {
        (Sex::Male, Sex::Male) | (Sex::Female, Sex::Female) => {
            score.add(Criterion::Sex, Level::SexEqual, 0, edition);
        }
        (Sex::Male, Sex::Female) | (Sex::Female, Sex::Male) => {
            score.add(Criterion::Sex, Level::SexDiffers, 0, edition);
            score.forbid(Bar::TwoSexes);
        }
        _ => {}
    }
}

/// How the others in two entries agree.
#[derive(Default)]
struct Kin {
    /// How many of them are named in both.
    compared: u32,
    /// How many bear one name.
    agree: u32,
    /// How many bear two names in which nothing agrees.
    differ: u32,
}

fn kin(a: Side<'_>, b: Side<'_>, edition: &Edition, score: &mut Score) -> Kin {
    let mut found = Kin::default();
    for (one, other) in a.kin().into_iter().zip(b.kin()) {
        let (Some((one, criterion)), Some((other, _))) = (one, other) else { continue };
        let named_by_father = criterion == Criterion::Father && a.bears_fathers_name() && b.bears_fathers_name();
        let whose = if named_by_father { Whose::FatherOfName } else { Whose::Kin };
        let manner = Manner { criterion, whose, one_entry: false };
        let verdict = name::compare(one.name.as_ref(), other.name.as_ref(), manner, edition, score);
        date::compare_kin(one.born, other.born, criterion, edition, score);
        found.compared += u32::from(verdict.compared);
        found.differ += u32::from(verdict.given_differs && verdict.family_differs);
        found.agree += u32::from(verdict.compared && !verdict.is_another());
    }
    found
}

/// Places: of the event and of origin say much the same, so the better counts; residences count for themselves.
fn places(a: Side<'_>, b: Side<'_>, edition: &Edition, score: &mut Score) {
    let words = |a: &Option<place::Words>, b: &Option<place::Words>| match (a, b) {
        (Some(one), Some(other)) => Some(place::by_words(one, other, edition)),
        _ => None,
    };
    let origins = words(&a.person.origin, &b.person.origin);
    let events = match (score.sense, a.profile.place, b.profile.place) {
        (Sense::OneLife, ..) => None,
        (_, Some(one), Some(other)) => Some(place::by_code(one, other, edition)),
        _ => words(&a.profile.place_words, &b.profile.place_words),
    };
    place::add_best(origins.into_iter().chain(events), edition, score);
    let residences = words(&a.person.residence, &b.person.residence);
    let moved_nowhere = |side: Side<'_>| match (&side.person.origin, &side.person.residence) {
        (Some(origin), Some(residence)) => origin.same_words(residence),
        _ => false,
    };
    if origins.is_some() && moved_nowhere(a) && moved_nowhere(b) {
        return;
    }
    // People move: that residences differ says nothing between two events of one life.
    let moved = |found: &(Level, i32)| score.sense == Sense::OneEvent || found.0 == Level::PlaceEqual;
    place::add_best(residences.filter(moved), edition, score);
}

fn books(a: &Profile, b: &Profile, edition: &Edition, score: &mut Score) {
    if a.natural.is_some() && a.natural == b.natural {
        score.add(Criterion::Entry, Level::SameEntry, 0, edition);
    }
    let names = |one: &Profile, other: &Profile| one.replaces.is_some() && one.replaces == other.natural;
    if names(a, b) || names(b, a) {
        score.add(Criterion::Entry, Level::Replaces, 0, edition);
    }
}

/// Whether one life can hold both: nobody marries as a child or lives for ever.
fn one_life_fits(a: Side<'_>, b: Side<'_>) -> bool {
    let (Some(born), Some(other)) = (earliest_birth(a), earliest_birth(b)) else { return true };
    let fits = |event: Option<registry_schema::date::PartialDate>, range: std::ops::RangeInclusive<i32>| {
        event.is_none_or(|event| {
            [born, other].iter().all(|born| {
                let (least, most) = born.whole_years_to(event);
                least <= *range.end() && most >= *range.start()
            })
        })
    };
    let married = |side: Side<'_>| side.profile.event_date.filter(|_| side.profile.event == Event::Marriage);
    [a, b].into_iter().all(|side| fits(side.profile.died(), 0..=LIFE_YEARS_MAX) && fits(married(side), MARRIAGE_YEARS))
}

fn earliest_birth(side: Side<'_>) -> Option<registry_schema::date::PartialDate> {
    side.person.born
}
