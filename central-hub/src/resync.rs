//! Comparisons of a province with its national copy: what is offered, what must be mended here, and when the hub begins
//! one by itself. The session carries them out; operators ask for them and agree to large repairs.

use std::collections::{BTreeMap, BTreeSet};

use hub_store::holdings::{Fence, Recount, Resync, ResyncReport, ResyncState};
use hub_store::{NationalStore, StoreError};
use registry_proto::resync::{Offer, Places, WANTED_MAX};
use registry_schema::digest::SetSum;
use registry_schema::holdings::{BUCKETS_MAX, Bucket, Decoder, Holding, HoldingsKey, Progress, SKETCH_CELLS};
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Seq};
use registry_schema::kind::Kind;

use crate::surroundings::Surroundings;

/// Repairs of more records wait for a second operator, whatever the size of the province.
pub const REPAIRS_UNASKED_MAX: u64 = 10_000;
/// Repairs of a greater part of a province wait as well: one in a hundred.
pub const REPAIRS_UNASKED_DIVISOR: u64 = 100;
/// So many records never wait: of a few hundred entries a hundredth would be nothing.
pub const REPAIRS_UNASKED_MIN: u64 = 100;
/// How long the hub leaves a province alone after a comparison that it began by itself, in milliseconds: one that did not
/// help will not help a moment later.
const UNASKED_INTERVAL_MS: i64 = 15 * 60 * 1000;
/// Comparisons that are looked through for the last ones of a province.
const RECENT: usize = 8;
/// Who asks when nobody does.
pub const HUB: &str = "hub";

/// Who asks when a province comes with another history than the nation has of it.
pub const DISPUTE: &str = "dispute";

/// What a session begins a comparison, or a finer one, with.
pub(crate) struct Prepared {
    pub(crate) resync: Resync,
    pub(crate) holding: Holding,
    pub(crate) offer: Offer,
    /// Rows of the nation that were lost or altered, with the state that the sums know.
    pub(crate) damaged: BTreeMap<RecordId, u64>,
}

/// How far each lane of an incarnation is applied.
pub(crate) fn applied(fence: &Fence, epoch: Epoch) -> Places {
    let mut places: Places = Lane::ALL.map(|lane| (lane, Seq(0))).into();
    let own = fence.cursors.iter().filter(|cursor| cursor.epoch == epoch);
    places.extend(own.map(|cursor| (cursor.lane, cursor.applied)));
    places
}

/// Reads what a comparison begins with; `None` when the province has no sums.
pub(crate) async fn prepare<S: NationalStore>(
    store: &S,
    mut resync: Resync,
    epoch: Epoch,
) -> Result<Option<Prepared>, StoreError> {
    let mut damaged = BTreeMap::new();
    if resync.deep {
        let Some(counted) = store.recount(resync.origin, SKETCH_CELLS, Vec::new(), true).await? else {
            return Ok(None);
        };
        let found = scrub(&counted);
        let overtaken = overtaken(store, resync.origin, &found).await?;
        resync.report.damaged_at_centre = found.known.len() as u64;
        if let Some(words) = found.words(overtaken.len()) {
            resync.report.detail = words;
        }
        damaged = found.known;
        damaged.retain(|id, _| !overtaken.contains(id));
    }
    let of = corners(&resync);
    let (fence, holding) = if of.is_empty() {
        let Some(found) = store.holding(resync.origin).await? else { return Ok(None) };
        found
    } else {
        let Some(counted) = store.recount(resync.origin, SKETCH_CELLS, of.clone(), false).await? else {
            return Ok(None);
        };
        (counted.fence, counted.holding)
    };
    Ok(Some(prepared(resync, epoch, &fence, holding, of, damaged)))
}

/// Reads what a finer comparison goes on with.
pub(crate) async fn prepare_wide<S: NationalStore>(
    store: &S,
    resync: Resync,
    epoch: Epoch,
    cells: usize,
    of: Vec<Bucket>,
) -> Result<Option<Prepared>, StoreError> {
    let Some(counted) = store.recount(resync.origin, cells, of.clone(), false).await? else { return Ok(None) };
    Ok(Some(prepared(resync, epoch, &counted.fence, counted.holding, of, BTreeMap::new())))
}

