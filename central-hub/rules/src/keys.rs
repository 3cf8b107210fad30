//! Block keys: records that share one are compared, others never are.
//!
//! A key is a stable 63-bit hash of a typed tuple of normal values. Which keys a record has depends on that record and
//! the frozen edition alone: the edition says how many bearers of a tuple to expect among the whole people, and where
//! they would be too many, a finer tuple takes its place or none does. Nothing is ever counted on the way.
//!
//! Every key is a row of the store for every entry, so each tuple stands here for pairs that no other one finds. Six more
//! were tried (a parent's given name with the child's and the date, the father's name with the date, the couple's given
//! names or dates of birth, a name with the years of birth and death): they cost a fifth of the rows, and found 31 of
//! 35,960 pairs of an independent set of births, and none of the practice country's 2.3 million.

use registry_schema::date::PartialDate;
use registry_schema::digest::hash63;
use registry_schema::field::Role;
use registry_schema::sex::Sex;

use crate::matching::{Edition, Event, Person, Profile, Words};
use crate::node::Node;

/// A part of a tuple of which no frequency is known, such as a commune: one of a thousand.
const PLACE_BITS: i32 = 10_000;

/// Every block key of an entry, with the part of the entry that stands in the block.
#[must_use]
pub fn of(profile: &Profile, edition: &Edition) -> Vec<(i64, Node)> {
    let mut keys = Keys { profile, edition, found: Vec::with_capacity(16) };
    keys.books();
    for person in &profile.people {
        keys.papers(person);
        if person.is_principal() {
            keys.identity(person);
        }
    }
    match profile.event {
        Event::Birth => keys.birth(),
        Event::Marriage => keys.marriage(),
        Event::Death => keys.death(),
    }
    keys.found.sort_unstable();
    keys.found.dedup();
    keys.found
}

struct Keys<'a> {
    profile: &'a Profile,
    edition: &'a Edition,
    found: Vec<(i64, Node)>,
}

/// One value of a tuple: its bytes, and -log2 of its share in thousandths of a bit.
type Value = (Vec<u8>, i32);

