//! The desk of an operator, for tests: a national store of two provinces that is judged when a test says so.

use std::process::{Command, Output};
use std::sync::Arc;

use central_hub::operator::cases::{self, AnswerError, CaseReport, Choice, Mode, Resolution, Selection};
use central_hub::operator::provinces;
use central_hub::reconcile::Reconciler;
use central_hub::{identity::Token, ruling};
use hub_rules::digests::Digests;
use hub_rules::finding::{Finding, Rule};
use hub_rules::policy::Policy;
use hub_rules::verdict::{Answer, Verdict};
use hub_rules::{Arrival, Batch, Context, State, decide};
use hub_store::model::{Applied, FindingFilter, FindingState, JournalId, NoticeRow, Queue};
use hub_store::sqlite::Sqlite;
use hub_store::{Cases as _, Registry as _};
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field};
use registry_schema::ids::{Origin, RecordKey, Version};
use registry_schema::kind::{Kind, Status};
use serde_json::Value;
use tempfile::TempDir;

/// When the entries came, in Unix milliseconds; answers come later.
pub(crate) const CAME_MS: i64 = 1_700_000_000_000;
/// One birth that Hà Nội and Sài Gòn both registered.
pub(crate) const HUNG: &str =
    "child_name=Nguyễn Văn Hùng; child_sex=1; child_birth_date=02.03.1990; mother_name=Lê Thị Mai";

/// A national store with a reconciler that judges when it is told to.
pub(crate) struct Desk {
    folder: TempDir,
    pub(crate) store: Sqlite,
}

impl Desk {
    /// Two enrolled provinces and these entries, as `RECORD KIND field=value; ...`.
    pub(crate) async fn new(entries: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let store = Sqlite::open(&folder.path().join("national.db")).expect("a fresh store");
        for origin in ["01@2008", "79@2008"] {
            let origin = origin.parse().expect("a province");
            provinces::enrol(&store, origin, None, &Token::new([1; 32]), 0).await.expect("enrols");
        }
        ruling::settle(&store, &Policy::default()).await.expect("a fresh store");
        let desk = Self { folder, store };
        let arrivals = entries.iter().map(|entry| state(entry, Version(1), Status::Active));
        desk.take(arrivals.collect()).await;
        desk
    }

    /// Carries out arrivals of provinces, as the reconciler does with frames.
    pub(crate) async fn take(&self, arrivals: Vec<Arrival>) {
        let batch: Batch = arrivals.into_iter().collect();
        let context = central_hub::reconcile::gather(&self.store, &batch, Context::default()).await.expect("loads");
        let (queue, journal) = (Queue::Backlog, JournalId::default());
        let applied = Applied { queue, journal, lanes: std::collections::BTreeMap::new(), now_ms: CAME_MS };
        self.store.commit(decide(&context, &batch), applied).await.expect("commits");
    }

    /// Judges what was journaled.
    pub(crate) async fn judge(&self) {
        let mut reconciler = Reconciler::new(self.store.clone()).await.expect("starts");
        while reconciler.step().await.expect("judges").is_some() {}
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        let rows = self.store.findings(FindingFilter::default()).await.expect("findings");
        rows.into_iter().map(|row| row.finding).collect()
    }

