//! `evaluate` and `explain`: how well records are linked, and why two of them are or are not.

mod arguments;
mod print;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hub_rules::bulk::Linker;
use hub_rules::matching::Edition;
use hub_rules::reading::Reading;
use hub_store::{Registry as _, StoreError};
use registry_schema::ids::RecordKey;
use registry_schema::record::Record;
use thiserror::Error;

use super::arguments::Output;
use super::output;
use crate::evaluate::chart::{self, Captions};
use crate::evaluate::explain::{self, ExplainError, Explanation, Participant};
use crate::evaluate::names::Names;
use crate::evaluate::outside::{self, Outside, OutsideError};
use crate::evaluate::sample::Sample;
use crate::evaluate::truth::{self, TruthError, TruthReport};
use crate::evaluate::{Evaluation, Subject, clusters, evaluate, registry};
use crate::exit::Exit;
use crate::open::StoreUrl;

use arguments::{EditionChoice, Source};
pub(super) use arguments::{EvaluateArguments, ExplainArguments};

/// What keeps `evaluate` and `explain` from answering.
#[derive(Debug, Error)]
pub(super) enum EvaluateError {
    /// Nothing says who is who.
    #[error("nothing says who is who; give --truth FILE{0}")]
    NoTruth(&'static str),
    /// There is nothing to link.
    #[error("{0}: there is no record in it")]
    Empty(String),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file from elsewhere cannot be read.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// The truth cannot be read.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// The two cannot be found.
    #[error(transparent)]
    Explain(#[from] ExplainError),
}

impl EvaluateError {
    /// How the program ends by it.
    pub(super) fn exit(&self) -> Exit {
        let of = |error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Exit::Unavailable,
            std::io::ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::Io,
        };
        match self {
            Self::NoTruth(_) => Exit::Usage,
            Self::Empty(_) => Exit::Data,
            Self::Store(error) => Exit::from(error),
            Self::Outside(OutsideError::Unreadable { source, .. })
            | Self::Truth(TruthError::Unreadable { source, .. }) => of(source),
            Self::Outside(OutsideError::Mapping { .. }) => Exit::Config,
            Self::Outside(_) | Self::Truth(_) => Exit::Data,
            Self::Explain(ExplainError::WhichRole(..)) => Exit::Usage,
            Self::Explain(_) => Exit::Unavailable,
        }
    }
}

/// Measures how well a set is linked.
pub(super) async fn run(
    store: Option<&StoreUrl>,
    arguments: EvaluateArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let mut news = News::new(began);
    let (subject, linker) = subject(store, &arguments, &mut news).await?;
    news.say(|| "linking".to_owned());
    let evaluation = evaluate(&subject, &linker, usize::from(arguments.worst), began, |done, of| {
        news.say(|| format!("linking: {done} of {of} pairs compared"));
    });
    news.done();
    if let Some(path) = &arguments.curve {
        let svg = chart::svg(&evaluation.curve, &captions(&evaluation, &linker));
        std::fs::write(path, svg).with_context(|| format!("{}: the curve cannot be written", path.display()))?;
    }
    if let Some(path) = &arguments.clusters {
        write_clusters(path, &subject, &evaluation)?;
    }
    super::commands::print(format, &evaluation.report, print::report)
}

fn write_clusters(path: &Path, subject: &Subject, evaluation: &Evaluation) -> anyhow::Result<()> {
    let what = || format!("{}: the clusters cannot be written", path.display());
    let file = BufWriter::new(File::create(path).with_context(what)?);
    clusters::write(file, &subject.sample, &evaluation.links, &subject.names).with_context(what)
}

fn captions(evaluation: &Evaluation, linker: &Linker) -> Captions {
    let report = &evaluation.report;
    let bits = |millibits: i32| f64::from(millibits) / 1000.0;
    let thresholds = linker.edition().thresholds;
    Captions {
        title: format!("Pairs of entries of one kind: {} records, edition {}", report.records, report.edition),
        thresholds: vec![(bits(thresholds.automatic), "automatic"), (bits(thresholds.manual), "review")],
    }
}

/// Reads the set and its truth.
async fn subject(
    store: Option<&StoreUrl>,
    arguments: &EvaluateArguments,
    news: &mut News,
) -> Result<(Subject, Linker), EvaluateError> {
    let mut linker = Linker::new(Edition::national());
    let mut set = match (&arguments.source, store) {
        (Source { data: Some(data), mapping: Some(mapping), .. }, _) => outside(data, mapping, &mut linker, news)?,
        (_, Some(store)) => {
            let sample = registry::read(
                &store.open(false).await?,
                |key, record| linker.push(key, record),
                |records| news.say(|| format!("reading: {records} records")),
            )
            .await?;
            Set { sample, names: Names::Keys, outside: None, name: "the store".to_owned() }
        }
        (_, None) => return Err(EvaluateError::Empty("no store and no file".to_owned())),
    };
    if linker.is_empty() {
        return Err(EvaluateError::Empty(set.name));
    }
    let truth = truth(arguments.truth.as_ref(), &mut set)?;
    fit(&mut linker, &arguments.source, news);
    let reading = set.outside.map(|outside| outside.reading);
    let records = reading.as_ref().map_or(linker.len() as u64, |reading| reading.rows);
    Ok((Subject { sample: set.sample, names: set.names, truth, reading, records }, linker))
}

struct Set {
    sample: Sample,
    names: Names,
    outside: Option<Beside>,
    name: String,
}

/// What only a file from elsewhere has.
struct Beside {
    truths: Vec<(RecordKey, u32)>,
    persons: truth::Persons,
    reading: outside::Reading,
}

fn outside(data: &Path, mapping: &Path, linker: &mut Linker, news: &mut News) -> Result<Set, EvaluateError> {
    let mapping = outside::mapping(mapping)?;
    let take = |key: RecordKey, record: &Record| linker.push(key, record);
    let progress = |rows: u64| news.say(|| format!("reading: {rows} rows"));
    let Outside { sample, names, truths, persons, reading } = outside::read(data, &mapping, take, progress)?;
    let outside = Some(Beside { truths, persons, reading });
    Ok(Set { sample, names, outside, name: data.display().to_string() })
}

fn truth(file: Option<&PathBuf>, set: &mut Set) -> Result<TruthReport, EvaluateError> {
    if let Some(path) = file {
        return Ok(truth::read(path, &set.names, &mut set.sample)?);
    }
    match &mut set.outside {
        Some(beside) if !beside.truths.is_empty() => {
            let truths = std::mem::take(&mut beside.truths);
            Ok(TruthReport::of_rows(truths, &beside.persons, &mut set.sample))
        }
        Some(_) => Err(EvaluateError::NoTruth(", or name the column truth under [evaluate] in the mapping")),
        None => Err(EvaluateError::NoTruth("; the fixtures write one, truth.csv, beside their stores")),
    }
}

/// A file in which the national edition knows fewer of a hundred names speaks of another people.
const NAMES_KNOWN_PERCENT_MIN: usize = 60;

fn fit(linker: &mut Linker, source: &Source, news: &mut News) {
    let default = match source.data {
        Some(_) if linker.names_known_percent() < NAMES_KNOWN_PERCENT_MIN => EditionChoice::Fit,
        _ => EditionChoice::National,
    };
    if source.edition.unwrap_or(default) == EditionChoice::Fit {
        news.say(|| "estimating frequencies and weights".to_owned());
        linker.fit();
    }
}

/// Says why two participants are one person or not.
pub(super) async fn explain(
    store: Option<&StoreUrl>,
    arguments: ExplainArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    let explanations = explanations(store, &arguments).await?;
    super::commands::print(format, &explanations, |explanations| explanations.iter().try_for_each(print::explanation))
}

async fn explanations(
    store: Option<&StoreUrl>,
    arguments: &ExplainArguments,
) -> Result<Vec<Explanation>, EvaluateError> {
    let (a, b) = (&arguments.a, &arguments.b);
    let mut linker = Linker::new(Edition::national());
    let (sample, names) = match (&arguments.source, store) {
        (Source { data: Some(data), mapping: Some(mapping), .. }, _) => {
            let mut news = News::new(Instant::now());
            let set = outside(data, mapping, &mut linker, &mut news)?;
            fit(&mut linker, &arguments.source, &mut news);
            news.done();
            (set.sample, set.names)
        }
        (_, Some(store)) => (two(store, [a, b], &mut linker).await?, Names::Keys),
        (_, None) => return Err(EvaluateError::Empty("no store and no file".to_owned())),
    };
    let pairs = explain::pairs(a, b, &names, &sample)?;
    Ok(pairs.into_iter().map(|(a, b)| Explanation::of(&linker, &names, a, b)).collect())
}

/// The two records of the store that are asked about, as far as they are in force.
async fn two(store: &StoreUrl, asked: [&Participant; 2], linker: &mut Linker) -> Result<Sample, EvaluateError> {
    let (store, mut nodes) = (store.open(false).await?, Vec::new());
    let mut keys: Vec<RecordKey> = asked.iter().filter_map(|asked| asked.record.parse().ok()).collect();
    keys.dedup();
    for key in keys {
        let Some(view) = store.record(key).await? else { continue };
        let reading = Reading::of(key, view.present);
        let Some(record) = reading.in_force() else { continue };
        nodes.extend(record.participants().map(|person| hub_rules::Node::new(key, person.role)));
        linker.push(key, record);
    }
    Ok(Sample::new(nodes))
}

/// Words of progress, once the work has taken long enough for somebody to wonder.
struct News {
    began: Instant,
    last: Option<Instant>,
}

impl News {
    /// Nothing is said before this long.
    const SILENCE: Duration = Duration::from_secs(2);
    /// The least time between two words.
    const PAUSE: Duration = Duration::from_millis(200);

    const fn new(began: Instant) -> Self {
        Self { began, last: None }
    }

    fn say(&mut self, words: impl FnOnce() -> String) {
        let now = Instant::now();
        let is_due = self.last.is_none_or(|last| now - last >= Self::PAUSE);
        if is_due && now - self.began >= Self::SILENCE {
            self.last = Some(now);
            output::progress(&words());
        }
    }

    fn done(&self) {
        if self.last.is_some() {
            output::progress_done();
        }
    }
}
