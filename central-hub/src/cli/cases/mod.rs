//! Commands about cases.

mod arguments;
mod print;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_rules::finding::FindingId;
use hub_rules::policy::Policy;
use hub_rules::verdict::{Answer, Verdict};
use hub_store::AnyStore;
use hub_store::ledger::Verb;
use hub_store::model::FindingFilter;

use super::arguments::Output;
use super::{commands, judged, output};
use crate::clock::now_ms;
use crate::exit::Exit;
use crate::office::{Office, OfficeError};
use crate::operator::cases::{
    self, AnswerError, BatchId, BulkReport, CASES_UNASKED_MAX, CaseReport, FindingsReport, Mode, Resolution, Selection,
};
use crate::ruling::{self, RulingError};
pub(super) use arguments::CasesCommand;
use arguments::{CareArguments, ResolveArguments, State, UndoArguments, WordsArguments};

/// How long work goes on before it shows how far it is, in milliseconds.
const SILENT_MS_MAX: u64 = 2_000;
/// What is said when nothing can be selected.
const NO_RULE: &str = "none of these rules has that severity; `central-hub rules` lists them";

/// Runs one command.
pub(super) async fn run(
    store: &AnyStore,
    config: Option<&Path>,
    command: CasesCommand,
    office: &Office,
    format: Output,
) -> anyhow::Result<Exit> {
    let policy = Arc::new(judged::policy(config)?);
    match command {
        CasesCommand::List(arguments) => {
            let Some(filter) = arguments.page(&policy) else { return Ok(usage(NO_RULE)) };
            commands::print(format, &list(store, &policy, filter, arguments.all).await?, print::list)
        }
        CasesCommand::Show { id, why } => {
            office.look(store, &format!("case {id}"), &why).await?;
            show(store, &policy, office, id, format).await
        }
        CasesCommand::Resolve(mut arguments) => match arguments.id {
            Some(case) => {
                let answer = arguments.word.or(arguments.answer).unwrap_or(Answer::Wait);
                let (operator, reason) = decides(office, arguments.words)?;
                office.act(store, Verb::Resolve, &format!("case {case} {}", answer.name()), &reason).await?;
                let resolution = Resolution { case, answer, record: arguments.record, operator, reason };
                given(&cases::resolve(store, resolution, now_ms()).await?, format)
            }
            None => {
                let (operator, reason) = decides(office, arguments.words)?;
                if !arguments.care.dry_run {
                    let answer = arguments.answer.unwrap_or(Answer::Wait);
                    office.act(store, Verb::Resolve, &format!("cases of a filter {}", answer.name()), &reason).await?;
                }
                arguments.words = WordsArguments { operator: Some(operator), reason };
                resolve_all(store, policy, arguments, format).await
            }
        },
        CasesCommand::Undo(UndoArguments { id, batch, care, words }) => match (id, batch) {
            (Some(id), _) => {
                let (operator, reason) = decides(office, words)?;
                office.act(store, Verb::Undo, &format!("case {id}"), &reason).await?;
                given(&cases::undo(store, id, operator, reason, now_ms()).await?, format)
            }
            (None, Some(batch)) => {
                let words = decides(office, words)?;
                if !care.dry_run {
                    office.act(store, Verb::Undo, &format!("batch {batch}"), &words.1).await?;
                }
                let mode = mode(store, policy, care).await?;
                undo_all(store, batch, (care, mode), words, format).await
            }
            (None, None) => Ok(usage("name a case, or a batch with --batch")),
        },
    }
}

/// Who decides, and why.
fn decides(office: &Office, words: WordsArguments) -> Result<(String, String), OfficeError> {
    Ok((office.signs(words.operator)?, words.reason))
}

/// How a refused answer ends the program.
pub(super) fn exit_of(error: &AnswerError) -> Exit {
    match error {
        AnswerError::NoCase(_) | AnswerError::Closed(_) | AnswerError::NothingToUndo(_) => Exit::Unavailable,
        AnswerError::NeedsRecord { .. } | AnswerError::OneEntry { .. } | AnswerError::NotOfRule { .. } => Exit::Usage,
        AnswerError::Store(error) => Exit::from(error),
    }
}

async fn list(
    store: &AnyStore,
    policy: &Policy,
    mut filter: FindingFilter,
    every_page: bool,
) -> anyhow::Result<FindingsReport> {
    let mut report = cases::list(store, policy, filter.clone()).await?;
    while let (true, Some(next)) = (every_page, report.next) {
        filter.after = Some(next);
        let page = cases::list(store, policy, filter.clone()).await?;
        report.findings.extend(page.findings);
        report.next = page.next;
    }
    Ok(report)
}

/// Shows a case; answers are not tried where the configuration is not the one that the registry was judged under.
async fn show(
    store: &AnyStore,
    policy: &Arc<Policy>,
    office: &Office,
    id: FindingId,
    format: Output,
) -> anyhow::Result<Exit> {
    let is_tried = match ruling::check(store, policy).await {
        Ok(_) => true,
        Err(error @ RulingError::Differs { .. }) => {
            output::notice(&format!("answers are not tried: {error}"));
            false
        }
        Err(RulingError::Store(error)) => return Err(error.into()),
    };
    let report = cases::show(store, (policy, is_tried), id, now_ms()).await?;
    let report = if office.sees_sensitive() { report } else { report.map(CaseReport::without_sensitive) };
    let absent = AnswerError::NoCase(id).to_string();
    commands::found(format, report.as_ref(), print::case, &absent)
}

