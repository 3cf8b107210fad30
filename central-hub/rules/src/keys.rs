//! Block keys: records that share one are compared, others never are.
//!
//! A key is a stable 63-bit hash of a typed tuple of normal values. Which keys a record has depends on that record alone.

use registry_schema::digest::hash63;
use registry_schema::field::Role;
use registry_schema::ids::RecordKey;
use registry_schema::record::{Act, Participant, Record};

use crate::node::Node;
use crate::reading::Entry;

/// Every block key of a record in force, with the part of the record that stands in the block.
#[must_use]
pub fn of(key: RecordKey, record: &Record, natural_block: Option<i64>) -> Vec<(i64, Node)> {
    let mut keys = Vec::with_capacity(8);
    keys.extend(natural_block.map(|block| (block, Node::new(key, Role::Entry))));
    for participant in record.participants() {
        let node = Node::new(key, participant.role);
        keys.extend(by_number(participant).map(|hash| (hash, node)));
        if !matches!(participant.role, Role::Mother | Role::Father) {
            keys.extend(by_name_and_date(participant).map(|hash| (hash, node)));
        }
    }
    if let Some(hash) = by_couple(record) {
        keys.extend([Role::Husband, Role::Wife].map(|role| (hash, Node::new(key, role))));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The block of a natural key, when the record has one.
#[must_use]
pub fn natural_block(key: RecordKey, record: &Record) -> Option<i64> {
    (Entry { key, record }).natural_key().map(|natural| natural.hash())
}

fn by_number(participant: &Participant) -> Option<i64> {
    let number = participant.personal_number?;
    Some(hash63("hotich block number", &[&number.as_u64().to_be_bytes()]))
}

fn by_name_and_date(participant: &Participant) -> Option<i64> {
    let date = participant.birth_date.filter(|date| date.is_full())?;
    let name = participant.name.folded();
    (!name.is_empty()).then(|| hash63("hotich block name date", &[name.as_bytes(), date.to_string().as_bytes()]))
}

fn by_couple(record: &Record) -> Option<i64> {
    let Act::Marriage(marriage) = &record.act else { return None };
    let date = marriage.date.filter(|date| date.is_full())?;
    let (husband, wife) = (marriage.husband.name.folded(), marriage.wife.name.folded());
    let date = date.to_string();
    let parts = [husband.as_bytes(), wife.as_bytes(), date.as_bytes()];
    (!husband.is_empty() && !wife.is_empty()).then(|| hash63("hotich block couple", &parts))
}
