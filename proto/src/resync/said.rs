//! What the hub says in a comparison, with every value understood.

use std::collections::BTreeMap;

use registry_schema::clock::Hlc;
use registry_schema::digest::SetSum;
use registry_schema::holdings::{Block, Bucket, Buckets, CELLS_MAX, HOLDINGS_VERSION, KeyId};
use registry_schema::ids::{Epoch, Lane, RecordId, Seq, Version};
use registry_schema::kind::Kind;

use super::WANTED_MAX;
use crate::convert::{self, WireError};
use crate::frame::Change;
use crate::v1;

/// A place of each lane; a lane without a change has place 0.
pub type Places = BTreeMap<Lane, Seq>;

/// A message of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A comparison begins, or goes on with a finer one.
    Offer(Offer),
    /// Cells that were asked for.
    Block(u64, Block),
    /// Sums that were asked for.
    Buckets(u64, Buckets),
    /// States that were asked for, and whether they are the last.
    States(u64, Vec<Change>, bool),
}

/// What the hub holds at one place of the lanes.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The comparison.
    pub id: u64,
    /// The incarnation of the store.
    pub epoch: Epoch,
    /// The last applied change of every lane.
    pub applied: Places,
    /// The sum and number of all tags in question.
    pub root: SetSum,
    /// Which key the sums are made with.
    pub key: KeyId,
    /// How many cells the hub can send.
    pub cells: usize,
    /// The corners in question; none means all.
    pub of: Vec<Bucket>,
    /// Whether the agent is to look at every row first.
    pub deep: bool,
    /// Whether nothing is to be repaired.
    pub dry_run: bool,
    /// How many records may be repaired without asking again.
    pub repairs_max: u64,
    /// Records that the hub lost: to be sent again.
    pub wanted: Vec<RecordId>,
}

impl From<&Offer> for v1::ResyncOffer {
    fn from(offer: &Offer) -> Self {
        let head = |(lane, seq): (&Lane, &Seq)| v1::LaneHead { lane: convert::lane_number(*lane), sealed_seq: seq.0 };
        Self {
            resync_id: offer.id,
            epoch: offer.epoch.0,
            applied: offer.applied.iter().filter(|(_, seq)| seq.0 > 0).map(head).collect(),
            root: offer.root.to_bytes().to_vec(),
            count: offer.root.count(),
            holdings_version: u32::from(HOLDINGS_VERSION),
            key_id: offer.key.0.to_vec(),
            cells: offer.cells as u32,
            of: offer.of.iter().copied().map(bucket_out).collect(),
            deep: offer.deep,
            dry_run: offer.dry_run,
            repairs_max: offer.repairs_max,
            wanted: offer.wanted.iter().map(|id| id.number().cast_unsigned()).collect(),
        }
    }
}

impl TryFrom<v1::ResyncOffer> for Offer {
    type Error = WireError;

    fn try_from(offer: v1::ResyncOffer) -> Result<Self, WireError> {
        if offer.holdings_version != u32::from(HOLDINGS_VERSION) {
            let problem = format!("{} is not the version of this release", offer.holdings_version);
            return Err(WireError::new("ResyncOffer.holdings_version", problem));
        }
        let mut applied: Places = Lane::ALL.map(|lane| (lane, Seq(0))).into();
        for head in &offer.applied {
            let lane = convert::lane(head.lane, "ResyncOffer.applied")?;
            applied.insert(lane, convert::seq(head.sealed_seq, "ResyncOffer.applied")?);
        }
        if offer.wanted.len() > WANTED_MAX {
            return Err(WireError::new("ResyncOffer.wanted", format!("more than {WANTED_MAX}")));
        }
        let wanted = offer.wanted.iter().map(|id| convert::record_id(*id, "ResyncOffer.wanted"));
        let root = convert::hash(&offer.root, "ResyncOffer.root")?;
        let key = offer.key_id.as_slice().try_into().map(KeyId);
        Ok(Self {
            id: offer.resync_id,
            epoch: Epoch(offer.epoch),
            applied,
            root: SetSum::from_parts(&root.0, offer.count),
            key: key.map_err(|_| WireError::new("ResyncOffer.key_id", "not 8 bytes"))?,
            cells: (offer.cells as usize).min(CELLS_MAX),
            of: buckets_in(&offer.of, "ResyncOffer.of")?,
            deep: offer.deep,
            dry_run: offer.dry_run,
            repairs_max: offer.repairs_max,
            wanted: wanted.collect::<Result<_, _>>()?,
        })
    }
}

impl Said {
    pub(crate) fn block(block: &v1::ResyncBlock) -> Result<Self, WireError> {
        let decoded = Block::decode(&block.block);
        let decoded = decoded.map_err(|error| WireError::new("ResyncBlock.block", error.to_string()))?;
        Ok(Self::Block(block.resync_id, decoded))
    }

    pub(crate) fn buckets(buckets: &v1::ResyncBuckets) -> Result<Self, WireError> {
        let decoded = Buckets::decode(&buckets.buckets);
        let decoded = decoded.map_err(|error| WireError::new("ResyncBuckets.buckets", error.to_string()))?;
        Ok(Self::Buckets(buckets.resync_id, decoded))
    }

    pub(crate) fn states(states: v1::ResyncStates) -> Result<Self, WireError> {
        let changes = states.states.into_iter().map(|change| {
            let record_id = convert::record_id(change.record_id, "Change.record_id")?;
            let (version, clock) = (Version(change.version), Hlc::from_number(change.clock));
            Ok(Change { record_id, version, clock, canonical: change.canonical })
        });
        Ok(Self::States(states.resync_id, changes.collect::<Result<_, _>>()?, states.is_last))
    }
}

pub(super) fn bucket_out(bucket: Bucket) -> v1::ResyncBucket {
    v1::ResyncBucket { kind: u32::from(bucket.kind().code()), year: i32::from(bucket.year()) }
}

/// The corners that a message names.
///
/// # Errors
/// A kind or year that is none.
pub fn buckets_in(buckets: &[v1::ResyncBucket], field: &'static str) -> Result<Vec<Bucket>, WireError> {
    let bucket = |bucket: &v1::ResyncBucket| {
        let kind = u8::try_from(bucket.kind).ok().and_then(Kind::from_code);
        let year = i16::try_from(bucket.year).ok();
        let named = kind.zip(year).map(|(kind, year)| Bucket::new(kind, year));
        named.ok_or_else(|| WireError::new(field, "no kind or year"))
    };
    if buckets.len() > registry_schema::holdings::BUCKETS_MAX {
        return Err(WireError::new(field, "more corners than there are"));
    }
    buckets.iter().map(bucket).collect()
}
