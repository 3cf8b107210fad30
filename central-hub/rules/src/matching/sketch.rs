//! Sketches: some forty bytes of an entry that often show that it is like nothing of another one.
//!
//! In a large nation most of those who share a block do so by chance. A pair can only be alike when somebody bears one
//! name on both sides, or a number joins them ([`Bar::Strangers`](super::Bar::Strangers), [`Bar::TwoLives`](super::Bar::TwoLives)),
//! and whether names are plainly two can be seen from a few hashes. So a sketch never misses a pair that
//! [`compare`](super::compare) finds alike, and seldom lets one pass that it does not.
//!
//! A sketch is made under the national edition and serves for as long as a process runs; none is ever kept.

use registry_schema::date::PartialDate;
use registry_schema::field::Role;

use super::date;
use super::edition::Edition;
use super::name::Name;
use super::profile::{Event, Person, Profile};
use super::score::two_dates;
use super::token::Token;

/// The parts in which an entry of each event names people.
const BIRTH: [Role; 3] = [Role::Child, Role::Mother, Role::Father];
const MARRIAGE: [Role; 2] = [Role::Husband, Role::Wife];
const DEATH: [Role; 1] = [Role::Deceased];

/// An entry in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sketch {
    event: Event,
    /// In the order of the parts of the event.
    people: [Option<Outline>; BIRTH.len()],
    /// The date of a marriage or death.
    event_date: Option<PartialDate>,
    /// The place in the books, and that of the entry which this one replaces; 0 where there is none.
    natural: u16,
    replaces: u16,
}

/// A person in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Outline {
    /// `None` where no name is known.
    name: Option<Words>,
    /// Personal number and paper; 0 where there is none.
    number: u8,
    paper: u8,
}

/// A name in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Words {
    /// Whether the edition knows every word in its place: then none is a slip of another.
    plain: bool,
    count: u8,
    /// One form of each name for all its forms; the family name is 0 where the given name stands alone.
    family: u16,
    given: u16,
    /// All letters, in whatever order and however they are spaced.
    letters: u16,
    /// A bit for each word.
    words: u16,
}

/// Sixteen bits of some bytes, never 0.
fn hash(bytes: &[u8]) -> u16 {
    let [.., high, low] = crc32fast::hash(bytes).to_be_bytes();
    u16::from_be_bytes([high, low]).max(1)
}

/// Sixteen bits of a number, never 0.
fn fold(number: Option<i64>) -> u16 {
    number.map_or(0, |number| hash(&number.to_be_bytes()))
}

impl Words {
    fn of(name: &Name, edition: &Edition) -> Self {
        let tokens = name.tokens();
        let form = |token: &Token| hash(edition.one_form(token.letters()));
        let letter = |byte: &u8| {
            let spread = u64::from(*byte).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            ((spread ^ (spread >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 48) as u16
        };
        Self {
            plain: tokens.iter().all(|token| token.known && token.letters().len() > 1),
            count: u8::try_from(tokens.len()).unwrap_or(u8::MAX),
            family: name.family().map_or(0, form),
            given: form(name.given()),
            letters: tokens.iter().flat_map(Token::letters).map(letter).fold(0, u16::wrapping_add),
            words: tokens.iter().fold(0, |bits, token| bits | 1 << (hash(token.letters()) % 16)),
        }
    }

    /// Whether the given names are plainly two.
    fn given_differs(&self, other: &Self) -> bool {
        self.is_comparable(other) && self.given != other.given && !self.is_elsewhere(other) && !other.is_elsewhere(self)
    }

    /// Whether the family names are plainly two.
    fn family_differs(&self, other: &Self) -> bool {
        self.is_comparable(other) && self.family != other.family && self.family != 0 && other.family != 0
    }

    fn is_another(&self, other: &Self) -> bool {
        self.given_differs(other) || self.family_differs(other)
    }

    /// Whether words can only be equal, forms of one name or different, and stand in their places.
    fn is_comparable(&self, other: &Self) -> bool {
        let is_swapped = self.family == other.given && other.family == self.given;
        self.plain && other.plain && self.letters != other.letters && !is_swapped
    }

    /// Whether all words may stand in a longer name.
    fn is_elsewhere(&self, longer: &Self) -> bool {
        self.count < longer.count && self.words & !longer.words == 0
    }
}

impl Outline {
    fn of(person: &Person, edition: &Edition) -> Self {
        let [_, number] = fold(person.number.map(|number| number.as_u64().cast_signed())).to_be_bytes();
        let [_, paper] = person.paper.map_or(0, |paper| hash(paper.letters())).to_be_bytes();
        Self {
            name: person.name.as_ref().map(|name| Words::of(name, edition)),
            number: if person.number.is_some() { number.max(1) } else { 0 },
            paper: if person.paper.is_some() { paper.max(1) } else { 0 },
        }
    }

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend([self.number, self.paper]);
        let none = Words { plain: false, count: 0, family: 0, given: 0, letters: 0, words: 0 };
        let Words { plain, count, family, given, letters, words } = self.name.unwrap_or(none);
        bytes.extend([u8::from(plain), count]);
        [family, given, letters, words].iter().for_each(|hash| bytes.extend(hash.to_le_bytes()));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let [number, paper, plain, count] = *bytes.split_off(..4)?.first_chunk()?;
        let [family, given, letters, words] = [two(bytes)?, two(bytes)?, two(bytes)?, two(bytes)?];
        let words = Words { plain: plain != 0, count, family, given, letters, words };
        Some(Self { name: (count != 0).then_some(words), number, paper })
    }

    /// Whether both may have one number or one paper.
    const fn may_share_a_number(&self, other: &Self) -> bool {
        (self.number != 0 && self.number == other.number) || (self.paper != 0 && self.paper == other.paper)
    }

    /// Whether the names are plainly those of two people.
    fn is_another(&self, other: &Self) -> bool {
        matches!((&self.name, &other.name), (Some(one), Some(another)) if one.is_another(another))
    }
}

impl Sketch {
    /// The sketch of an entry.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        let edition = Edition::national();
        let mut people = [None; BIRTH.len()];
        for (place, role) in people.iter_mut().zip(roles(profile.event)) {
            *place = profile.person(*role).map(|person| Outline::of(person, edition));
        }
        Self {
            event: profile.event,
            people,
            event_date: profile.event_date,
            natural: fold(profile.natural),
            replaces: fold(profile.replaces),
        }
    }

