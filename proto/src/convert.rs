//! Numbers and bytes of the wire become typed values here, and nowhere else.

use std::collections::BTreeMap;

use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Seq};
use thiserror::Error;

use crate::position::{Cursor, SEQ_MAX};
use crate::v1;

/// The most bytes of an agent's release name; it goes into the hub's reports.
pub const AGENT_VERSION_BYTES_MAX: usize = 64;

/// A message that says something it cannot mean; the other side's program is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {problem}; the other side does not follow this release's protocol")]
pub struct WireError {
    /// Message and field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl WireError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// What an agent says first, with every value understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The province.
    pub origin: Origin,
    /// The incarnation of its store.
    pub epoch: Epoch,
    /// The agent's release.
    pub agent_version: String,
    /// The last sealed change of every lane; 0 for an empty lane.
    pub heads: BTreeMap<Lane, Seq>,
    /// The last notice the store holds.
    pub notice_position: u64,
    /// The incarnation of the nation that said it; 0 when the store knows none.
    pub nation: u64,
}

impl From<Hello> for v1::Hello {
    fn from(hello: Hello) -> Self {
        let head = |(lane, seq): (&Lane, &Seq)| v1::LaneHead { lane: lane_number(*lane), sealed_seq: seq.0 };
        Self {
            province: hello.origin.to_string(),
            epoch: hello.epoch.0,
            agent_version: hello.agent_version,
            heads: hello.heads.iter().map(head).collect(),
            notice_position: hello.notice_position,
            nation: hello.nation,
        }
    }
}

impl TryFrom<v1::Hello> for Hello {
    type Error = WireError;

    fn try_from(hello: v1::Hello) -> Result<Self, WireError> {
        let origin = hello.province.parse();
        let origin = origin.map_err(|error| WireError::new("Hello.province", format!("{error}")))?;
        if hello.agent_version.len() > AGENT_VERSION_BYTES_MAX {
            let problem = format!("{} bytes, at most {AGENT_VERSION_BYTES_MAX}", hello.agent_version.len());
            return Err(WireError::new("Hello.agent_version", problem));
        }
        if hello.agent_version.chars().any(char::is_control) {
            // It is shown on terminals, which obey such characters.
            return Err(WireError::new("Hello.agent_version", "holds control characters"));
        }
        let mut heads: BTreeMap<_, _> = Lane::ALL.map(|lane| (lane, Seq(0))).into();
        if hello.heads.len() > heads.len() {
            return Err(WireError::new("Hello.heads", "more heads than lanes"));
        }
        for head in &hello.heads {
            heads.insert(lane(head.lane, "LaneHead.lane")?, seq(head.sealed_seq, "LaneHead.sealed_seq")?);
        }
        let notice_position = seq(hello.notice_position, "Hello.notice_position")?.0;
        let (epoch, nation) = (Epoch(hello.epoch), hello.nation);
        Ok(Self { origin, epoch, agent_version: hello.agent_version, heads, notice_position, nation })
    }
}

/// The cursor as the hub says it, with how far the lane is in the national registry.
#[must_use]
pub fn cursor_out(cursor: &Cursor, applied: Seq) -> v1::Cursor {
    v1::Cursor {
        lane: lane_number(cursor.lane),
        epoch: cursor.epoch.0,
        seq: cursor.seq.0,
        chain: cursor.chain.0.to_vec(),
        applied_seq: applied.0,
    }
}

/// The hub's cursor, and how far the lane is in the national registry.
///
/// # Errors
/// An unknown lane, a place out of range, a chain that is no hash, or more applied than received.
pub fn cursor_in(cursor: &v1::Cursor) -> Result<(Cursor, Seq), WireError> {
    let applied = seq(cursor.applied_seq, "Cursor.applied_seq")?;
    let typed = Cursor {
        epoch: Epoch(cursor.epoch),
        lane: lane(cursor.lane, "Cursor.lane")?,
        seq: seq(cursor.seq, "Cursor.seq")?,
        chain: hash(&cursor.chain, "Cursor.chain")?,
    };
    if applied > typed.seq {
        return Err(WireError::new("Cursor.applied_seq", format!("{applied} is after {}", typed.seq)));
    }
    Ok((typed, applied))
}

