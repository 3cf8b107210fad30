//! What a registry is judged under: one ruling from its first entry on.
//!
//! The national state is a function of the journal and of the ruling. A registry of which one half was judged under one
//! ruling and the other under another would be a function of the order of arrivals, so the hub refuses to go on with it.

use hub_rules::policy::{Policy, ruling};
use hub_store::model::Watermark;
use hub_store::{NationalStore, StoreError};
use thiserror::Error;

/// Why a registry cannot be judged on.
#[derive(Debug, Error)]
pub enum RulingError {
    /// It was judged under another ruling.
    #[error(
        "the registry was judged {judged}, and the configuration says {wanted}; give the configuration back, or stop \
         the hub and run `central-hub rebuild --apply` with this one"
    )]
    Differs {
        /// What the store remembers.
        judged: String,
        /// What the configuration makes.
        wanted: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that the registry is judged under this policy and no other; a registry of which nothing was judged takes
/// the one that is given.
///
/// # Errors
/// The registry was judged under another ruling, or by a release that noted none; or the store cannot be used.
pub async fn settle<S: NationalStore>(store: &S, policy: &Policy) -> Result<(), RulingError> {
    if check(store, policy).await? {
        return Ok(());
    }
    Ok(store.judge_under(ruling(policy)).await?)
}

/// Whether the registry was judged under this policy; false when nothing of it was judged yet.
///
/// # Errors
/// The registry was judged under another ruling, or by a release that noted none; or the store cannot be read.
pub async fn check<S: NationalStore>(store: &S, policy: &Policy) -> Result<bool, RulingError> {
    let (judged, wanted) = (store.judged_under().await?, ruling(policy));
    if judged.as_ref() == Some(&wanted) {
        return Ok(true);
    }
    if store.digests().await?.watermark == Watermark::default() {
        return Ok(false);
    }
    let by_an_earlier_release = || "by an earlier release that noted no ruling".to_owned();
    let judged = judged.map_or_else(by_an_earlier_release, |ruling| format!("under {ruling}"));
    Err(RulingError::Differs { judged, wanted })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hub_rules::Plan;
    use hub_rules::policy::{Setting, Treatment};
    use hub_store::Registry as _;
    use hub_store::model::{Applied, JournalId, Queue};
    use hub_store::sqlite::Sqlite;

    use super::*;

    fn ignoring(rule: &str) -> Policy {
        let setting = Setting { treatment: Some(Treatment::Ignore), ..Setting::default() };
        Policy::parse(&BTreeMap::from([(rule.to_owned(), setting)])).unwrap()
    }

    async fn judge_something(store: &Sqlite) {
        let applied = Applied { queue: Queue::Live, journal: JournalId(1), lanes: BTreeMap::new(), now_ms: 0 };
        store.commit(Plan::default(), applied).await.unwrap();
    }

    #[tokio::test]
    async fn a_registry_keeps_its_ruling_until_it_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("national.db")).unwrap();
        settle(&store, &ignoring("parent_age")).await.unwrap();
        settle(&store, &Policy::default()).await.unwrap();
        judge_something(&store).await;
        settle(&store, &Policy::default()).await.unwrap();
        let refused = settle(&store, &ignoring("parent_age")).await.unwrap_err().to_string();
        assert!(refused.contains("central-hub rebuild --apply"), "{refused}");
        store.reset().await.unwrap();
        settle(&store, &ignoring("parent_age")).await.unwrap();
    }

    #[tokio::test]
    async fn a_registry_of_a_release_that_noted_nothing_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("national.db")).unwrap();
        judge_something(&store).await;
        let refused = settle(&store, &Policy::default()).await.unwrap_err().to_string();
        assert!(refused.contains("an earlier release"), "{refused}");
    }
}
