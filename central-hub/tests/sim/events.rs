//! What happened, with its simulated time: as one hash, as counts, and as lines for whoever asks.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::clock;

/// Everything that could be seen from outside so far.
pub(crate) struct Events {
    /// A sum, so that it does not depend on which of two things of one millisecond came first: tokio wakes those who
    /// wait for the end of a server in an order of its own.
    hash: u64,
    counts: BTreeMap<&'static str, u64>,
    lines: Option<Vec<String>>,
}

impl Events {
    pub(crate) fn new(keeps_lines: bool) -> Self {
        Self { hash: 0, counts: BTreeMap::new(), lines: keeps_lines.then(Vec::new) }
    }

    /// Something of a kind happened.
    pub(crate) fn note(&mut self, kind: &'static str, what: impl Display) {
        let line = format!("{:>8} {kind} {what}", clock::elapsed_ms());
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        self.hash = self.hash.wrapping_add(hasher.finish());
        *self.counts.entry(kind).or_default() += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// Two runs of one seed agree in this.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
