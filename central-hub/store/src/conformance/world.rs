//! A small world in which everything that can collide does: few names, few dates, few offices, many corrections.

use hub_rules::finding::{FindingId, Rule};
use hub_rules::verdict::{Answer, Verdict};
use hub_rules::{Arrival, State};
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field, Role};
use registry_schema::ids::{Origin, RecordId, RecordKey, Version};
use registry_schema::kind::{Kind, Status};
use registry_schema::place::Edition;

const GIVEN: &[&str] =
    &["Nguyễn Văn Hùng", "Nguyen Van Hung", "Nguyễn Văn Hưng", "Lê Thị Hoà", "Lê Thị Hòa", "Trần An"];
const PARENTS: &[&str] = &["Lê Thị Mai", "Phạm Thị Hoa", "Nguyễn Văn An"];
const DATES: &[&str] = &["02.03.1990", "03.02.1990", "1990", "05.1991", "07.07.1991", "1880", "2005"];
const EVENTS: &[&str] = &["01.01.1989", "02.02.2010", "2010", "03.03.2015", "04.04.2020"];
const NUMBERS: &[&str] = &["001090123456", "001090123457", "001191000001"];

/// The arrivals of one seed.
pub struct World {
    /// Every state and verdict, once each.
    pub arrivals: Vec<Arrival>,
    random: ChaCha8Rng,
}

/// One way in which a world's arrivals may come: cut into batches.
pub type Schedule = Vec<Vec<Arrival>>;

impl World {
    /// The world of a seed: 2 to 40 records in three provinces, with versions, cancellations, nonsense and verdicts.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut arrivals = Vec::new();
        let mut keys = Vec::new();
        for at in 0..random.random_range(2..40) {
            let code = *[1_u8, 15, 79].choose(&mut random).unwrap_or(&1);
            let origin = Origin::new(Edition::E2008, code).expect("a province");
            let key = RecordKey { origin, id: RecordId::from_number(at + 1).expect("positive") };
            keys.push(key);
            let versions = if random.random_ratio(1, 4) { random.random_range(2..5) } else { 1 };
            let kind = *Kind::ALL.choose(&mut random).unwrap_or(&Kind::Birth);
            arrivals.extend((1..=versions).map(|version| state(&mut random, key, kind, version)));
        }
        for _ in 0..random.random_range(0..6) {
            arrivals.push(verdict(&mut random, &keys));
        }
        Self { arrivals, random }
    }

    /// Another way for the same arrivals to come: shuffled, some of them twice, cut anywhere.
    pub fn schedule(&mut self) -> Schedule {
        let mut arrivals = self.arrivals.clone();
        let again: Vec<Arrival> = self.arrivals.iter().filter(|_| self.random.random_ratio(1, 5)).cloned().collect();
        arrivals.extend(again);
        arrivals.shuffle(&mut self.random);
        let mut batches = vec![Vec::new()];
        for arrival in arrivals {
            batches.last_mut().expect("never empty").push(arrival);
            if self.random.random_ratio(1, 4) {
                batches.push(Vec::new());
            }
        }
        batches
    }

    /// The plainest way: everything at once.
    #[must_use]
    pub fn at_once(&self) -> Schedule {
        vec![self.arrivals.clone()]
    }
}

fn state(random: &mut ChaCha8Rng, key: RecordKey, kind: Kind, version: u32) -> Arrival {
    let mut draft = Draft::new(kind);
    let office = format!("{:02}.0000{}", key.origin.code(), random.random_range(1..3));
    draft.set(Field::entry(Attribute::Authority), &office);
    draft.set(Field::entry(Attribute::Number), &random.random_range(1..4).to_string());
    draft
        .set(Field::entry(Attribute::RegistrationDate), ["04.04.2020", "01.06.2021", ""].choose(random).unwrap_or(&""));
    draft.set(Field::entry(Attribute::RegistrationType), ["1", "2", "3", "9"].choose(random).unwrap_or(&"1"));
    for role in registry_schema::layout::roles(kind) {
        person(random, &mut draft, *role);
    }
    if kind != Kind::Birth {
        draft.set(Field::entry(Attribute::EventDate), EVENTS.choose(random).unwrap_or(&""));
    }
    if kind == Kind::Marriage && random.random_ratio(1, 3) {
        draft.set(Field::entry(Attribute::DivorcedOn), "05.05.2016");
    }
    if kind == Kind::Death && random.random_ratio(1, 5) {
        draft.set(Field::entry(Attribute::RevokedOn), "06.06.2020");
    }
    let status = if random.random_ratio(1, 12) { Status::Cancelled } else { Status::Active };
    let clock = Hlc::from_number(random.random_range(1..5));
    Arrival::State(
        key,
        State::new(Version(version.min(random.random_range(1..5))), clock, canonical::encode(&draft, status)),
    )
}

fn person(random: &mut ChaCha8Rng, draft: &mut Draft, role: Role) {
    let parent = matches!(role, Role::Mother | Role::Father);
    if parent && random.random_ratio(1, 4) {
        return;
    }
    let names = if parent { PARENTS } else { GIVEN };
    let field = |attribute| Field::new(role, attribute);
    draft.set(field(Attribute::Name), names.choose(random).unwrap_or(&""));
    draft.set(field(Attribute::BirthDate), DATES.choose(random).unwrap_or(&""));
    if random.random_ratio(1, 4) {
        draft.set(field(Attribute::PersonalNumber), NUMBERS.choose(random).unwrap_or(&""));
    }
    if random.random_ratio(1, 2) {
        draft.set(field(Attribute::Origin), ["Kim Liên", "Hoàng Trù"].choose(random).unwrap_or(&""));
    }
}

fn verdict(random: &mut ChaCha8Rng, keys: &[RecordKey]) -> Arrival {
    let mut records: Vec<RecordKey> = keys.choose_multiple(random, 2).copied().collect();
    records.sort_unstable();
    let rule = *Rule::ALL.choose(random).unwrap_or(&Rule::SameKey);
    Arrival::Verdict(Verdict {
        case: FindingId::of(rule, &records),
        chosen: records.first().copied().filter(|_| random.random_ratio(1, 3)),
        records,
        answer: *Answer::ALL.choose(random).unwrap_or(&Answer::Wait),
        operator: (*["lan", "minh"].choose(random).unwrap_or(&"lan")).to_owned(),
        clock: Hlc::from_number(random.random_range(1..4)),
        reason: "seen in the book".to_owned(),
    })
}
