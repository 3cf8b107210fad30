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

use std::borrow::Cow;

use registry_schema::date::PartialDate;
use registry_schema::digest::hash63;
use registry_schema::field::Role;
use registry_schema::sex::Sex;

use crate::matching::{Edition, Event, Person, Profile, Token, Words};
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
type Value<'a> = (Cow<'a, [u8]>, i32);

impl<'a> Keys<'a> {
    /// Adds a block, unless some value is missing or too many would stand in it.
    fn add<const VALUES: usize>(&mut self, role: Role, domain: &str, values: [&Option<Value<'_>>; VALUES]) -> bool {
        let (mut parts, mut bits) = ([&[][..]; VALUES], 0);
        for (part, value) in parts.iter_mut().zip(values) {
            let Some((bytes, rarity)) = value else { return false };
            (*part, bits) = (bytes, bits + rarity);
        }
        let bearers_are_few = self.edition.people_bits() - bits <= self.edition.bearers_bits_max();
        if bearers_are_few {
            self.found.push((hash63(domain, &parts), Node::new(self.profile.key, role)));
        }
        bearers_are_few
    }

    /// Adds a block, or where too many would stand in it, the finer one.
    fn add_or_finer(&mut self, role: Role, domain: &str, values: [&Option<Value<'_>>; 2], finer: &Option<Value<'_>>) {
        let [one, other] = values;
        if !self.add(role, domain, values) {
            self.add(role, domain, [one, other, finer]);
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
    fn identity(&mut self, person: &'a Person) {
        let (role, name, born) = (person.role, name(person), self.date(person.born));
        let (family, given, year) = (family(person), given(person), self.year(person.born));
        let origin = words(person.origin.as_ref());
        if !self.add(role, "hotich block name date", [&name, &born]) {
            self.add(role, "hotich block name date origin", [&name, &born, &origin]);
        }
        self.add(role, "hotich block name year origin", [&name, &year, &origin]);
        self.add(role, "hotich block name", [&name]);
        self.add(role, "hotich block date", [&born, &sex(person.sex)]);
        self.add(role, "hotich block family date", [&family, &born]);
        self.add(role, "hotich block given date", [&given, &born]);
        // Tuples so common in a nation that none of them is a block there; in a small set they find what slips hide.
        let residence = words(person.residence.as_ref());
        self.add(role, "hotich block ends", [&family, &given]);
        self.add(role, "hotich block family year", [&family, &year]);
        self.add(role, "hotich block given year", [&given, &year]);
        self.add(role, "hotich block residence", [&residence]);
        self.add(role, "hotich block family residence", [&family, &residence]);
        self.add(role, "hotich block given residence", [&given, &residence]);
        self.add(role, "hotich block date residence", [&born, &residence]);
    }

    fn birth(&mut self) {
        let profile = self.profile;
        let Some(child) = profile.person(Role::Child) else { return };
        let (childs, given) = (name(child), given(child));
        let (date, year) = (self.date(child.born), self.year(child.born));
        let [mothers, fathers] = [Role::Mother, Role::Father].map(|role| profile.person(role).and_then(name));
        self.add(Role::Entry, "hotich block mother date", [&mothers, &date]);
        for (parents, with_name, given_year) in [
            (&mothers, "hotich block mother", "hotich block mother year"),
            (&fathers, "hotich block father", "hotich block father year"),
        ] {
            self.add_or_finer(Role::Entry, with_name, [&childs, parents], &year);
            self.add(Role::Entry, given_year, [&given, parents, &year]);
        }
        self.add(Role::Entry, "hotich block parents year", [&mothers, &fathers, &year]);
        self.local(child);
    }

    /// What is known of where somebody was born or died.
    fn local(&mut self, person: &'a Person) {
        let (name, date, year, place) = (name(person), self.date(person.born), self.year(person.born), self.place());
        self.add(Role::Entry, "hotich block place date", [&place, &date]);
        self.add(Role::Entry, "hotich block name year place", [&name, &year, &place]);
        let (family, given, sex) = (family(person), given(person), sex(person.sex));
        if !self.add(Role::Entry, "hotich block ends date", [&family, &given, &date, &sex]) {
            self.add(Role::Entry, "hotich block ends date place", [&family, &given, &date, &sex, &place]);
        }
    }

    fn marriage(&mut self) {
        let profile = self.profile;
        let (Some(husband), Some(wife)) = (profile.person(Role::Husband), profile.person(Role::Wife)) else { return };
        let (his, hers) = (name(husband), name(wife));
        let (date, year) = (self.date(profile.event_date), self.year(profile.event_date));
        self.add_or_finer(Role::Entry, "hotich block couple", [&his, &hers], &year);
        self.add(Role::Entry, "hotich block husband date", [&his, &date]);
        self.add(Role::Entry, "hotich block wife date", [&hers, &date]);
    }

    fn death(&mut self) {
        let profile = self.profile;
        let Some(deceased) = profile.person(Role::Deceased) else { return };
        let (born, died) = (self.date(deceased.born), self.date(profile.event_date));
        self.add(Role::Entry, "hotich block name death", [&name(deceased), &died]);
        self.add(Role::Entry, "hotich block birth death", [&born, &died]);
        self.add(Role::Entry, "hotich block given death", [&given(deceased), &self.place(), &died]);
        self.local(deceased);
    }

    /// A full date, day and month in any order.
    fn date(&self, date: Option<PartialDate>) -> Option<Value<'static>> {
        let date = date.filter(|date| date.is_full())?;
        let (day, month) = (date.day()?, date.month()?);
        let [low, high] = [day.min(month), day.max(month)];
        let [y, z] = date.year().to_be_bytes();
        Some((vec![y, z, low, high].into(), self.edition.date_bits(date)))
    }

    fn year(&self, date: Option<PartialDate>) -> Option<Value<'static>> {
        let date = date?;
        Some((date.year().to_be_bytes().to_vec().into(), self.edition.year_bits(date)))
    }

    /// The place of the event, by code or in words.
    fn place(&self) -> Option<Value<'static>> {
        match (
            self.profile.place.and_then(|place| Some((place.edition(), place.commune()?))),
            &self.profile.place_words,
        ) {
            (Some((edition, commune)), _) => Some((format!("{commune}@{edition}").into_bytes().into(), PLACE_BITS)),
            (None, Some(named)) => words(Some(named)),
            (None, None) => words(self.profile.people.first().and_then(|person| person.residence.as_ref())),
        }
    }
}

/// A place in words, which stand in any order.
fn words(words: Option<&Words>) -> Option<Value<'static>> {
    let words = words?;
    let bits: i32 = words.tokens().iter().map(|token| token.bits).sum();
    Some((in_any_order(words.tokens()), bits.min(PLACE_BITS)))
}

/// The full name, its words in any order.
fn name(person: &Person) -> Option<Value<'_>> {
    let name = person.name.as_ref()?;
    Some((in_any_order(name.tokens()), name.bits()))
}

fn in_any_order(words: &[Token]) -> Cow<'static, [u8]> {
    let mut letters: Vec<&[u8]> = words.iter().map(Token::letters).collect();
    letters.sort_unstable();
    letters.join(&b' ').into()
}

fn given(person: &Person) -> Option<Value<'_>> {
    let token = person.name.as_ref()?.given();
    Some((token.letters().into(), token.bits))
}

fn family(person: &Person) -> Option<Value<'_>> {
    let token = person.name.as_ref()?.family()?;
    Some((token.letters().into(), token.bits))
}

/// The sex halves a block; an unknown one stands with nobody else.
fn sex(sex: Sex) -> Option<Value<'static>> {
    const HALF: i32 = 1_000;
    Some((sex.code().as_bytes().into(), HALF))
}
