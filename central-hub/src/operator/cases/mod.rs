//! Cases: what waits for a human, the entries side by side, what each answer would do, and answers as arrivals.

mod compare;
mod effects;
mod list;
mod answer;
mod show;
mod choice;
mod bulk;

pub use answer::{AnswerError, Resolution, resolve, sensible, undo};
pub use bulk::{
    BatchId, BulkReport, CASES_UNASKED_MAX, GroupReport, Mode, Selection, count, count_batch, resolve_all, undo_all,
};
pub use choice::Choice;
pub use compare::{Comparison, Mark, Span};
pub use effects::{Effects, FindingChange, PeopleChange, Stand, Sums, Trial, trial};
pub use list::{FindingsReport, ListedFinding, list};
pub use show::{AnswerReport, CaseReport, EntryReport, OptionReport, ToldReport, show};
