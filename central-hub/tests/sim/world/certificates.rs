//! Administrators hand out certificates that serve for some seconds, and forget to now and then.

use futures::FutureExt as _;
use hub_store::ledger::{Ledger as _, Signer};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use registry_schema::digest::Hash256;

use super::World;
use crate::clock;
use crate::stage::AGENTS;

/// For how many seconds certificates serve while there is trouble, and afterwards.
const LIFE_S: std::ops::Range<i64> = 3..9;
const LONG_LIFE_S: i64 = 3_600;
const SECOND_MS: i64 = 1_000;

/// What administrators know of certificates.
pub(super) struct Certificates {
    chance: ChaCha8Rng,
    /// From when to when each agent's certificate counts by the centre's clock.
    validity_ms: [(i64, i64); AGENTS.len()],
    /// Whose administrator has forgotten about it.
    is_forgotten: [bool; AGENTS.len()],
    lives_long: bool,
}

impl Certificates {
    pub(super) fn new(seed: u64) -> Self {
        let chance = ChaCha8Rng::seed_from_u64(seed ^ 0x00ce_4711);
        Self { chance, validity_ms: [(0, 0); AGENTS.len()], is_forgotten: [false; AGENTS.len()], lives_long: false }
    }

    /// The next certificate of an agent, when it is time for one.
    fn next(&mut self, agent: usize) -> Option<(i64, i64)> {
        let (from_ms, until_ms) = self.validity_ms[agent];
        let now_ms = clock::centre_ms();
        let serves = (from_ms..until_ms - (until_ms - from_ms) / 3).contains(&now_ms);
        if serves || self.is_forgotten[agent] {
            return None;
        }
        let life_s = if self.lives_long { LONG_LIFE_S } else { self.chance.random_range(LIFE_S) };
        // A certificate counts in whole seconds.
        let from_ms = now_ms - now_ms.rem_euclid(SECOND_MS);
        self.validity_ms[agent] = (from_ms, from_ms + life_s * SECOND_MS);
        Some(self.validity_ms[agent])
    }
}

impl World<'_> {
    /// From now on agents come with certificates, and the centre knows by which keys their frames are signed.
    pub(crate) fn certify(&mut self, seed: u64) {
        self.certificates = Some(Certificates::new(seed));
        for agent in 0..self.provinces {
            let (origin, key) = (self.stage.origin(agent), self.stage.identity(agent).signer());
            let (public_key, certificate) = (Hash256(key.0), Hash256([0; 32]));
            let signer = Signer { origin, public_key, certificate, enrolled_ms: 0, retired_ms: None };
            self.desk.trust(signer).now_or_never().unwrap().unwrap();
        }
        self.hand_out_certificates();
    }

    /// Replaces what is about to end; the copy of a store has what its original has.
    pub(super) fn hand_out_certificates(&mut self) {
        let Some(certificates) = &mut self.certificates else { return };
        for agent in 0..self.provinces {
            if let Some((from_ms, until_ms)) = certificates.next(agent) {
                let certificate = self.stage.identity(agent).certify(self.stage.origin(agent), from_ms, until_ms);
                self.stage.note("certificate", format_args!("of {agent} counts until {until_ms}"));
                self.stage.passes.issue(certificate, from_ms, until_ms);
            }
        }
    }

    pub(super) fn forget(&mut self, agent: usize, is_forgotten: bool) {
        if let Some(certificates) = &mut self.certificates {
            certificates.is_forgotten[agent] = is_forgotten;
        }
    }

    /// From now on certificates serve for long.
    pub(super) fn remember_certificates(&mut self) {
        if let Some(certificates) = &mut self.certificates {
            (certificates.is_forgotten, certificates.lives_long) = ([false; AGENTS.len()], true);
        }
    }
}
