//! A life, from the entries in which one person stands: born, married, divorced, widowed, dead.
//!
//! Pure, and computed when somebody asks: nothing of it is stored. What stands in several entries of one event counts
//! once, and an event without a date stands behind those with one.

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::ids::RecordKey;
use registry_schema::record::{Act, Participant};
use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::reading::Entry;

/// A person as one entry names them.
#[derive(Debug, Clone, Copy)]
pub struct Appearance<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// The person as named there.
    pub person: &'a Participant,
}

/// What happened in a life, in the order in which it can happen on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Born.
    Born,
    /// Married.
    Married,
    /// A marriage was annulled: it never was one.
    Annulled,
    /// Divorced.
    Divorced,
    /// The other spouse of an open marriage died.
    Widowed,
    /// Died, or was declared dead.
    Died,
    /// The declaration of death was revoked: the person lives.
    Revived,
}

/// Civil status; the first five are those of QCVN 109:2017/BTTTT, where divorced and widowed share a code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CivilStatus {
    /// The entries do not say.
    #[default]
    Unknown,
    /// Born, and never married.
    Unmarried,
    /// In an open marriage.
    Married,
    /// The last marriage ended by divorce.
    Divorced,
    /// The last marriage ended by the death of the other spouse.
    Widowed,
    /// Dead.
    Dead,
}

/// One event of a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub turn: Turn,
    /// When, as far as it is known.
    pub date: Option<PartialDate>,
    /// The entries that say so, oldest key first.
    pub records: Vec<RecordKey>,
    /// The other spouse of the marriage that begins or ends.
    pub spouse: Option<Node>,
}

/// The events of a life in order, and what they leave the person as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Life {
    /// Oldest first.
    pub events: Vec<Event>,
    /// As of the last event.
    pub status: CivilStatus,
}

impl CivilStatus {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unmarried => "unmarried",
            Self::Married => "married",
            Self::Divorced => "divorced",
            Self::Widowed => "widowed",
            Self::Dead => "dead",
        }
    }
}

impl Turn {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Born => "born",
            Self::Married => "married",
            Self::Annulled => "annulled",
            Self::Divorced => "divorced",
            Self::Widowed => "widowed",
            Self::Died => "died",
            Self::Revived => "revived",
        }
    }
}

/// A death: its date as far as it is known, and the entry that says so.
pub type Death = (Option<PartialDate>, RecordKey);

