//! What operators ask of comparisons: to begin one, to take it back, to agree to a large repair.

use hub_store::holdings::{Resync, ResyncState};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::Origin;
use registry_schema::kind::Kind;
use serde::Serialize;
use thiserror::Error;

use super::rfc3339;
use crate::resync;

/// Comparisons that a list shows.
const LISTED_MAX: usize = 1_000;

/// What an operator wants compared.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The province.
    pub origin: Origin,
    /// Entries of one kind only.
    pub kind: Option<Kind>,
    /// Entries of one year only.
    pub year: Option<i16>,
    /// Whether both sides look at every row.
    pub deep: bool,
    /// Whether nothing is to be repaired.
    pub dry_run: bool,
    /// Who asks.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// A comparison, as reports show it.
#[derive(Debug, Clone, Serialize)]
pub struct ResyncView {
    /// The comparison.
    #[serde(flatten)]
    pub resync: Resync,
    /// When it last moved.
    pub changed_at: Option<String>,
    /// What to do next, if it waits for a person.
    pub next: Option<String>,
}

/// An operator's wish cannot be met.
#[derive(Debug, Error)]
pub enum WishError {
    /// There is no such comparison.
    #[error("there is no comparison {0}; `central-hub resync list` has them all")]
    Unknown(i64),
    /// There is no such province.
    #[error("{0} is not enrolled; `central-hub provinces` lists those that are")]
    UnknownProvince(Origin),
    /// It stands elsewhere by now.
    #[error("comparison {id} is {state}; {remedy}")]
    Stands {
        /// Which one.
        id: i64,
        /// Where it stands.
        state: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
    /// One operator began it and agrees to it.
    #[error("{0} asked for this comparison: a repair of this size takes a second operator")]
    SameOperator(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes down that a comparison is wanted; the hub that holds the province's session takes it up.
///
/// # Errors
/// The province is not enrolled, or the store cannot be used.
pub async fn start<S: NationalStore>(store: &S, wish: Wish, now_ms: i64, random: u16) -> Result<ResyncView, WishError> {
    if !store.provinces().await?.iter().any(|province| province.origin == wish.origin) {
        return Err(WishError::UnknownProvince(wish.origin));
    }
    let asked = resync::asked(wish.origin, &wish.operator, &wish.reason, now_ms, random);
    let Wish { kind, year, deep, dry_run, .. } = wish;
    let resync = Resync { kind, year, deep, dry_run, ..asked };
    store.put_resync(resync.clone(), None).await?;
    Ok(view(resync))
}

/// Comparisons of a province or of all, open ones first, newest first.
///
/// # Errors
/// The store cannot be read.
pub async fn list<S: NationalStore>(store: &S, origin: Option<Origin>) -> Result<Vec<ResyncView>, WishError> {
    Ok(store.resyncs(origin, LISTED_MAX).await?.into_iter().map(view).collect())
}

/// One comparison.
///
/// # Errors
/// There is none with this id, or the store cannot be read.
pub async fn show<S: NationalStore>(store: &S, id: i64) -> Result<ResyncView, WishError> {
    find(store, id).await.map(view)
}

/// Takes a comparison back that is not over.
///
/// # Errors
/// It is over, or unknown, or the store cannot be used.
pub async fn cancel<S: NationalStore>(store: &S, id: i64, now_ms: i64) -> Result<ResyncView, WishError> {
    let resync = find(store, id).await?;
    if !resync.state.is_open() {
        return Err(WishError::Stands { id, state: resync.state.name(), remedy: "there is nothing to take back" });
    }
    moved(store, resync, ResyncState::Cancelled, now_ms).await
}

/// Agrees to a repair that was too large for one operator.
///
/// # Errors
/// It does not wait for that, the same operator asked for it, or the store cannot be used.
pub async fn approve<S: NationalStore>(
    store: &S,
    id: i64,
    operator: &str,
    now_ms: i64,
) -> Result<ResyncView, WishError> {
    let resync = find(store, id).await?;
    if resync.state != ResyncState::WaitingApproval {
        return Err(WishError::Stands { id, state: resync.state.name(), remedy: "it does not wait for anybody" });
    }
    if resync.who.trim().eq_ignore_ascii_case(operator.trim()) {
        return Err(WishError::SameOperator(resync.who));
    }
    moved(store, Resync { approver: Some(operator.to_owned()), ..resync }, ResyncState::Offered, now_ms).await
}

async fn find<S: NationalStore>(store: &S, id: i64) -> Result<Resync, WishError> {
    let every = store.resyncs(None, usize::MAX).await?;
    every.into_iter().find(|resync| resync.id == id).ok_or(WishError::Unknown(id))
}

async fn moved<S: NationalStore>(
    store: &S,
    resync: Resync,
    to: ResyncState,
    now_ms: i64,
) -> Result<ResyncView, WishError> {
    let from = resync.state;
    let resync = Resync { state: to, changed_ms: now_ms, ..resync };
    if store.put_resync(resync.clone(), Some(from)).await? {
        return Ok(view(resync));
    }
    Err(WishError::Stands { id: resync.id, state: "elsewhere by now", remedy: "look again" })
}

fn view(resync: Resync) -> ResyncView {
    let next = match resync.state {
        ResyncState::WaitingApproval => Some(format!("central-hub resync approve {} --operator ANOTHER", resync.id)),
        ResyncState::Failed if resync.who == resync::DISPUTE => Some(format!(
            "enrol {} again here, and run `sync-agent init --new-epoch` there: what the store has is sent, what it lost comes back",
            resync.origin
        )),
        _ => None,
    };
    ResyncView { changed_at: rfc3339(Some(resync.changed_ms)), next, resync }
}