fn prepared(
    resync: Resync,
    epoch: Epoch,
    fence: &Fence,
    holding: Holding,
    of: Vec<Bucket>,
    damaged: BTreeMap<RecordId, u64>,
) -> Prepared {
    let offer = Offer {
        id: resync.id.cast_unsigned(),
        epoch,
        applied: applied(fence, epoch),
        root: holding.root(),
        key: fence.key.id(),
        cells: holding.sketch.cells(),
        of,
        deep: resync.deep,
        dry_run: resync.dry_run,
        repairs_max: repairs_max(&resync, fence.root),
        wanted: damaged.keys().copied().take(WANTED_MAX).collect(),
    };
    Prepared { resync, holding, offer, damaged }
}

/// How many records may be repaired without a second operator.
fn repairs_max(resync: &Resync, root: SetSum) -> u64 {
    match resync.approver {
        Some(_) => u64::MAX,
        None => (root.count().unsigned_abs() / REPAIRS_UNASKED_DIVISOR).clamp(REPAIRS_UNASKED_MIN, REPAIRS_UNASKED_MAX),
    }
}

/// The corners that an operator's choice of kind and year means; none for all.
fn corners(resync: &Resync) -> Vec<Bucket> {
    if resync.kind.is_none() && resync.year.is_none() {
        return Vec::new();
    }
    let kinds: Vec<Kind> = resync.kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
    let years: Vec<i16> = resync.year.map_or_else(|| (0..=i16::MAX).collect(), |year| vec![year]);
    let mut corners: Vec<Bucket> =
        kinds.iter().flat_map(|kind| years.iter().map(|year| Bucket::new(*kind, *year))).collect();
    corners.sort_unstable();
    corners.dedup();
    corners.truncate(BUCKETS_MAX);
    corners
}

/// The records whose rows are not what the kept sums know.
#[derive(Debug, Default)]
struct Scrubbed {
    /// With the prefixes of the states that the sums know.
    known: BTreeMap<RecordId, u64>,
    /// Those that have a row with another state.
    altered: BTreeSet<RecordId>,
    /// There are too many to be named.
    is_beyond_naming: bool,
}

impl Scrubbed {
    /// What an operator must hear of rows that their province cannot mend.
    fn words(&self, overtaken: usize) -> Option<String> {
        let what = match (self.altered.len(), overtaken) {
            _ if self.is_beyond_naming => "too many rows of the nation are damaged to be named".to_owned(),
            (strange, _) if strange > 0 && self.known.is_empty() => {
                format!("{strange} rows of the nation came from no province")
            }
            (_, 0) => return None,
            _ => format!("{overtaken} rows of the nation were lost, and later states came before they were missed"),
        };
        Some(format!("{what}; run `central-hub rebuild --apply`"))
    }
}

fn scrub(counted: &Recount) -> Scrubbed {
    if counted.holding.root() == counted.kept.root() {
        return Scrubbed::default();
    }
    let Some(differences) = decode(&counted.fence.key, &counted.kept, &counted.holding) else {
        return Scrubbed { is_beyond_naming: true, ..Scrubbed::default() };
    };
    Scrubbed {
        known: differences.only_here.iter().map(|item| (item.record, item.prefix)).collect(),
        altered: differences.only_there.iter().map(|item| item.record).collect(),
        is_beyond_naming: false,
    }
}

/// Those whose rows were lost, and in whose places later states stand: no state that a province still has would mend the
/// sums, which know both.
async fn overtaken<S: NationalStore>(
    store: &S,
    origin: Origin,
    found: &Scrubbed,
) -> Result<BTreeSet<RecordId>, StoreError> {
    let lost = found.known.keys().filter(|id| !found.altered.contains(id)).copied().collect();
    Ok(store.held_states(origin, lost).await?.into_iter().map(|(id, _)| id).collect())
}

fn decode(key: &HoldingsKey, kept: &Holding, counted: &Holding) -> Option<registry_schema::holdings::Differences> {
    let cells = kept.sketch.cells();
    let difference = kept.sketch.minus_block(&counted.sketch.block(0..cells))?;
    match Decoder::new(key.clone(), cells).push(&difference) {
        Ok(Progress::Done(differences)) => Some(differences),
        _ => None,
    }
}

