//! What can be said about cases.

use clap::{Args, Subcommand, ValueEnum};
use hub_rules::finding::{Certainty, FindingId, Rule};
use hub_rules::policy::{Policy, Severity};
use hub_rules::verdict::Answer;
use hub_store::model::{FindingFilter, FindingState};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use registry_schema::ids::{Origin, RecordKey};
use registry_schema::kind::Kind;

use crate::operator::cases::{BatchId, Choice};

/// Arguments that select many cases.
const FILTERS: [&str; 9] = ["rules", "severities", "state", "province", "kind", "since", "evidence", "choose", "limit"];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CasesCommand {
    /// List cases (or links) by id
    #[command(after_help = "Examples:
  central-hub cases list --rule same_key --state open
  central-hub cases list --province 79@2008 --kind death --since 2025-07-01 --all --output json
  central-hub cases list --record 01@2008/42 --state all")]
    List(ListArguments),
    /// Show one case: the entries side by side, why, every answer given, and what each answer would do
    #[command(after_help = "Brackets mark where values differ; `~` marks what is the same in substance (case, place of
tone marks, form of a date), `≠` what differs, `-` what only one entry says.

Example:
  central-hub cases show 8f1c…e1")]
    Show {
        /// The case
        id: FindingId,
        /// Why it is looked at; written down
        #[arg(long, default_value = "", value_name = "REASON")]
        why: String,
    },
    /// Answer a case, or every case that a filter selects; `wait` takes an answer back
    #[command(after_help = "Examples:
  central-hub cases resolve 8f1c…e1 different --operator lan --reason 'both books seen'
  central-hub cases resolve 8f1c…e1 withdraw --record 79@2008/42 --operator lan --reason 'book 3/1999 seen'
  central-hub cases resolve --rule double_registration --where-evidence 'typing errors' --answer withdraw \\
    --choose younger --operator lan --reason 'circular 12' --dry-run

