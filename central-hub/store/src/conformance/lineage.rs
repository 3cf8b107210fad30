//! The incarnations of a nation: what a province heard of a past that was lost is told to it again.

use super::journal::origin;
use crate::lineage::Heard;
use crate::model::Province;
use crate::national::NationalStore;

/// A province goes on behind the last word of a common past, and the first incarnation stands.
///
/// # Panics
/// It does not.
pub async fn a_nation_that_came_back_is_another_one<S: NationalStore>(store: &S) {
    let province = Province {
        origin: origin(),
        name: "Hà Nội".to_owned(),
        token_hash: registry_schema::digest::Hash256([0; 32]),
        epoch: None,
        last_seen_ms: None,
        agent_version: None,
    };
    store.enrol(province, 0).await.expect("enrols");
    let resume = async |nation, position, fresh| {
        let heard = store.resume(origin(), Heard { nation, position }, fresh).await.expect("resumes");
        (heard.nation, heard.position)
    };
    let large = u64::MAX - 4;
    assert_eq!(resume(0, 0, large).await, (large, 0));
    assert_eq!(resume(large, 0, 6).await, (large, 0), "the first one stands");
    assert_eq!(resume(large, 3, 6).await, (large, 0), "nothing was said yet");
    store.begin_again(7, 1).await.expect("begins again");
    assert_eq!(resume(large, 3, 6).await, (7, 0));
    store.begin_again(8, 1).await.expect("begins again");
    assert_eq!(resume(7, 3, 6).await, (8, 0));
}