    /// The only finding.
    pub(crate) async fn case(&self) -> Finding {
        let findings = self.findings().await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].clone()
    }

    pub(crate) async fn show(&self) -> CaseReport {
        let case = self.case().await.id;
        cases::show(&self.store, (&Arc::default(), true), case, CAME_MS + 1).await.expect("reads").expect("a case")
    }

    pub(crate) async fn answer(&self, case: &Finding, answer: Answer, at: i64) -> Result<Verdict, AnswerError> {
        cases::resolve(&self.store, said(case, answer, "lan"), CAME_MS + at).await
    }

    pub(crate) async fn undo(&self, case: &Finding, at: i64) -> Result<Verdict, AnswerError> {
        let (operator, reason) = ("lan".to_owned(), "wrong book".to_owned());
        cases::undo(&self.store, case.id, operator, reason, CAME_MS + at).await
    }

    pub(crate) async fn digests(&self) -> Digests {
        self.store.digests().await.expect("digests").digests
    }

    /// The newest word to each province about a subject.
    pub(crate) async fn words(&self, subject: &str) -> Vec<(String, String)> {
        let mut words = Vec::new();
        for origin in ["01@2008", "79@2008"] {
            let origin: Origin = origin.parse().expect("a province");
            let rows: Vec<NoticeRow> = self.store.notices(origin, 0, 1_000).await.expect("notices");
            let row = rows.into_iter().rfind(|row| row.subject == subject);
            words.extend(row.map(|row| (row.outcome, row.english)));
        }
        words
    }

    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        let store = format!("sqlite:{}", self.folder.path().join("national.db").display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
        let command = command.args(["cases"]).args(arguments).args(["--store", &store]);
        command.env_remove("HOTICH_OPERATOR").output().expect("the command starts")
    }

    /// The JSON that a command about cases prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(&[arguments, &["--output", "json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// A state of a record, from a line.
pub(crate) fn state(line: &str, version: Version, status: Status) -> Arrival {
    let (key, rest) = line.split_once(' ').expect("a record");
    let (kind, fields) = rest.split_once(' ').unwrap_or((rest, ""));
    let key: RecordKey = key.parse().expect("a record");
    let authority = format!("{:02}.00001", key.origin.code());
    let draft = Draft::new(Kind::parse(kind).expect("a kind"));
    let mut draft = draft.with(Field::entry(Attribute::Authority), &authority);
    for (name, value) in fields.split(';').filter_map(|field| field.split_once('=')) {
        draft.set(Field::parse(name.trim()).expect("a field"), value);
    }
    let clock = Hlc::from_unix_ms(CAME_MS.unsigned_abs() + u64::from(version.0));
    Arrival::State(key, State::new(version, clock, canonical::encode(&draft, status)))
}

pub(crate) fn said(case: &Finding, answer: Answer, operator: &str) -> Resolution {
    let record = matches!(answer, Answer::Withdraw | Answer::Replace).then(|| case.records[1]);
    let (operator, reason) = (operator.to_owned(), "both books seen".to_owned());
    Resolution { case: case.id, answer, record, operator, reason }
}

/// One birth in two provinces that the rules are sure of: a link.
pub(crate) fn linked() -> [String; 2] {
    [format!("01@2008/1 birth {HUNG}"), format!("79@2008/1 birth {HUNG}")]
}

/// Two people of two provinces under one personal number: a case.
pub(crate) fn doubtful() -> [String; 2] {
    let number = "child_personal_number=001090123456";
    [
        format!(
            "01@2008/1 birth registration_date=05.03.1990; child_name=Hồ Văn Ba; child_birth_date=02.03.1990; {number}"
        ),
        format!(
            "79@2008/1 birth registration_date=01.09.1990; child_name=Trần Văn Toản; child_birth_date=07.08.1990; {number}"
        ),
    ]
}

/// Pairs of entries that bear one number and nothing else: a case a pair.
pub(crate) fn same_keys(pairs: u32) -> Vec<String> {
    let of_pair = |at: u32| {
        let entry =
            |id, name: &str| format!("01@2008/{id} birth number={at}; registration_date=05.03.1999; child_name={name}");
        [entry(2 * at, "Trần Thị Lan"), entry(2 * at + 1, "Lê Văn Hùng")]
    };
    (1..=pairs).flat_map(of_pair).collect()
}

pub(crate) fn trying() -> Mode {
    Mode::Try(Arc::default())
}

pub(crate) fn same_key_open() -> FindingFilter {
    FindingFilter { rules: vec![Rule::SameKey], state: Some(FindingState::Open), ..FindingFilter::default() }
}

pub(crate) fn selection(filter: FindingFilter, answer: Answer, choice: Option<Choice>) -> Selection {
    let (operator, reason) = ("lan".to_owned(), "circular 12".to_owned());
    Selection { filter, cases_max: u64::MAX, answer, choice, operator, reason }
}
