//! What is spooled, and its bytes: fixed columns, little end first, and variable ones with their length.

use std::sync::Arc;

use hub_rules::State;
use hub_rules::matching::Sketch;
use hub_rules::node::Node;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::field::Role;
use registry_schema::ids::{Origin, RecordId, RecordKey, Version};

use super::spool::Item;

/// A state as it arrived.
pub(super) struct Arrived {
    /// Of which record.
    pub(super) key: RecordKey,
    /// The state.
    pub(super) state: State,
}

/// A state of a record that has a number, or, once it is dealt, a batch.
pub(super) struct Numbered {
    /// The number.
    pub(super) number: u32,
    /// The state.
    pub(super) arrived: Arrived,
}

/// A part of a record that stands in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stand {
    /// The block.
    pub(super) block: i64,
    /// The record's number.
    pub(super) number: u32,
    /// The part.
    pub(super) node: Node,
    /// The record's sketch.
    pub(super) sketch: Sketch,
}

impl Stand {
    /// Whether it may be like another one in the block.
    pub(super) fn may_be_like(&self, other: &Self) -> bool {
        self.number != other.number && self.sketch.may_be_alike(self.node.role, &other.sketch, other.node.role)
    }
}

/// Somebody who stands in a block beside a later batch.
pub(super) struct Beside {
    /// The later batch.
    pub(super) batch: u32,
    /// The block.
    pub(super) block: i64,
    /// Who.
    pub(super) node: Node,
}

impl Item for Arrived {
    fn put(&self, bytes: &mut Vec<u8>) {
        put_key(bytes, self.key);
        bytes.extend(self.state.version.0.to_le_bytes());
        bytes.extend(self.state.clock.number().to_le_bytes());
        bytes.extend(self.state.content_hash.0);
        bytes.extend(u32::try_from(self.state.canonical.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(&*self.state.canonical);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let key = take_key(bytes)?;
        let version = Version(u32::from_le_bytes(array(bytes)?));
        let clock = Hlc::from_number(u64::from_le_bytes(array(bytes)?));
        let content_hash = Hash256(array(bytes)?);
        let length = usize::try_from(u32::from_le_bytes(array(bytes)?)).ok()?;
        let canonical = Arc::from(bytes.split_off(..length)?);
        Some(Self { key, state: State { version, clock, content_hash, canonical } })
    }
}

impl Item for Numbered {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.number.to_le_bytes());
        self.arrived.put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { number: u32::from_le_bytes(array(bytes)?), arrived: Arrived::take(bytes)? })
    }
}

impl Item for Stand {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.block.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        put_node(bytes, self.node);
        self.sketch.put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let block = i64::from_le_bytes(array(bytes)?);
        let (number, node) = (u32::from_le_bytes(array(bytes)?), take_node(bytes)?);
        Some(Self { block, number, node, sketch: Sketch::take(bytes)? })
    }
}

impl Item for Beside {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.batch.to_le_bytes());
        bytes.extend(self.block.to_le_bytes());
        put_node(bytes, self.node);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let batch = u32::from_le_bytes(array(bytes)?);
        Some(Self { batch, block: i64::from_le_bytes(array(bytes)?), node: take_node(bytes)? })
    }
}

fn put_key(bytes: &mut Vec<u8>, key: RecordKey) {
    bytes.extend(key.origin.number().to_le_bytes());
    bytes.extend(key.id.number().to_le_bytes());
}

fn take_key(bytes: &mut &[u8]) -> Option<RecordKey> {
    let origin = Origin::from_number(u16::from_le_bytes(array(bytes)?))?;
    Some(RecordKey { origin, id: RecordId::from_number(i64::from_le_bytes(array(bytes)?))? })
}

fn put_node(bytes: &mut Vec<u8>, node: Node) {
    put_key(bytes, node.key);
    bytes.push(node.role.code());
}

fn take_node(bytes: &mut &[u8]) -> Option<Node> {
    let key = take_key(bytes)?;
    Some(Node::new(key, Role::from_code(array::<1>(bytes)?[0])?))
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use hub_rules::islands::Settled;
    use registry_schema::canonical;
    use registry_schema::draft::Draft;
    use registry_schema::field::{Attribute, Field};
    use registry_schema::kind::{Kind, Status};

    use super::*;

    #[test]
    fn items_are_read_as_they_were_written_and_never_beyond_their_end() {
        let key: RecordKey = "01@2008/77".parse().unwrap();
        let state = State::new(Version(3), Hlc::from_number(9), b"canonical".as_slice());
        let items = [Numbered { number: 5, arrived: Arrived { key, state } }];
        let mut bytes = Vec::new();
        items.iter().for_each(|item| item.put(&mut bytes));
        let read = Numbered::take(&mut bytes.as_slice()).unwrap();
        assert_eq!((read.number, read.arrived.key), (5, key));
        assert_eq!(read.arrived.state, items[0].arrived.state);
        for end in 0..bytes.len() {
            assert!(Numbered::take(&mut &bytes[..end]).is_none(), "cut at {end}");
        }
        let birth = Draft::new(Kind::Birth)
            .with(Field::entry(Attribute::Authority), "01.00001")
            .with(Field::new(Role::Child, Attribute::Name), "Trần Văn An")
            .with(Field::new(Role::Mother, Attribute::Name), "Lê Thị Mai");
        let state = State::new(Version(1), Hlc::from_number(1), canonical::encode(&birth, Status::Active));
        let sketch = Settled::of(key, [state]).unwrap().sketch.unwrap();
        let stand = Stand { block: -3, number: 7, node: Node::new(key, Role::Mother), sketch };
        let mut bytes = Vec::new();
        stand.put(&mut bytes);
        assert_eq!(Stand::take(&mut bytes.as_slice()), Some(stand));
        assert!((0..bytes.len()).all(|end| Stand::take(&mut &bytes[..end]).is_none()));
    }
}