/// The lane's number on the wire.
#[must_use]
pub fn lane_number(lane: Lane) -> i32 {
    i32::from(lane.number())
}

/// The lane with this number.
///
/// # Errors
/// No lane of this release has the number.
pub fn lane(number: i32, field: &'static str) -> Result<Lane, WireError> {
    let lane = u8::try_from(number).ok().and_then(Lane::from_number);
    lane.ok_or_else(|| WireError::new(field, format!("lane {number} is not known")))
}

/// The place with this number.
///
/// # Errors
/// The number is greater than [`SEQ_MAX`].
pub fn seq(number: u64, field: &'static str) -> Result<Seq, WireError> {
    if number > SEQ_MAX.0 {
        return Err(WireError::new(field, format!("{number} is greater than {SEQ_MAX}")));
    }
    Ok(Seq(number))
}

/// The hash with these bytes.
///
/// # Errors
/// There are not exactly 32 bytes.
pub fn hash(bytes: &[u8], field: &'static str) -> Result<Hash256, WireError> {
    Hash256::from_slice(bytes).ok_or_else(|| WireError::new(field, format!("{} bytes instead of 32", bytes.len())))
}

/// The record key with this number.
///
/// # Errors
/// The number is 0 or has more than 63 bits.
pub fn record_id(number: u64, field: &'static str) -> Result<RecordId, WireError> {
    let id = i64::try_from(number).ok().and_then(RecordId::from_number);
    id.ok_or_else(|| WireError::new(field, format!("{number} is not a record key")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hello() -> Hello {
        Hello {
            origin: "01@2008".parse().unwrap(),
            epoch: Epoch(7),
            agent_version: "0.1.0".into(),
            heads: [(Lane::Live, Seq(1)), (Lane::Repair, Seq(0)), (Lane::Backlog, Seq(9))].into(),
            notice_position: 3,
            nation: 11,
        }
    }

    #[test]
    fn what_is_said_is_understood() {
        assert_eq!(Hello::try_from(v1::Hello::from(hello())), Ok(hello()));
        let cursor = Cursor::start(hello().origin, Epoch(7), Lane::Repair);
        let cursor = Cursor { seq: Seq(5), ..cursor };
        assert_eq!(cursor_in(&cursor_out(&cursor, Seq(4))), Ok((cursor, Seq(4))));
        for lane in Lane::ALL {
            assert_eq!(super::lane(lane_number(lane), "lane"), Ok(lane));
            assert_eq!(v1::Lane::try_from(lane_number(lane)).unwrap().as_str_name()[5..].to_lowercase(), lane.name());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let check = |change: fn(&mut v1::Hello), field: &str| {
            let mut hello = hello().into();
            change(&mut hello);
            assert_eq!(Hello::try_from(hello).unwrap_err().field, field);
        };
        check(|hello| hello.province = "Hà Nội".into(), "Hello.province");
        check(|hello| hello.agent_version = "1".repeat(65), "Hello.agent_version");
        check(|hello| hello.agent_version = "\u{1b}[2J".into(), "Hello.agent_version");
        check(|hello| hello.heads[0].lane = 0, "LaneHead.lane");
        check(|hello| hello.heads[0].lane = -1, "LaneHead.lane");
        check(|hello| hello.heads[0].sealed_seq = u64::MAX, "LaneHead.sealed_seq");
        check(|hello| hello.heads.extend(hello.heads.clone()), "Hello.heads");
        check(|hello| hello.notice_position = 1 << 63, "Hello.notice_position");

        let check = |change: fn(&mut v1::Cursor), field: &str| {
            let mut cursor = cursor_out(&Cursor::start(hello().origin, Epoch(7), Lane::Live), Seq(0));
            change(&mut cursor);
            assert_eq!(cursor_in(&cursor).unwrap_err().field, field);
        };
        check(|cursor| cursor.lane = 4, "Cursor.lane");
        check(|cursor| cursor.seq = 1 << 63, "Cursor.seq");
        check(|cursor| cursor.chain.truncate(31), "Cursor.chain");
        check(|cursor| cursor.applied_seq = 1, "Cursor.applied_seq");
        assert!(record_id(0, "id").is_err() && record_id(1 << 63, "id").is_err() && record_id(1, "id").is_ok());
    }
}