/// The life of the person who is in these parts.
///
/// `linked` says whether two entries are one event, and `death_of` when somebody's spouse died, if the nation knows.
pub fn life(
    parts: &[Appearance<'_>],
    linked: impl Fn(RecordKey, RecordKey) -> bool,
    death_of: impl Fn(Node) -> Option<Death>,
) -> Life {
    let mut events: Vec<Event> = births(parts).into_iter().collect();
    let deaths = groups(parts, Role::Deceased, &linked);
    events.extend(deaths.iter().flat_map(|group| of_death(group)));
    for role in [Role::Husband, Role::Wife] {
        let marriages = groups(parts, role, &linked);
        events.extend(marriages.iter().flat_map(|group| of_marriage(group, &death_of)));
    }
    events.sort_by(|a, b| order(a).cmp(&order(b)));
    drop_what_follows_death(&mut events);
    let status = status(&events);
    Life { events, status }
}

/// The death of the person who is in these parts, unless it was revoked: for whoever asks about a spouse.
pub fn death(parts: &[Appearance<'_>], linked: impl Fn(RecordKey, RecordKey) -> bool) -> Option<Death> {
    let events = life(parts, linked, |_| None).events;
    standing_death(&events).map(|event| (event.date, event.records[0]))
}

fn order(event: &Event) -> impl Ord {
    (event.date.is_none(), event.date, event.turn, event.records.clone())
}

/// Every birth entry of one person is one birth, dated as fully as any of them says.
fn births(parts: &[Appearance<'_>]) -> Option<Event> {
    let own: Vec<Appearance<'_>> = parts.iter().filter(|part| part.person.role == Role::Child).copied().collect();
    (!own.is_empty()).then(|| event(Turn::Born, &own, |part| part.person.birth_date, None))
}

/// The entries in which the person has this role, one group an event.
fn groups<'a>(
    parts: &[Appearance<'a>],
    role: Role,
    linked: &impl Fn(RecordKey, RecordKey) -> bool,
) -> Vec<Vec<Appearance<'a>>> {
    let mut groups: Vec<Vec<Appearance<'a>>> = Vec::new();
    for part in parts.iter().filter(|part| part.person.role == role) {
        let one_event = |group: &Vec<Appearance<'a>>| group.iter().any(|other| linked(part.entry.key, other.entry.key));
        let (of_it, mut others): (Vec<_>, Vec<_>) = groups.into_iter().partition(one_event);
        others.push(of_it.into_iter().flatten().chain([*part]).collect());
        groups = others;
    }
    groups
}

/// An event that a group of entries tells; a full date goes before a partial one, then the earlier.
fn event(
    turn: Turn,
    group: &[Appearance<'_>],
    date: impl Fn(Appearance<'_>) -> Option<PartialDate>,
    spouse: Option<Node>,
) -> Event {
    let mut records: Vec<RecordKey> = group.iter().map(|part| part.entry.key).collect();
    records.sort_unstable();
    let date = group.iter().filter_map(|part| date(*part)).min_by_key(|date| (!date.is_full(), *date));
    Event { turn, date, records, spouse }
}

fn of_death(group: &[Appearance<'_>]) -> Vec<Event> {
    let of = |part: Appearance<'_>| match &part.entry.record.act {
        Act::Death(death) => (death.date, death.revoked_on),
        _ => (None, None),
    };
    let died = event(Turn::Died, group, |part| of(part).0, None);
    let revoked = group.iter().any(|part| of(*part).1.is_some());
    let revived = revoked.then(|| event(Turn::Revived, group, |part| of(part).1, None));
    std::iter::once(died).chain(revived).collect()
}

fn of_marriage(group: &[Appearance<'_>], death_of: &impl Fn(Node) -> Option<Death>) -> Vec<Event> {
    let other = |part: Appearance<'_>| {
        let role = if part.person.role == Role::Husband { Role::Wife } else { Role::Husband };
        Node::new(part.entry.key, role)
    };
    let of = |part: Appearance<'_>| match &part.entry.record.act {
        Act::Marriage(marriage) => [marriage.date, marriage.annulled_on, marriage.divorced_on],
        _ => [None; 3],
    };
    let spouse = group.iter().map(|part| other(*part)).min();
    let says = |at: usize| group.iter().any(|part| of(*part)[at].is_some());
    let mut events = vec![event(Turn::Married, group, |part| of(part)[0], spouse)];
    if says(1) {
        events.push(event(Turn::Annulled, group, |part| of(part)[1], spouse));
    } else if says(2) {
        events.push(event(Turn::Divorced, group, |part| of(part)[2], spouse));
    } else if let Some((date, record)) = group.iter().find_map(|part| death_of(other(*part))) {
        events.push(Event { turn: Turn::Widowed, date, records: vec![record], spouse });
    }
    events
}

/// The first death that was not revoked.
fn standing_death(events: &[Event]) -> Option<&Event> {
    let revoked = |death: &Event| events.iter().any(|it| it.turn == Turn::Revived && it.records == death.records);
    events.iter().find(|event| event.turn == Turn::Died && !revoked(event))
}

/// Whoever dies first is not widowed.
fn drop_what_follows_death(events: &mut Vec<Event>) {
    let Some(died) = standing_death(events).and_then(|death| death.date) else { return };
    events.retain(|event| event.turn != Turn::Widowed || !event.date.is_some_and(|date| died.definitely_before(date)));
}

/// What the events leave the person as.
fn status(events: &[Event]) -> CivilStatus {
    let ended = |spouse: Option<Node>| {
        let ends = |event: &Event| matches!(event.turn, Turn::Annulled | Turn::Divorced | Turn::Widowed);
        events.iter().any(|event| ends(event) && event.spouse == spouse)
    };
    let last = events.iter().rev().find_map(|event| match event.turn {
        Turn::Divorced => Some(CivilStatus::Divorced),
        Turn::Widowed => Some(CivilStatus::Widowed),
        _ => None,
    });
    if standing_death(events).is_some() {
        CivilStatus::Dead
    } else if events.iter().any(|event| event.turn == Turn::Married && !ended(event.spouse)) {
        CivilStatus::Married
    } else if let Some(last) = last {
        last
    } else if events.iter().any(|event| event.turn == Turn::Born) {
        CivilStatus::Unmarried
    } else {
        CivilStatus::Unknown
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::finding::Certainty;
    use crate::reading::Reading;
    use crate::scenario;

    /// Plays a script and tells the life of the person who is in `of`.
    fn check(script: &str, of: &str, expected: &str) {
        let memory = scenario::play(script);
        let readings: BTreeMap<RecordKey, Reading> =
            memory.records.iter().map(|(key, state)| (*key, Reading::of(*key, state.clone()))).collect();
        let parts = |who: Node| -> Vec<Appearance<'_>> {
            let person = memory.members.get(&who).map_or(who.alone().person, |member| member.person);
            let is = |node: Node| memory.members.get(&node).map_or(node.alone().person, |it| it.person) == person;
            let records = readings.iter().filter_map(|(key, reading)| Some((*key, reading.in_force()?)));
            records
                .flat_map(|(key, record)| {
                    let people = record.participants().filter(move |it| is(Node::new(key, it.role)));
                    people.map(move |person| Appearance { entry: Entry { key, record }, person })
                })
                .collect()
        };
        let linked = |a: RecordKey, b: RecordKey| {
            let links = memory.findings.values().filter(|finding| finding.certainty == Certainty::Link);
            links.into_iter().any(|finding| finding.records.contains(&a) && finding.records.contains(&b))
        };
        let death_of = |spouse: Node| death(&parts(spouse), linked);
        let life = life(&parts(scenario::node(of)), linked, death_of);
        let mut told: Vec<String> = life
            .events
            .iter()
            .map(|event| {
                let records: Vec<String> = event.records.iter().map(|key| scenario::short(*key)).collect();
                let date = event.date.map(|date| date.to_string()).unwrap_or_default();
                format!("{} {date} {}", event.turn.name(), records.join(" "))
            })
            .collect();
        told.push(life.status.name().to_owned());
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(told, expected, "{script}");
    }

    const TAM: &str = "husband_name=Bùi Văn Tám; husband_personal_number=001060123456";
    const TU: &str = "wife_name=Lê Thị Tư; wife_personal_number=001162000001";
    const TAM_DIED: &str = "40/1 death deceased_name=Bùi Văn Tám; deceased_personal_number=001060123456; event_date=";

    #[test]
    fn a_life_from_birth_to_death_counts_what_is_linked_once() {
        check(
            &format!(
                "01/1 birth child_name=Bùi Văn Tám; child_birth_date=02.03.1960; child_personal_number=001060123456
                 79/1 marriage number=1; {TAM}; {TU}; event_date=05.05.1985
                 79/2 marriage number=2; {TAM}; {TU}; event_date=05.05.1985
                 {TAM_DIED}06.06.2006"
            ),
            "01/1#child",
            "born 02.03.1960 01/1
             married 05.05.1985 79/1 79/2
             died 06.06.2006 40/1
             dead",
        );
    }

    #[test]
    fn the_death_of_one_spouse_widows_the_other() {
        let script = format!("79/1 marriage {TAM}; {TU}; event_date=1985\n{TAM_DIED}2006");
        check(&script, "79/1#wife", "married 1985 79/1\nwidowed 2006 40/1\nwidowed");
        let both = format!(
            "{script}\n40/2 death deceased_name=Lê Thị Tư; deceased_personal_number=001162000001; event_date=2001"
        );
        check(&both, "79/1#wife", "married 1985 79/1\ndied 2001 40/2\ndead");
    }

    #[test]
    fn a_divorce_ends_one_marriage_and_a_later_one_is_open() {
        let first = format!("79/1 marriage {TAM}; {TU}; event_date=1985; divorced_on=1990");
        check(&first, "79/1#husband", "married 1985 79/1\ndivorced 1990 79/1\ndivorced");
        check(
            &format!("{first}\n79/2 marriage {TAM}; wife_name=Ngô Thị Năm; event_date=1995"),
            "79/1#husband",
            "married 1985 79/1\ndivorced 1990 79/1\nmarried 1995 79/2\nmarried",
        );
    }

    #[test]
    fn a_divorce_ends_a_marriage_whose_own_date_is_not_known() {
        let undated = format!("79/1 marriage {TAM}; {TU}; divorced_on=1990");
        check(&undated, "79/1#wife", "divorced 1990 79/1\nmarried  79/1\ndivorced");
    }

    #[test]
    fn an_annulled_marriage_was_none() {
        check(
            &format!(
                "01/1 birth child_name=Bùi Văn Tám; child_birth_date=02.03.1960; child_personal_number=001060123456
                 79/1 marriage {TAM}; {TU}; event_date=1985; annulled_on=1986"
            ),
            "01/1#child",
            "born 02.03.1960 01/1\nmarried 1985 79/1\nannulled 1986 79/1\nunmarried",
        );
    }

    #[test]
    fn a_revoked_death_leaves_the_person_as_before_and_widows_nobody() {
        let script = format!("79/1 marriage {TAM}; {TU}; event_date=1985\n{TAM_DIED}2006; revoked_on=2008");
        check(&script, "79/1#husband", "married 1985 79/1\ndied 2006 40/1\nrevived 2008 40/1\nmarried");
        check(&script, "79/1#wife", "married 1985 79/1\nmarried");
    }

    #[test]
    fn a_withdrawn_entry_is_out_of_it_and_a_mother_is_unknown_by_her_child() {
        let script = format!("79/1 marriage {TAM}; {TU}; event_date=1985\n79/1 cancel\n{TAM_DIED}2006");
        check(&script, "40/1#deceased", "died 2006 40/1\ndead");
        check("01/1 birth child_name=Hồ Văn Ba; mother_name=Lê Thị Mai", "01/1#mother", "unknown");
    }
}
