//! Scenario scripts for rule tests: entries and answers in, a transcript of links, cases and persons out.
//!
//! A line is `KEY KIND field=value; ...` (the next version of that record), `KEY cancel`, or
//! `answer RULE KEY KEY ANSWER`. Every script is played forwards, backwards, all at once and twice over; one
//! transcript and one digest must come out.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field};
use registry_schema::ids::{PersonId, RecordKey, Version};
use registry_schema::kind::{Kind, Status};

use crate::arrival::{Arrival, State};
use crate::finding::{Certainty, FindingId, Rule};
use crate::memory::Memory;
use crate::node::Node;
use crate::policy::Policy;
use crate::reading::{Reading, Standing};
use crate::verdict::{Answer, Verdict};

/// Plays a script in several orders under the default policy and compares the transcript.
pub(crate) fn check(script: &str, expected: &str) {
    check_under(&Policy::default(), script, expected);
}

/// Plays a script in several orders under a policy and compares the transcript.
pub(crate) fn check_under(policy: &Policy, script: &str, expected: &str) {
    let arrivals = parse(script);
    let play = |batches: &mut dyn Iterator<Item = Vec<Arrival>>| {
        let mut memory = Memory::under(policy.clone());
        batches.for_each(|batch| memory.take(batch));
        memory
    };
    let one_by_one = play(&mut arrivals.iter().map(|arrival| vec![arrival.clone()]));
    let mut expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    expected.sort_unstable();
    assert_eq!(transcript(&one_by_one), expected.join("\n"), "\nscript:{script}");
    for (how, other) in [
        ("backwards", play(&mut arrivals.iter().rev().map(|arrival| vec![arrival.clone()]))),
        ("all at once", play(&mut std::iter::once(arrivals.clone()))),
        ("twice over", play(&mut [arrivals.clone(), arrivals.iter().rev().cloned().collect()].into_iter())),
    ] {
        assert_eq!(transcript(&other), transcript(&one_by_one), "{how}\nscript:{script}");
        assert_eq!(other.digests, one_by_one.digests, "{how}\nscript:{script}");
    }
}

/// Plays a script once, under the default policy.
pub(crate) fn play(script: &str) -> Memory {
    let mut memory = Memory::default();
    parse(script).into_iter().for_each(|arrival| memory.take([arrival]));
    memory
}

/// The participant that `01/1#child` names.
pub(crate) fn node(short: &str) -> Node {
    let (record, role) = short.split_once('#').unwrap();
    Node::new(key(record), registry_schema::field::Role::parse(role).unwrap())
}

/// The arrivals of a script.
pub(crate) fn parse(script: &str) -> Vec<Arrival> {
    let mut drafts: BTreeMap<RecordKey, (u32, Draft)> = BTreeMap::new();
    let mut clock = 0;
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            clock += 1;
            let (first, rest) = line.split_once(' ').unwrap();
            if first == "answer" { answer(rest, clock) } else { state(&mut drafts, key(first), rest, clock) }
        })
        .collect()
}

pub(crate) fn key(short: &str) -> RecordKey {
    let (province, id) = short.split_once('/').unwrap();
    format!("{province}@2008/{id}").parse().unwrap()
}

pub(crate) fn short(key: RecordKey) -> String {
    format!("{:02}/{}", key.origin.code(), key.id)
}

fn state(drafts: &mut BTreeMap<RecordKey, (u32, Draft)>, key: RecordKey, text: &str, clock: u64) -> Arrival {
    let (word, fields) = text.split_once(' ').unwrap_or((text, ""));
    let (version, draft) = drafts.entry(key).or_insert_with(|| {
        let authority = format!("{:02}.00001", key.origin.code());
        (0, Draft::new(Kind::parse(word).unwrap()).with(Field::entry(Attribute::Authority), &authority))
    });
    *version += 1;
    for field in fields.split(';').filter(|field| !field.trim().is_empty()) {
        let (name, value) = field.split_once('=').unwrap();
        let field = Field::parse(name.trim()).unwrap_or_else(|| panic!("no field {name}"));
        draft.set(field, value);
    }
    let status = if word == "cancel" { Status::Cancelled } else { Status::Active };
    let bytes = canonical::encode(draft, status);
    Arrival::State(key, State::new(Version(*version), Hlc::from_number(clock), bytes))
}

fn answer(text: &str, clock: u64) -> Arrival {
    let words: Vec<&str> = text.split(' ').collect();
    let mut records: Vec<RecordKey> = words[1..words.len() - 1].iter().map(|word| key(word)).collect();
    records.sort_unstable();
    Arrival::Verdict(Verdict {
        case: FindingId::of(Rule::parse(words[0]).unwrap(), &records),
        records,
        answer: Answer::parse(words[words.len() - 1]).unwrap(),
        chosen: None,
        operator: "lan".to_owned(),
        clock: Hlc::from_number(clock),
        reason: "seen in the book".to_owned(),
    })
}

pub(crate) fn transcript(memory: &Memory) -> String {
    let mut lines: Vec<String> = memory
        .findings
        .values()
        .map(|finding| {
            let mut line = String::from(if finding.certainty == Certainty::Link { "link " } else { "case " });
            line.push_str(finding.rule.name());
            finding.records.iter().for_each(|key| write!(line, " {}", short(*key)).unwrap());
            finding.answer.iter().for_each(|answer| write!(line, " answered {}", answer.name()).unwrap());
            line
        })
        .collect();
    let mut persons: BTreeMap<PersonId, Vec<Node>> = BTreeMap::new();
    for (node, membership) in &memory.members {
        persons.entry(membership.person).or_default().push(*node);
    }
    for nodes in persons.values().filter(|nodes| nodes.len() > 1) {
        let names: Vec<String> = nodes.iter().map(|node| format!("{}#{}", short(node.key), node.role.name())).collect();
        lines.push(format!("person {}", names.join(" ")));
    }
    for (key, state) in &memory.records {
        let reading = Reading::of(*key, state.clone());
        if reading.standing() == Standing::Rejected {
            let fields: Vec<String> =
                reading.content.unwrap_err().into_iter().map(|violation| violation.field).collect();
            lines.push(format!("rejected {} {}", short(*key), fields.join(" ")));
        }
    }
    lines.sort();
    lines.join("\n")
}
