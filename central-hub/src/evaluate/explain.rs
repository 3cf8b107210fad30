//! Why two participants are one person or not: the lines of their score.

use hub_rules::bulk::Linker;
use hub_rules::matching::Waterfall;
use hub_rules::node::Node;
use registry_schema::field::Role;
use serde::Serialize;
use thiserror::Error;

use super::names::Names;
use super::sample::{Sample, Zone, is_principal};
use super::truth::{only_principal, role_of};

/// Two participants with what speaks for one person and what against. Holds personal data: for the screen of who
/// asked, not for logs.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// One, as RECORD#role.
    pub a: String,
    /// The other.
    pub b: String,
    /// As what they were compared: one event, or one life.
    pub sense: Option<&'static str>,
    /// The score; absent where the two cannot be compared.
    pub bits: Option<f64>,
    /// Where it lies.
    pub zone: Option<Zone>,
    /// What forbids that they are one person, whatever the score, in English.
    pub bar: Option<String>,
    /// What counted, in order.
    pub lines: Vec<LineReport>,
}

/// One line of a score.
#[derive(Debug, Serialize)]
pub struct LineReport {
    /// What was compared.
    pub criterion: &'static str,
    /// In words, in English.
    pub english: String,
    /// In words, in Vietnamese.
    pub vietnamese: String,
    /// What it counts.
    pub bits: f64,
    /// The sum so far.
    pub total: f64,
}

/// Two participants that cannot be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// There is no such record.
    #[error("{0} is no record of this set, or none in force")]
    NoRecord(String),
    /// The record has nobody in this role.
    #[error("{0} has no such person; its people are: {1}")]
    NoRole(String, String),
    /// Several people could be meant.
    #[error("say whom of {0} you mean: {1}")]
    WhichRole(String, String),
}

/// A record and, if it was said, a role in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// What the record is called.
    pub record: String,
    /// The role.
    pub role: Option<Role>,
}

impl Participant {
    /// Reads `RECORD` or `RECORD#role`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let with_role = text.rsplit_once('#').and_then(|(record, role)| Some((record, role_of(role)?)));
        let (record, role) = with_role.map_or((text, None), |(record, role)| (record, Some(role)));
        Self { record: record.trim().to_owned(), role }
    }

    fn nodes<'s>(&self, names: &Names, sample: &'s Sample) -> Result<&'s [Node], ExplainError> {
        let nodes = names.key(&self.record).map(|key| sample.of_record(key)).unwrap_or_default();
        if nodes.is_empty() { Err(ExplainError::NoRecord(self.record.clone())) } else { Ok(nodes) }
    }
}

/// The pairs of participants that two words mean: one, or both spouses where two marriages are named without roles.
///
/// # Errors
/// There is no such record or role, or several people could be meant.
pub fn pairs(
    a: &Participant,
    b: &Participant,
    names: &Names,
    sample: &Sample,
) -> Result<Vec<(Node, Node)>, ExplainError> {
    let (of_a, of_b) = (a.nodes(names, sample)?, b.nodes(names, sample)?);
    if (a.role, b.role) == (None, None) {
        let both = of_a.iter().filter(|node| is_principal(node.role));
        let same: Vec<_> =
            both.filter_map(|node| Some((*node, *of_b.iter().find(|other| other.role == node.role)?))).collect();
        if !same.is_empty() {
            return Ok(same);
        }
    }
    let one = pick(a, of_a, b.role)?;
    let other = pick(b, of_b, a.role)?;
    Ok(vec![(one, other)])
}

/// The participant that is meant: by the role that was said, else by the role of the other, else the only principal.
fn pick(wanted: &Participant, nodes: &[Node], other: Option<Role>) -> Result<Node, ExplainError> {
    let by = |role: Role| nodes.iter().find(|node| node.role == role).copied();
    let people = || nodes.iter().map(|node| format!("{}#{}", wanted.record, node.role.name())).collect::<Vec<_>>();
    if let Some(role) = wanted.role {
        let absent = || ExplainError::NoRole(format!("{}#{}", wanted.record, role.name()), people().join(", "));
        return by(role).ok_or_else(absent);
    }
    let found = other.and_then(by).or_else(|| only_principal(nodes).and_then(by));
    found.ok_or_else(|| ExplainError::WhichRole(wanted.record.clone(), people().join(", ")))
}

impl Explanation {
    /// The score of two participants, in words.
    #[must_use]
    pub fn of(linker: &Linker, names: &Names, a: Node, b: Node) -> Self {
        let name = |node: Node| format!("{}#{}", names.name(node.key), node.role.name());
        Self::new(name(a), name(b), linker.explain(a, b))
    }

    fn new(a: String, b: String, waterfall: Option<Waterfall>) -> Self {
        let Some(waterfall) = waterfall else {
            return Self { a, b, sense: None, bits: None, zone: None, bar: None, lines: Vec::new() };
        };
        let mut total = 0;
        let lines = waterfall.lines.into_iter().map(|line| {
            total += line.millibits;
            LineReport {
                criterion: line.criterion,
                english: line.english,
                vietnamese: line.vietnamese,
                bits: bits(line.millibits),
                total: bits(total),
            }
        });
        Self {
            a,
            b,
            sense: Some(waterfall.sense),
            lines: lines.collect(),
            bits: Some(bits(waterfall.total_millibits)),
            zone: Some(waterfall.zone.into()),
            bar: waterfall.bar.map(|evidence| evidence.english),
        }
    }
}

fn bits(millibits: i32) -> f64 {
    f64::from(millibits) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::sample::tests::sample;
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, expected: &str) {
        let (sample, _) = sample(&[
            "1#child 1 1",
            "1#mother 2 2",
            "2#child 1 1",
            "3#husband 1 1",
            "3#wife 3 3",
            "4#husband 4 4",
            "4#wife 5 5",
            "5#deceased 6 6",
        ]);
        let participant = |text: &str| Participant::parse(&format!("01@2008/{text}"));
        let found = match pairs(&participant(a), &participant(b), &Names::Keys, &sample) {
            Ok(pairs) => pairs.iter().map(|(a, b)| format!("{a} {b}")).collect::<Vec<_>>().join(", "),
            Err(error) => error.to_string(),
        };
        assert_eq!(found.replace("01@2008/", ""), expected);
    }

    #[test]
    fn roles_may_be_left_out_where_they_are_plain() {
        check("1", "2", "1#child 2#child");
        check("1#child", "5", "1#child 5#deceased");
        check("1", "5", "1#child 5#deceased");
        check("3", "4", "3#husband 4#husband, 3#wife 4#wife");
        check("3#groom", "4", "3#husband 4#husband");
        check("2", "3#wife", "2#child 3#wife");
        check("2", "3", "say whom of 3 you mean: 3#husband, 3#wife");
        check("2#father", "1", "2#father has no such person; its people are: 2#child");
        check("9", "1", "9 is no record of this set, or none in force");
    }

    #[test]
    fn a_mark_that_is_no_role_belongs_to_the_name() {
        let parsed = Participant::parse("rec#7");
        assert_eq!((parsed.record.as_str(), parsed.role), ("rec#7", None));
    }
}