/// A comparison that is asked for now; `random` keeps two of one millisecond apart.
#[must_use]
pub fn asked(origin: Origin, who: &str, why: &str, now_ms: i64, random: u16) -> Resync {
    Resync {
        id: now_ms * 1_000 + i64::from(random % 1_000),
        origin,
        state: ResyncState::Offered,
        kind: None,
        year: None,
        deep: false,
        dry_run: false,
        who: who.to_owned(),
        why: why.to_owned(),
        approver: None,
        report: ResyncReport::default(),
        damaged: Vec::new(),
        changed_ms: now_ms,
    }
}

/// Begins a comparison without being asked, unless one is open or the last such one was a moment ago.
pub(crate) async fn begin_unasked<S: NationalStore>(
    store: &S,
    origin: Origin,
    why: &str,
    surroundings: Surroundings,
) -> Result<(), StoreError> {
    let now_ms = (surroundings.wall_ms)();
    let recent = store.resyncs(Some(origin), RECENT).await?;
    let stands_back = |resync: &Resync| {
        resync.state.is_open() || (resync.who == HUB && resync.changed_ms > now_ms - UNASKED_INTERVAL_MS)
    };
    if !recent.iter().any(stands_back) {
        let random = (surroundings.random)();
        tracing::warn!(province = %origin, why, "the hub compares with a province");
        store.put_resync(asked(origin, HUB, why, now_ms, u16::from_be_bytes([random[0], random[1]])), None).await?;
    }
    Ok(())
}

/// The registry is made anew, with every row in it: nothing waits to be mended any more, and a deep comparison that speaks
/// of the earlier one comes to nothing. Said before the registry changes, for whoever ends in between, and after it, for
/// what was found meanwhile; nobody judges between the two.
pub(crate) async fn forget_damage<S: NationalStore>(store: &S) -> Result<(), StoreError> {
    for province in store.provinces().await? {
        let recent = store.resyncs(Some(province.origin), RECENT).await?;
        let is_about_rows = |resync: &Resync| !resync.damaged.is_empty() || (resync.deep && resync.state.is_open());
        for mut resync in recent.into_iter().filter(is_about_rows) {
            let from = resync.state;
            resync.damaged = Vec::new();
            if from.is_open() {
                resync.state = ResyncState::Failed;
                resync.report.detail = "the registry was made anew meanwhile; compare again".to_owned();
            }
            store.put_resync(resync, Some(from)).await?;
        }
    }
    Ok(())
}

/// Writes down that a province came with another history than the nation has of it, unless that is what was written last.
pub(crate) async fn dispute<S: NationalStore>(
    store: &S,
    origin: Origin,
    detail: &str,
    surroundings: Surroundings,
) -> Result<(), StoreError> {
    let recent = store.resyncs(Some(origin), RECENT).await?;
    if recent.iter().max_by_key(|resync| resync.id).is_some_and(|last| last.who == DISPUTE) {
        return Ok(());
    }
    tracing::warn!(province = %origin, detail, "a province came with another history; nothing of it is taken");
    let (now_ms, random) = ((surroundings.wall_ms)(), (surroundings.random)());
    let why = "the store of the province was restored from a backup, copied or made anew; nothing of it is taken";
    let mut dispute = asked(origin, DISPUTE, why, now_ms, u16::from_be_bytes([random[0], random[1]]));
    (dispute.state, dispute.report.detail) = (ResyncState::Failed, detail.chars().take(200).collect());
    store.put_resync(dispute, None).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(held: i64, approver: Option<&str>, expected: u64) {
        let mut resync = asked("01@2008".parse().expect("a province"), "lan", "a test", 5, 7);
        resync.approver = approver.map(str::to_owned);
        assert_eq!(repairs_max(&resync, SetSum::from_parts(&[0; 32], held)), expected);
    }

    #[test]
    fn large_repairs_wait_for_a_second_operator() {
        check(0, None, 100);
        check(50_000, None, 500);
        check(2_000_000, None, 10_000);
        check(2_000_000, Some("minh"), u64::MAX);
    }

    #[test]
    fn a_choice_of_kind_and_year_means_corners() {
        let mut resync = asked("01@2008".parse().expect("a province"), "lan", "a test", 5, 7);
        assert_eq!(corners(&resync), []);
        resync.year = Some(1990);
        assert_eq!(corners(&resync), Kind::ALL.map(|kind| Bucket::new(kind, 1990)));
        resync.kind = Some(Kind::Death);
        assert_eq!(corners(&resync), [Bucket::new(Kind::Death, 1990)]);
        resync.year = None;
        assert_eq!(corners(&resync).len(), BUCKETS_MAX / 3);
    }
}
