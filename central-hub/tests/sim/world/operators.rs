//! Operators at the centre: they answer cases, take answers back, and have provinces compared.

use central_hub::operator::cases::{self, Resolution};
use central_hub::operator::resync::{self, Wish};
use futures::FutureExt as _;
use hub_store::Cases as _;
use hub_store::holdings::ResyncState;
use hub_store::model::FindingFilter;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::World;
use crate::clock;

impl World<'_> {
    pub(super) fn answer(&mut self) {
        let rows = self.desk.findings(FindingFilter::default()).now_or_never().unwrap().unwrap();
        let Some(row) = rows.choose(&mut self.chance) else { return };
        let sensible = cases::sensible(&row.finding);
        let Some((answer, record)) = sensible.choose(&mut self.chance).copied() else { return };
        let operator = (*["lan", "minh"].choose(&mut self.chance).unwrap()).to_owned();
        let reason = "seen in the book".to_owned();
        let resolution = Resolution { case: row.finding.id, answer, record, operator, reason };
        let given = cases::resolve(&self.desk, resolution, clock::centre_ms()).now_or_never().unwrap();
        if let Ok(verdict) = given {
            self.stage.note("answer", format_args!("{} {:?}", verdict.case, verdict.answer));
            self.verdicts.push(verdict);
        }
    }

    pub(super) fn take_back(&mut self) {
        let Some(case) = self.verdicts.choose(&mut self.chance).map(|verdict| verdict.case) else { return };
        let undone = cases::undo(&self.desk, case, "lan".to_owned(), "in error".to_owned(), clock::centre_ms());
        if let Ok(verdict) = undone.now_or_never().unwrap() {
            self.stage.note("answer", format_args!("{} {:?}", verdict.case, verdict.answer));
            self.verdicts.push(verdict);
        }
    }

    /// Has a province compared, and remembers which comparison came of it: the one that is open, begun now or before. The
    /// centre's clock would not tell which is the latest, since it may go back.
    pub(crate) fn compare(&mut self, agent: usize, deep: bool) {
        let wish = Wish {
            origin: self.stage.origin(agent),
            kind: None,
            year: None,
            deep,
            dry_run: false,
            operator: "lan".to_owned(),
            reason: "the evening".to_owned(),
        };
        let random = self.chance.random();
        let origin = wish.origin;
        let _ = resync::start(&self.desk, wish, clock::centre_ms(), random).now_or_never().unwrap();
        let all = resync::list(&self.desk, Some(origin)).now_or_never().unwrap().unwrap();
        let open = all.into_iter().find(|view| view.resync.state.is_open());
        self.compared[agent] = open.map(|view| view.resync.id).or(self.compared[agent]);
    }

    /// A second operator agrees to whatever waits for one.
    pub(crate) fn agree(&mut self) {
        for view in resync::list(&self.desk, None).now_or_never().unwrap().unwrap() {
            if view.resync.state == ResyncState::WaitingApproval {
                let agreed = resync::approve(&self.desk, view.resync.id, "minh", clock::centre_ms());
                agreed.now_or_never().unwrap().unwrap();
            }
        }
    }
}
