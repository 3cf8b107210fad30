//! The incarnations of a nation. A nation that came back from a backup has said words that it does not remember, and its
//! provinces still hold them; by the incarnation that a province names, both sides know from which word on.

use std::future::Future;

use registry_schema::ids::Origin;

use crate::national::Answer;

/// How far a province has heard, and which incarnation of the nation it heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The incarnation; 0 when the province knows none.
    pub nation: u64,
    /// The last word.
    pub position: u64,
}

/// Which incarnation of the nation a store holds, and where the earlier ones ended.
pub trait Lineage: Send + Sync {
    /// The present incarnation, which is `fresh` where there is none yet, and the last word that both sides know.
    fn resume(&self, origin: Origin, heard: Heard, fresh: u64) -> impl Future<Output = Answer<Heard>> + Send;
    /// Ends the present incarnation and begins another: the store has come back from a backup.
    fn begin_again(&self, nation: u64, now_ms: i64) -> impl Future<Output = Answer<()>> + Send;
}

/// The last word that a province and the present incarnation both know: of `ended`, the earlier incarnations with the last
/// word that each left behind for the province; `said` is the last word of the present one.
pub(crate) fn common(heard: Heard, present: u64, said: u64, ended: &[(u64, u64)]) -> u64 {
    let of_it = ended.iter().find(|(nation, _)| *nation == heard.nation).map(|(_, last)| *last);
    match heard.nation {
        // An agent of an earlier release.
        0 => heard.position.min(said),
        nation if nation == present => heard.position.min(said),
        _ => heard.position.min(of_it.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nation: u64, position: u64, expected: u64) {
        let ended = [(7, 10), (8, 25)];
        assert_eq!(common(Heard { nation, position }, 9, 40, &ended), expected);
    }

    #[test]
    fn only_words_of_a_common_past_stand() {
        check(9, 33, 33);
        check(9, 60, 40);
        check(8, 20, 20);
        check(8, 30, 25);
        check(7, 30, 10);
        check(6, 30, 0);
        check(0, 30, 30);
        check(0, 60, 40);
    }
}