fn given(verdict: &Verdict, format: Output) -> anyhow::Result<Exit> {
    commands::print(format, verdict, |verdict| {
        let (case, answer) = (verdict.case, verdict.answer.name());
        let after = match verdict.answer {
            Answer::Wait => "the hub puts back what was before".to_owned(),
            _ => format!("the hub applies it, and `central-hub cases undo {case}` takes it back"),
        };
        output::line(&format!("case {case}: {answer}; {after}"))
    })
}

async fn resolve_all(
    store: &AnyStore,
    policy: Arc<Policy>,
    arguments: ResolveArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    let Some(answer) = arguments.answer else { return Ok(usage("say which answer: --answer ANSWER")) };
    if arguments.filter.rules.is_empty() {
        return Ok(usage("name a case, or select cases with --rule RULE: cases of unlike rules want unlike answers"));
    }
    if matches!(answer, Answer::Withdraw | Answer::Replace) && arguments.choose.is_none() {
        let which = "--choose older, younger or province:CODE@EDITION";
        return Ok(usage(&format!("the answer `{}` singles out a record: say which one with {which}", answer.name())));
    }
    let default = if answer == Answer::Wait { State::Answered } else { State::Open };
    let state = arguments.filter.state.unwrap_or(default);
    let Some(filter) = arguments.filter.of(&policy, Some(state)) else { return Ok(usage(NO_RULE)) };
    let cases_max = arguments.limit.unwrap_or(u64::MAX);
    let care = arguments.care;
    if !care.dry_run && !care.yes {
        let count = cases::count(store, &filter, cases_max.min(CASES_UNASKED_MAX + 1)).await?;
        if count > CASES_UNASKED_MAX {
            return Ok(too_many());
        }
    }
    let WordsArguments { operator, reason } = arguments.words;
    let operator = operator.unwrap_or_default();
    let selection = Selection { filter, cases_max, answer, choice: arguments.choose, operator, reason };
    let how = (BatchId(rand::random()), mode(store, policy, care).await?);
    let report = cases::resolve_all(store, selection, how, now_ms(), progress()).await?;
    output::progress_done();
    bulk(&report, format)
}

async fn undo_all(
    store: &AnyStore,
    batch: BatchId,
    (care, mode): (CareArguments, Mode),
    words: (String, String),
    format: Output,
) -> anyhow::Result<Exit> {
    if !care.dry_run && !care.yes {
        let tried = cases::count_batch(store, batch, CASES_UNASKED_MAX + 1).await?;
        if tried > CASES_UNASKED_MAX {
            return Ok(too_many());
        }
    }
    let report = cases::undo_all(store, batch, words, mode, now_ms(), progress()).await?;
    output::progress_done();
    if report.cases == 0 && report.passed_over.is_empty() {
        output::notice(&format!("error: no answer bears the name of batch {batch}"));
        return Ok(Exit::Unavailable);
    }
    bulk(&report, format)
}

fn bulk(report: &BulkReport, format: Output) -> anyhow::Result<Exit> {
    let command = (!report.given && report.cases > 0).then(|| command_line(report.cases));
    let mut value = serde_json::to_value(report)?;
    if let (Some(fields), Some(command)) = (value.as_object_mut(), &command) {
        fields.insert("command".to_owned(), command.clone().into());
    }
    commands::print(format, &value, |_| print::bulk(report, command.as_deref()))
}

/// The command that was given, without what made it a trial.
fn command_line(cases: u64) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,".contains(c);
    let quote = |word: String| {
        let is_plain = !word.is_empty() && word.chars().all(plain);
        if is_plain { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let mut words: Vec<String> = words.filter(|word| word != "--dry-run").map(quote).collect();
    if cases > CASES_UNASKED_MAX && !words.iter().any(|word| word == "--yes") {
        words.push("--yes".to_owned());
    }
    words.join(" ")
}

/// How answers are given; they are tried only under what the registry was judged under.
async fn mode(store: &AnyStore, policy: Arc<Policy>, care: CareArguments) -> anyhow::Result<Mode> {
    if !care.dry_run {
        return Ok(Mode::Journal);
    }
    ruling::check(store, &policy).await?;
    Ok(Mode::Try(policy))
}

fn progress() -> impl FnMut(u64) {
    let began = Instant::now();
    move |cases| {
        if began.elapsed() > Duration::from_millis(SILENT_MS_MAX) {
            output::progress(&format!("{cases} cases"));
        }
    }
}

fn too_many() -> Exit {
    usage(&format!("that is more than {CASES_UNASKED_MAX} cases; look at it with --dry-run, then say --yes"))
}

fn usage(text: &str) -> Exit {
    output::notice(&format!("error: {text}"));
    Exit::Usage
}