    /// Whether parts of two entries may be alike; for entries as a whole, whether people in one part of both may be.
    /// `false` is certain. The same for `(a, b)` and `(b, a)`.
    #[must_use]
    pub fn may_be_alike(&self, role: Role, other: &Self, of: Role) -> bool {
        if self.may_be_one_entry(other) {
            return true;
        }
        match (role, of) {
            (Role::Entry, Role::Entry) => {
                self.event == other.event && roles(self.event).iter().any(|role| self.may_join(*role, other, *role))
            }
            (Role::Entry, _) | (_, Role::Entry) => true,
            _ => self.may_join(role, other, of),
        }
    }

    /// Whether both may stand in one place of the books, or one in the place of the other.
    fn may_be_one_entry(&self, other: &Self) -> bool {
        let joins = |one: u16, other: u16| one != 0 && one == other;
        joins(self.natural, other.natural) || joins(self.replaces, other.natural) || joins(self.natural, other.replaces)
    }

    fn may_join(&self, role: Role, other: &Self, of: Role) -> bool {
        let (Some(one), Some(another)) = (self.person(role), other.person(of)) else { return false };
        if one.may_share_a_number(another) || !one.is_another(another) {
            return true;
        }
        // Two events of one life bear one name; two entries of one event are of somebody whose name both bear.
        role == of && !self.tells_of_another_event(other) && !self.names_strangers(other, role)
    }

    /// Whether the dates are plainly those of two marriages or deaths.
    fn tells_of_another_event(&self, other: &Self) -> bool {
        let dates = self.event_date.zip(other.event_date);
        dates.is_some_and(|(one, other)| two_dates(Some(date::agreement(one, other))))
    }

    /// Whether somebody beside this part is named in both, and everybody is plainly named otherwise.
    fn names_strangers(&self, other: &Self, but: Role) -> bool {
        let mut compared = 0;
        for role in roles(self.event).iter().filter(|role| **role != but) {
            let (Some(one), Some(another)) = (self.person(*role), other.person(*role)) else { continue };
            let (Some(one), Some(another)) = (&one.name, &another.name) else { continue };
            // The family name of a father whose child bears it is not compared.
            if !one.given_differs(another) && (*role == Role::Father || !one.family_differs(another)) {
                return false;
            }
            compared += 1;
        }
        compared > 0
    }

    /// Appends bytes that this very program reads again.
    pub fn put(&self, bytes: &mut Vec<u8>) {
        let there = self.people.iter().rev().fold(0, |bits, person| bits << 1 | u8::from(person.is_some()));
        bytes.extend([self.event as u8, there]);
        self.people.iter().flatten().for_each(|outline| outline.put(bytes));
        let (year, month, day) =
            self.event_date.map_or((0, None, None), |date| (date.year(), date.month(), date.day()));
        [year.cast_unsigned(), self.natural, self.replaces].iter().for_each(|two| bytes.extend(two.to_le_bytes()));
        bytes.extend([month.unwrap_or(0), day.unwrap_or(0)]);
    }