impl Keys<'_> {
    /// Adds a block, unless some value is missing or too many would stand in it.
    fn add(&mut self, role: Role, domain: &str, values: &[Option<Value>]) -> bool {
        let Some(values) = values.iter().cloned().collect::<Option<Vec<Value>>>() else { return false };
        let bits: i32 = values.iter().map(|value| value.1).sum();
        let bearers_are_few = self.edition.people_bits() - bits <= self.edition.bearers_bits_max();
        if bearers_are_few {
            let parts: Vec<&[u8]> = values.iter().map(|value| value.0.as_slice()).collect();
            self.found.push((hash63(domain, &parts), Node::new(self.profile.key, role)));
        }
        bearers_are_few
    }

    /// Adds a block, or where too many would stand in it, the finer one.
    fn add_or_finer(&mut self, role: Role, domain: &str, values: [Option<Value>; 2], finer: Option<Value>) {
        if !self.add(role, domain, &values) {
            let [one, other] = values;
            self.add(role, domain, &[one, other, finer]);
        }
    }

    /// The place in the books; an entry stands with the one that it says it replaces, too.
    fn books(&mut self) {
        let blocks = self.profile.natural.into_iter().chain(self.profile.replaces);
        self.found.extend(blocks.map(|block| (block, Node::new(self.profile.key, Role::Entry))));
    }

    fn papers(&mut self, person: &Person) {
        let node = Node::new(self.profile.key, person.role);
        let number = person.number.map(|number| hash63("hotich block number", &[&number.as_u64().to_be_bytes()]));
        let paper = person.paper.map(|paper| hash63("hotich block paper", &[paper.letters()]));
        self.found.extend(number.into_iter().chain(paper).map(|block| (block, node)));
    }

    /// What a person is known by through life.
    fn identity(&mut self, person: &Person) {
        let (role, name, born) = (person.role, self.name(person), self.date(person.born));
        let origin = self.words(person.origin.as_ref());
        if !self.add(role, "hotich block name date", &[name.clone(), born.clone()]) {
            self.add(role, "hotich block name date origin", &[name.clone(), born.clone(), origin.clone()]);
        }
        self.add(role, "hotich block name year origin", &[name.clone(), self.year(person.born), origin]);
        self.add(role, "hotich block name", &[name]);
        self.add(role, "hotich block date", &[born.clone(), sex(person.sex)]);
        self.add(role, "hotich block family date", &[family(person), born.clone()]);
        self.add(role, "hotich block given date", &[given(person), born.clone()]);
        self.coarse(person, born.as_ref());
    }

    /// Tuples so common in a nation that none of them is a block there; in a small set they find what slips hide.
    fn coarse(&mut self, person: &Person, born: Option<&Value>) {
        let role = person.role;
        let (family, given, year) = (family(person), given(person), self.year(person.born));
        let residence = self.words(person.residence.as_ref());
        self.add(role, "hotich block ends", &[family.clone(), given.clone()]);
        self.add(role, "hotich block family year", &[family.clone(), year.clone()]);
        self.add(role, "hotich block given year", &[given.clone(), year]);
        self.add(role, "hotich block residence", std::slice::from_ref(&residence));
        self.add(role, "hotich block family residence", &[family, residence.clone()]);
        self.add(role, "hotich block given residence", &[given, residence.clone()]);
        self.add(role, "hotich block date residence", &[born.cloned(), residence]);
    }

    fn birth(&mut self) {
        let profile = self.profile;
        let Some(child) = profile.person(Role::Child) else { return };
        let parent = |role| profile.person(role);
        let (mother, father) = (parent(Role::Mother), parent(Role::Father));
        let name = self.name(child);
        let (date, year) = (self.date(child.born), self.year(child.born));
        if let Some(mother) = mother {
            self.add(Role::Entry, "hotich block mother date", &[self.name(mother), date]);
        }
        for (parent, with_name, given_year) in [
            (mother, "hotich block mother", "hotich block mother year"),
            (father, "hotich block father", "hotich block father year"),
        ] {
            let Some(parent) = parent else { continue };
            let whole = self.name(parent);
            self.add_or_finer(Role::Entry, with_name, [name.clone(), whole.clone()], year.clone());
            self.add(Role::Entry, given_year, &[given(child), whole, year.clone()]);
        }
        if let (Some(mother), Some(father)) = (mother, father) {
            let couple = [self.name(mother), self.name(father), year.clone()];
            self.add(Role::Entry, "hotich block parents year", &couple);
        }
        self.local(child);
    }

    /// What is known of where somebody was born or died.
    fn local(&mut self, person: &Person) {
        let (name, date, year, place) =
            (self.name(person), self.date(person.born), self.year(person.born), self.place());
        self.add(Role::Entry, "hotich block place date", &[place.clone(), date.clone()]);
        self.add(Role::Entry, "hotich block name year place", &[name, year, place.clone()]);
        let ends = [family(person), given(person), date, sex(person.sex)];
        if !self.add(Role::Entry, "hotich block ends date", &ends) {
            let [family, given, date, sex] = ends;
            self.add(Role::Entry, "hotich block ends date place", &[family, given, date, sex, place]);
        }
    }

    fn marriage(&mut self) {
        let profile = self.profile;
        let (Some(husband), Some(wife)) = (profile.person(Role::Husband), profile.person(Role::Wife)) else { return };
        let (his, hers) = (self.name(husband), self.name(wife));
        let (date, year) = (self.date(profile.event_date), self.year(profile.event_date));
        self.add_or_finer(Role::Entry, "hotich block couple", [his.clone(), hers.clone()], year);
        self.add(Role::Entry, "hotich block husband date", &[his, date.clone()]);
        self.add(Role::Entry, "hotich block wife date", &[hers, date]);
    }

    fn death(&mut self) {
        let profile = self.profile;
        let Some(deceased) = profile.person(Role::Deceased) else { return };
        let name = self.name(deceased);
        let (born, died) = (self.date(deceased.born), self.date(profile.event_date));
        self.add(Role::Entry, "hotich block name death", &[name, died.clone()]);
        self.add(Role::Entry, "hotich block birth death", &[born.clone(), died.clone()]);
        self.add(Role::Entry, "hotich block given death", &[given(deceased), self.place(), died]);
        self.local(deceased);
    }

    /// The full name, its words in any order.
    fn name(&self, person: &Person) -> Option<Value> {
        let name = person.name.as_ref()?;
        let mut words: Vec<&[u8]> = name.tokens().iter().map(|token| token.letters()).collect();
        words.sort_unstable();
        Some((words.join(&b' '), name.bits()))
    }

    /// A full date, day and month in any order.
    fn date(&self, date: Option<PartialDate>) -> Option<Value> {
        let date = date.filter(|date| date.is_full())?;
        let (day, month) = (date.day()?, date.month()?);
        let [low, high] = [day.min(month), day.max(month)];
        let [y, z] = date.year().to_be_bytes();
        Some((vec![y, z, low, high], self.edition.date_bits(date)))
    }

    fn year(&self, date: Option<PartialDate>) -> Option<Value> {
        let date = date?;
        Some((date.year().to_be_bytes().to_vec(), self.edition.year_bits(date)))
    }

    /// The place of the event, by code or in words.
    fn place(&self) -> Option<Value> {
        match (
            self.profile.place.and_then(|place| Some((place.edition(), place.commune()?))),
            &self.profile.place_words,
        ) {
            (Some((edition, commune)), _) => Some((format!("{commune}@{edition}").into_bytes(), PLACE_BITS)),
            (None, Some(words)) => self.words(Some(words)),
            (None, None) => self.words(self.profile.people.first().and_then(|person| person.residence.as_ref())),
        }
    }

    /// A place in words, which stand in any order.
    fn words(&self, words: Option<&Words>) -> Option<Value> {
        let words = words?;
        let mut letters: Vec<&[u8]> = words.tokens().iter().map(|token| token.letters()).collect();
        letters.sort_unstable();
        let bits: i32 = words.tokens().iter().map(|token| token.bits).sum();
        Some((letters.join(&b' '), bits.min(PLACE_BITS)))
    }
}

fn given(person: &Person) -> Option<Value> {
    let token = person.name.as_ref()?.given();
    Some((token.letters().to_vec(), token.bits))
}

fn family(person: &Person) -> Option<Value> {
    let token = person.name.as_ref()?.family()?;
    Some((token.letters().to_vec(), token.bits))
}

/// The sex halves a block; an unknown one stands with nobody else.
fn sex(sex: Sex) -> Option<Value> {
    const HALF: i32 = 1_000;
    Some((vec![sex.code().as_bytes().first().copied().unwrap_or(b'0')], HALF))
}
