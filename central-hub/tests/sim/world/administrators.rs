//! Administrators: they back stores up, put backups and copies in their place, and enrol anew whom the centre disputes.

use std::path::Path;

use central_hub::identity::Token;
use central_hub::operator::provinces;
use futures::FutureExt as _;
use registry_schema::ids::Epoch;
use sync_agent::change_log;
use sync_agent::store::state::{self, ConnectionState};
use sync_agent::store::take_new_epoch;

use super::{TOKEN, World};
use crate::clerk::Clerk;
use crate::clock;
use crate::plan::Deed;
use crate::stage::{AGENTS, COPY};

/// Entries that a store and its copy both correct.
const CONTESTED: usize = 4;
/// How long an agent is in dispute before an administrator enrols it anew.
const DISPUTE_MS: i64 = 2_000;

impl World<'_> {
    pub(super) fn back_up(&mut self, agent: usize) {
        let Some(clerk) = &self.clerks[agent] else { return };
        let path = self.stage.file(&format!("backup-{agent}.db"));
        let _ = std::fs::remove_file(&path);
        clerk.connection().execute("VACUUM INTO ?1", [path.to_str()]).unwrap();
        self.backups[agent] = Some(self.books[agent].lengths());
    }

    pub(super) fn restore(&mut self, agent: usize) {
        let Some(lengths) = self.backups[agent].clone() else { return };
        self.carry_out(&Deed::CrashAgent(agent));
        self.clerks[agent] = None;
        let path = self.stage.provincial(agent);
        lay(&self.stage.file(&format!("backup-{agent}.db")), &path);
        let mut clerk = Clerk::open(&path, agent, self.stage.origin(agent).code());
        clerk.contest(self.books[agent].changed_since(&lengths));
        self.clerks[agent] = Some(clerk);
        self.books[agent].go_back(&lengths);
        self.stage.agent(agent, |program| program.is_wanted = true);
    }

    pub(super) fn copy(&mut self, agent: usize) {
        if self.copied.is_some() {
            return;
        }
        let path = self.stage.file("copied.db");
        let _ = std::fs::remove_file(&path);
        self.clerks[agent].as_ref().unwrap().connection().execute("VACUUM INTO ?1", [path.to_str()]).unwrap();
        lay(&path, &self.stage.provincial(COPY));
        let lengths = self.books[agent].lengths();
        self.books[agent].loosen(&lengths);
        self.copied = Some(agent);
        let origin = self.stage.origin(agent);
        self.stage.set_copy(origin);
        let mut clerk = Clerk::open(&self.stage.provincial(COPY), COPY, origin.code());
        let some: Vec<i64> = lengths.keys().rev().take(CONTESTED).copied().collect();
        self.clerks[agent].as_mut().unwrap().contest(some.clone());
        clerk.contest(some);
        self.clerks[COPY] = Some(clerk);
        self.stage.agent(COPY, |program| program.is_wanted = true);
    }

    pub(super) fn end_copy(&mut self) {
        self.carry_out(&Deed::CrashAgent(COPY));
        self.clerks[COPY] = None;
        self.copied = None;
    }

    /// In every lane applied <= received <= sealed, what is received is on the nation's disk, and nothing goes back.
    pub(super) fn check_lanes(&mut self, agent: usize) {
        let Some(clerk) = &self.clerks[agent] else { return };
        let (lanes, epoch) = (change_log::lanes(clerk.connection()).unwrap(), clerk.epoch());
        let incidents = self.books[agent].incidents;
        let before = self.lanes[agent].replace((incidents, lanes.clone()));
        let before = before.filter(|(then, _)| *then == incidents).map(|(_, lanes)| lanes).unwrap_or_default();
        for (lane, now) in lanes {
            let journaled = self.stage.journaled(agent, epoch, lane.number().into());
            let is_ordered = now.applied <= now.received && now.received <= now.sealed && now.received.0 <= journaled;
            let goes_on = before.get(&lane).is_none_or(|then| {
                then.sealed <= now.sealed && then.received <= now.received && then.applied <= now.applied
            });
            if !is_ordered || !goes_on {
                let what = format!("{} lane {lane}: {before:?} became {now:?}, {journaled} are durable", AGENTS[agent]);
                self.stage.fail(what);
            }
        }
    }

    /// Looks at every agent, and enrols one anew whose history the centre disputes.
    pub(super) fn administer(&mut self) {
        for agent in 0..self.provinces {
            self.check_lanes(agent);
            let Some(clerk) = &self.clerks[agent] else { continue };
            let is_disputed = state::connection_report(clerk.connection()).unwrap().state == ConnectionState::Forked;
            let now_ms = self.now_ms();
            let since_ms = &mut self.disputed_ms[agent];
            *since_ms = is_disputed.then(|| since_ms.unwrap_or(now_ms));
            if since_ms.is_some_and(|since_ms| since_ms + DISPUTE_MS <= now_ms) {
                self.enrol_anew(agent);
            }
        }
    }

    pub(super) fn enrol_anew(&mut self, agent: usize) {
        self.stage.note("administrator", format_args!("enrols {} anew", AGENTS[agent]));
        if self.books[agent].incidents == 0 {
            self.stage.fail(format!("{} is disputed, and nothing was ever done to its store", AGENTS[agent]));
        }
        if self.copied == Some(agent) {
            self.end_copy();
        }
        self.carry_out(&Deed::CrashAgent(agent));
        self.epochs += 1;
        take_new_epoch(&self.stage.provincial(agent), Epoch(self.epochs)).unwrap();
        self.books[agent].incidents += 1;
        let (origin, token) = (self.stage.origin(agent), Token::new(TOKEN));
        provinces::enrol(&self.desk, origin, None, &token, clock::centre_ms()).now_or_never().unwrap().unwrap();
        self.disputed_ms[agent] = None;
        self.stage.agent(agent, |program| program.is_wanted = true);
    }
}

/// Puts a file in the place of a store, as an administrator would.
fn lay(from: &Path, store: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", store.display()));
    }
    std::fs::copy(from, store).unwrap();
}