    /// Takes one off the front; `None` where the bytes are none.
    pub fn take(bytes: &mut &[u8]) -> Option<Self> {
        let [event, there] = *bytes.split_off(..2)?.first_chunk()?;
        let event = *[Event::Birth, Event::Marriage, Event::Death].get(usize::from(event))?;
        let mut people = [None; BIRTH.len()];
        for (_, person) in people.iter_mut().enumerate().filter(|(at, _)| there >> at & 1 == 1) {
            *person = Some(Outline::take(bytes)?);
        }
        let [year, natural, replaces] = [two(bytes)?, two(bytes)?, two(bytes)?];
        let [month, day] = *bytes.split_off(..2)?.first_chunk()?;
        let event_date =
            if year == 0 { None } else { Some(PartialDate::from_ymd(year.cast_signed(), month, day).ok()?) };
        Some(Self { event, people, event_date, natural, replaces })
    }

    fn person(&self, role: Role) -> Option<&Outline> {
        let at = roles(self.event).iter().position(|of| *of == role)?;
        self.people[at].as_ref()
    }
}

fn two(bytes: &mut &[u8]) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.split_off(..2)?.first_chunk()?))
}

const fn roles(event: Event) -> &'static [Role] {
    match event {
        Event::Birth => &BIRTH,
        Event::Marriage => &MARRIAGE,
        Event::Death => &DEATH,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use registry_schema::name::PersonName;
    use registry_schema::personal_number::PersonalNumber;
    use registry_schema::sex::Sex;

    use super::super::place::Words as Place;
    use super::super::relate;
    use super::super::score::Side;
    use super::*;
    use crate::scenario::key;

    /// Names that are known, spaced, ordered, spelt or shortened in ways that make two of them one.
    const FAMILIES: [&str; 8] = ["nguyễn", "huỳnh", "hoàng", "vũ", "võ", "nguyen", "ngyễn", "an"];
    const MIDDLES: [&str; 7] = ["", "", "văn", "thọ", "anh", "v", "thị hoa"];
    const GIVENS: [&str; 12] =
        ["y", "yến", "an", "anh", "thoan", "hoa", "phúc", "phước", "nguyễn", "h", "kpahk", "văn"];
    /// Some agree often, so that what else differs decides.
    const DATES: [&str; 6] = ["02.03.1990", "02.03.1990", "03.02.1990", "02.03.1991", "1990", "17.11.1964"];

    fn name() -> impl Strategy<Value = Option<Name>> {
        let whole = (select(&FAMILIES), select(&MIDDLES), select(&GIVENS))
            .prop_map(|(family, middle, given)| format!("{family} {middle} {given}"));
        let some = prop_oneof![6 => whole, 1 => select(&GIVENS).prop_map(str::to_owned)];
        prop::option::weighted(0.9, some)
            .prop_map(|text| Name::of(&PersonName::parse(&text?).unwrap(), Sex::Female, Edition::national()))
    }

    fn date() -> impl Strategy<Value = Option<PartialDate>> {
        prop::option::weighted(0.8, select(&DATES)).prop_map(|text| Some(PartialDate::parse(text?).unwrap()))
    }

    fn person(role: Role) -> impl Strategy<Value = Person> {
        let number = prop::option::weighted(0.2, select(&["001190000001", "001190000002", "079064123456"]));
        let paper = prop::option::weighted(0.2, select(&["012345678", "012345679", "987654321"]));
        let place = || prop::option::weighted(0.6, select(&["hưng yên", "phố hiến hưng yên", "đà lạt"]));
        (name(), date(), number, paper, place(), place()).prop_map(
            move |(name, born, number, paper, origin, residence)| {
                let words = |text: Option<&str>| Place::of(text?, Edition::national());
                Person {
                    role,
                    sex: Sex::Female,
                    name,
                    born,
                    number: number.map(|number| PersonalNumber::parse(number).unwrap()),
                    paper: paper.map(|paper| Token::new(paper, paper)),
                    origin: words(origin),
                    residence: words(residence),
                }
            },
        )
    }

    fn profile(id: &'static str) -> impl Strategy<Value = Profile> {
        let event = select(&[Event::Birth, Event::Birth, Event::Marriage, Event::Death]);
        let book = || prop::option::weighted(0.4, 1_i64..3);
        let there = prop::collection::vec(prop::bool::weighted(0.85), BIRTH.len());
        (event, there, date(), book(), book(), book()).prop_flat_map(
            move |(event, there, event_date, natural, registered, replaces)| {
                let people: Vec<_> = roles(event)
                    .iter()
                    .zip(there)
                    .filter(|(role, there)| *there || !matches!(role, Role::Mother | Role::Father))
                    .map(|(role, _)| person(*role))
                    .collect();
                people.prop_map(move |people| Profile {
                    key: key(id),
                    people: people.into(),
                    event,
                    event_date: event_date.filter(|_| event != Event::Birth),
                    place: None,
                    place_words: Place::of("phố hiến hưng yên", Edition::national()),
                    natural,
                    registered,
                    replaces,
                })
            },
        )
    }

    fn is_alike(a: &Profile, role: Role, b: &Profile, of: Role) -> bool {
        let sides = Side::new(a, role).zip(Side::new(b, of));
        sides.is_some_and(|(one, other)| relate(one, other, Edition::national()).is_some())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn who_is_alike_is_never_missed(a in profile("01/1"), b in profile("02/2")) {
            let (one, other) = (Sketch::of(&a), Sketch::of(&b));
            for role in a.roles() {
                for of in b.roles().filter(|of| is_alike(&a, role, &b, *of)) {
                    prop_assert!(one.may_be_alike(role, &other, of), "{role:?} {of:?}");
                    prop_assert!(other.may_be_alike(of, &one, role), "{of:?} {role:?}");
                    prop_assert!(role != of || one.may_be_alike(Role::Entry, &other, Role::Entry), "{role:?}");
                }
            }
        }

        #[test]
        fn a_sketch_is_read_as_it_was_written(a in profile("01/1")) {
            let (sketch, mut bytes) = (Sketch::of(&a), Vec::new());
            sketch.put(&mut bytes);
            prop_assert_eq!(Sketch::take(&mut bytes.as_slice()), Some(sketch));
            prop_assert!((0..bytes.len()).all(|end| Sketch::take(&mut &bytes[..end]).is_none()));
        }
    }

    fn birth(child: &str, mother: &str, father: &str) -> Profile {
        let person = |role, text: &str| {
            let name = Name::of(&PersonName::parse(text).unwrap(), Sex::Unknown, Edition::national());
            Person {
                role,
                sex: Sex::Unknown,
                name,
                born: None,
                number: None,
                paper: None,
                origin: None,
                residence: None,
            }
        };
        let people = [(Role::Child, child), (Role::Mother, mother), (Role::Father, father)];
        Profile {
            key: key("01/1"),
            people: people.map(|(role, text)| person(role, text)).into(),
            event: Event::Birth,
            event_date: None,
            place: None,
            place_words: None,
            natural: None,
            registered: None,
            replaces: None,
        }
    }

    #[test]
    fn who_shares_a_day_by_chance_is_seen_to_be_nobody() {
        let sketch = Sketch::of(&birth("Trần Văn An", "Lê Thị Mai", "Trần Văn Bảo"));
        let check = |names: [&str; 3], expected: bool| {
            let [child, mother, father] = names;
            let other = Sketch::of(&birth(child, mother, father));
            assert_eq!(sketch.may_be_alike(Role::Entry, &other, Role::Entry), expected, "{names:?}");
            assert_eq!(sketch.may_be_alike(Role::Child, &other, Role::Child), expected, "{names:?}");
        };
        check(["Phạm Thị Hoa", "Nguyễn Thị Lan", "Phạm Văn Hùng"], false);
        check(["Lê Đình An", "Hoàng Thị Lan", "Lê Văn Hùng"], false);
        check(["Phạm Thị Hoa", "Lê Thị Mai", "Phạm Văn Hùng"], true);
        check(["Trần An", "Nguyễn Thị Lan", "Phạm Văn Hùng"], true);
    }

    #[test]
    fn the_family_name_of_a_father_whose_child_bears_it_says_nothing() {
        let dated = |names: [&str; 3]| {
            let [child, mother, father] = names;
            let mut birth = birth(child, mother, father);
            for (person, date) in birth.people.iter_mut().zip(["02.03.1990", "05.06.1962", "07.08.1960"]) {
                person.born = PartialDate::parse(date).ok();
            }
            birth
        };
        let one = dated(["Trần Văn Thoan", "Trần Thị Lan", "Trần Văn Phúc"]);
        let other =
            Profile { key: key("02/2"), ..dated(["Phạm Văn Thoan", "Phạm Thị Lan", "Phạm Văn Phúc"]) };
        assert!(is_alike(&one, Role::Mother, &other, Role::Mother));
        assert!(Sketch::of(&one).may_be_alike(Role::Entry, &Sketch::of(&other), Role::Entry));
    }
}