An answer to many cases is tried first with --dry-run: nothing is changed, and the command that carries it out is
printed. Every answer bears the name of its batch: `central-hub cases undo --batch ID` takes them all back.")]
    Resolve(ResolveArguments),
    /// Take an answer back, or every answer of a batch: what it joined is parted, what it parted is joined again
    #[command(after_help = "Examples:
  central-hub cases undo 8f1c…e1 --operator lan --reason 'wrong book'
  central-hub cases undo --batch 1a2b3c4d --operator lan --reason 'circular 12 was withdrawn'")]
    Undo(UndoArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    pub(super) filter: FilterArguments,
    /// What concerns this record only; may be said several times
    #[arg(long = "record", value_name = "PROVINCE/ID")]
    records: Vec<RecordKey>,
    /// Links that rules are sure of, instead of cases: as --state linked
    #[arg(long, conflicts_with = "state")]
    links: bool,
    /// Open cases only: as --state open
    #[arg(long, conflicts_with_all = ["links", "state"])]
    open: bool,
    /// Rows of a page
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=9999))]
    limit: u16,
    /// Begin behind this id
    #[arg(long, value_name = "ID")]
    after: Option<FindingId>,
    /// Every page
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FilterArguments {
    /// Of this rule only; may be said several times
    #[arg(long = "rule", value_name = "RULE", value_parser = rule)]
    pub(super) rules: Vec<Rule>,
    /// Of rules that are so grave only: info, warning or error; may be said several times
    #[arg(long = "severity", value_name = "SEVERITY", value_parser = severity)]
    severities: Vec<Severity>,
    /// How they stand [default: cases, open or answered]
    #[arg(long, value_enum)]
    pub(super) state: Option<State>,
    /// What concerns one province only
    #[arg(long, value_name = "CODE@EDITION")]
    province: Option<Origin>,
    /// What concerns an entry of this kind only: birth, marriage or death
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
    /// What changed at this date or time (UTC) or later only
    #[arg(long, value_name = "DATE", value_parser = since)]
    since: Option<i64>,
    /// Where a reason says this, in English or Vietnamese, only; may be said several times
    #[arg(long = "where-evidence", value_name = "TEXT")]
    evidence: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum State {
    /// Waits for an operator
    Open,
    /// An operator's answer stands
    Answered,
    /// A link
    Linked,
    /// Everything
    All,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ResolveArguments {
    /// The case; leave it out to answer every case that a filter selects
    #[arg(conflicts_with_all = FILTERS)]
    pub(super) id: Option<FindingId>,
    /// same, different, keep, withdraw, replace or wait
    #[arg(value_parser = answer, requires = "id")]
    pub(super) word: Option<Answer>,
    /// The same, where cases are selected by a filter
    #[arg(long, value_parser = answer, conflicts_with = "word", required_unless_present = "word")]
    pub(super) answer: Option<Answer>,
    /// The record to withdraw, or that is replaced
    #[arg(long, value_name = "PROVINCE/ID", requires = "id")]
    pub(super) record: Option<RecordKey>,
    #[command(flatten)]
    pub(super) filter: FilterArguments,
    /// The record to withdraw, or that is replaced, of each case: older, younger or province:CODE@EDITION
    #[arg(long, value_name = "WHICH")]
    pub(super) choose: Option<Choice>,
    /// Answer at most so many cases
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    #[command(flatten)]
    pub(super) care: CareArguments,
    #[command(flatten)]
    pub(super) words: WordsArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndoArguments {
    /// The case
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    pub(super) id: Option<FindingId>,
    /// Every answer of this batch that still stands
    #[arg(long, value_name = "BATCH")]
    pub(super) batch: Option<BatchId>,
    #[command(flatten)]
    pub(super) care: CareArguments,
    #[command(flatten)]
    pub(super) words: WordsArguments,
}

#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct CareArguments {
    /// Say what would come of it, and change nothing
    #[arg(long, conflicts_with = "id")]
    pub(super) dry_run: bool,
    /// Do it although it concerns more than a thousand cases
    #[arg(long, conflicts_with = "id")]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WordsArguments {
    /// Who decides [default: who gives the command]
    #[arg(long, env = "HOTICH_OPERATOR")]
    pub(super) operator: Option<String>,
    /// Why
    #[arg(long)]
    pub(super) reason: String,
}

impl ListArguments {
    /// The first page that is asked for.
    /// `None` when no rule is asked for.
    pub(super) fn page(&self, policy: &Policy) -> Option<FindingFilter> {
        let state = if self.links {
            Some(State::Linked)
        } else if self.open {
            Some(State::Open)
        } else {
            self.filter.state
        };
        let filter = self.filter.of(policy, state)?;
        let (records, limit) = (self.records.clone(), usize::from(self.limit));
        Some(FindingFilter { records, after: self.after, limit, ..filter })
    }
}

impl FilterArguments {
    /// The filter, with the findings that stand so; `None` when no rule is asked for.
    pub(super) fn of(&self, policy: &Policy, state: Option<State>) -> Option<FindingFilter> {
        let mut rules = self.rules.clone();
        if !self.severities.is_empty() {
            let named = if rules.is_empty() { Rule::ALL } else { &rules };
            let grave = |rule: &&Rule| self.severities.contains(&policy.severity(**rule));
            rules = named.iter().filter(grave).copied().collect();
            if rules.is_empty() {
                return None;
            }
        }
        Some(FindingFilter {
            certainty: state.is_none().then_some(Certainty::Case),
            rules,
            state: match state {
                Some(State::Open) => Some(FindingState::Open),
                Some(State::Answered) => Some(FindingState::Answered),
                Some(State::Linked) => Some(FindingState::Linked),
                Some(State::All) | None => None,
            },
            origin: self.province,
            kind: self.kind,
            since_ms: self.since,
            evidence: self.evidence.clone(),
            ..FindingFilter::default()
        })
    }
}

fn answer(text: &str) -> Result<Answer, String> {
    Answer::parse(text).ok_or_else(|| "write same, different, keep, withdraw, replace or wait".to_owned())
}

fn rule(text: &str) -> Result<Rule, String> {
    let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    Rule::parse(text).ok_or_else(|| format!("the rules are {}", names.join(", ")))
}

fn severity(text: &str) -> Result<Severity, String> {
    let known = [Severity::Info, Severity::Warning, Severity::Error];
    known.into_iter().find(|severity| severity.name() == text).ok_or_else(|| "write info, warning or error".to_owned())
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| "write birth, marriage or death".to_owned())
}

/// Unix milliseconds of a date (its beginning, in UTC) or a time.
fn since(text: &str) -> Result<i64, String> {
    let date = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    let time = text.parse::<Timestamp>().ok().or_else(|| Some(date()?.timestamp()));
    time.map(Timestamp::as_millisecond)
        .ok_or_else(|| "write a date as 2025-07-01, or a time as 2025-07-01T08:00:00Z".to_owned())
}
