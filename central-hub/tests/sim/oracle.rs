//! What must be true in the end, said without the code under test: clerks' marks are compared with marks, the journal
//! with its own numbers, and the judgement with a fresh one of the same entries in another order.

use std::collections::BTreeMap;

use central_hub::arrivals::arrivals;
use futures::FutureExt as _;
use hub_rules::Arrival;
use hub_rules::memory::Memory;
use hub_rules::words::words;
use hub_store::model::{FindingFilter, JournalBody, JournalEntry, JournalId, Queue};
use hub_store::{Cases as _, Journal as _, Registry as _};
use prost::Message as _;
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use registry_proto::v1;
use registry_schema::canonical;
use registry_schema::digest::{Hash256, chain_start};
use registry_schema::field::{Attribute, Field};
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, RecordKey};

use super::clerk::Story;
use super::stage::AGENTS;
use super::world::World;

/// More than any simulated journal has.
const ALL_BYTES: usize = 1 << 30;

type Found = Result<(), String>;

/// Looks at everything; the first thing that is wrong, in words.
pub(crate) fn check(world: &mut World<'_>) -> Found {
    let journal = journal(world);
    places(&journal)?;
    let arrivals = opened(&journal)?;
    answers(world, &arrivals)?;
    for agent in 0..world.provinces {
        marks(world, agent, &arrivals)?;
        rows(world, agent)?;
        notices(world, agent)?;
    }
    judgement(world, arrivals)
}

/// Everything in the journal, in the order of its arrival.
fn journal(world: &World<'_>) -> Vec<JournalEntry> {
    let all = |queue| world.desk.next(queue, JournalId::default(), ALL_BYTES).now_or_never().unwrap().unwrap();
    let mut entries = [all(Queue::Live), all(Queue::Backlog)].concat();
    entries.sort_by_key(|entry| entry.id);
    entries
}

/// Every lane counts from 1 without gaps and without going back, and its chain is whole.
fn places(journal: &[JournalEntry]) -> Found {
    let mut ends: BTreeMap<(Origin, Epoch, Lane), (u64, Hash256)> = BTreeMap::new();
    for entry in journal {
        let JournalBody::Frame { origin, epoch, lane, last_seq, chain, bytes } = &entry.body else { continue };
        let frame = v1::Frame::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
        let (seq, before) =
            ends.entry((*origin, *epoch, *lane)).or_insert_with(|| (0, chain_start(*origin, *epoch, *lane)));
        if frame.first_seq != *seq + 1 || frame.previous_chain != before.0 {
            return Err(format!("{origin} {epoch:?} {lane}: {} follows {seq} in the journal", frame.first_seq));
        }
        (*seq, *before) = (last_seq.0, *chain);
    }
    Ok(())
}

type Arrived = Vec<(Lane, Arrival)>;

fn opened(journal: &[JournalEntry]) -> Result<Arrived, String> {
    let mut arrived = Vec::new();
    for entry in journal {
        let lane = match &entry.body {
            JournalBody::Frame { lane, .. } => *lane,
            JournalBody::Verdict(_) | JournalBody::Damaged(_) => Lane::Live,
        };
        let found = arrivals(entry).map_err(|why| format!("journal entry {:?} is damaged: {why}", entry.id))?;
        arrived.extend(found.into_iter().map(|arrival| (lane, arrival)));
    }
    Ok(arrived)
}

/// Every answer that was given is in the journal, once.
fn answers(world: &World<'_>, arrived: &Arrived) -> Found {
    let mut journaled: Vec<_> = arrived
        .iter()
        .filter_map(|(_, arrival)| if let Arrival::Verdict(verdict) = arrival { Some(verdict.id()) } else { None })
        .collect();
    let mut given: Vec<_> = world.verdicts.iter().map(hub_rules::verdict::Verdict::id).collect();
    journaled.sort_unstable();
    given.sort_unstable();
    if journaled == given {
        Ok(())
    } else {
        Err(format!("{} answers were given, {} journaled", given.len(), journaled.len()))
    }
}

/// Every state that clerks committed is in the nation exactly once, nothing else is, and the last one is the present.
fn marks(world: &World<'_>, agent: usize, arrived: &Arrived) -> Found {
    let (origin, book) = (world.stage.origin(agent), &world.books[agent]);
    let mut sent: BTreeMap<(RecordKey, String), usize> = BTreeMap::new();
    for (lane, arrival) in arrived {
        if let Arrival::State(key, state) = arrival
            && key.origin == origin
        {
            // A repair says again what was said, or what could not be said before.
            *sent.entry((*key, mark(&state.canonical))).or_default() += usize::from(*lane != Lane::Repair);
        }
    }
    for ((key, mark), times) in &sent {
        let story = book.stories.get(&key.id.number()).ok_or(format!("{key} came from nowhere"))?;
        let is_known = story.states.iter().any(|state| state.mark == *mark) || story.foreign.contains(mark);
        if !is_known || *times > 1 + book.incidents {
            return Err(format!("{key}: state {mark} came {times} times, known {is_known}"));
        }
    }
    for (record, story) in &book.stories {
        let key = RecordKey { origin, id: RecordId::from_number(*record).unwrap() };
        let view = world.desk.record(key).now_or_never().unwrap().unwrap();
        let Some(view) = view else {
            if story.loose_from == Some(0) || story.states.is_empty() {
                continue;
            }
            return Err(format!("{key}: lost; {story:?}"));
        };
        let mut held: Vec<String> = view.past.iter().map(|(state, _)| mark(&state.canonical)).collect();
        held.push(mark(&view.present.canonical));
        let present = mark(&view.present.canonical);
        check_story(book.incidents, story, held, &present).map_err(|what| format!("{key}: {what}; {story:?}"))?;
    }
    Ok(())
}

fn check_story(incidents: usize, story: &Story, mut held: Vec<String>, present: &str) -> Found {
    held.sort_unstable();
    let mut written: Vec<String> = story.states.iter().map(|state| state.mark.clone()).collect();
    written.sort_unstable();
    if incidents == 0 && written != held {
        return Err(format!("the nation has the states {held:?}"));
    }
    if let Some(state) = story.states.iter().find(|state| !state.is_gone && !held.contains(&state.mark)) {
        return Err(format!("the nation never heard of {}", state.mark));
    }
    let good: Vec<&str> =
        story.states.iter().filter(|state| !state.is_poison).map(|state| state.mark.as_str()).collect();
    let is_fine = match story.loose_from {
        // Of entries that were never good the nation shows the last state.
        _ if good.is_empty() => true,
        None if good.last() == Some(&present) => true,
        None => false,
        Some(from) => {
            let loose = story.states[from.min(story.states.len())..].iter().any(|state| state.mark == present);
            let settled = story.states[..=from.min(story.states.len() - 1)].iter().rev().find(|state| !state.is_poison);
            loose || settled.is_some_and(|state| state.mark == present) || story.foreign.contains(present)
        }
    };
    if is_fine { Ok(()) } else { Err(format!("the nation shows {present}")) }
}

/// The province's own rows say what the nation holds.
fn rows(world: &World<'_>, agent: usize) -> Found {
    use hub_store::Holdings as _;
    let rows = world.clerks[agent].as_ref().unwrap().marks();
    let ids: Vec<RecordId> = rows.keys().map(|id| RecordId::from_number(*id).unwrap()).collect();
    let count = ids.len();
    let held = world.desk.held_states(world.stage.origin(agent), ids).now_or_never().unwrap().unwrap();
    if held.len() != count {
        return Err(format!("{} has {count} entries, the nation {} of them", AGENTS[agent], held.len()));
    }
    for (id, state) in held {
        let (own, nations) = (&rows[&id.number()], mark(&state.canonical));
        if *own != nations {
            return Err(format!(
                "{}/{}: the province shows {own}, the nation holds {nations}",
                AGENTS[agent],
                id.number()
            ));
        }
    }
    Ok(())
}

/// The agent holds the last word about every subject, and no other.
fn notices(world: &World<'_>, agent: usize) -> Found {
    let told = world.desk.notices(world.stage.origin(agent), 0, usize::MAX).now_or_never().unwrap().unwrap();
    let last: BTreeMap<(i64, String), String> =
        told.into_iter().map(|notice| ((notice.record.number(), notice.subject), notice.outcome)).collect();
    let connection = world.clerks[agent].as_ref().unwrap().connection();
    let mut statement = connection.prepare("SELECT record_id, subject, outcome FROM notices").unwrap();
    let rows = statement.query_map((), |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
    let kept: BTreeMap<(i64, String), String> = rows.collect::<Result<_, _>>().unwrap();
    if last == kept { Ok(()) } else { Err(format!("{} was told {last:?}, and keeps {kept:?}", AGENTS[agent])) }
}

/// The nation is what a fresh judgement of the same arrivals in another order makes of them.
fn judgement(world: &mut World<'_>, arrived: Arrived) -> Found {
    let mut arrivals: Vec<Arrival> = arrived.into_iter().map(|(_, arrival)| arrival).collect();
    arrivals.shuffle(&mut world.chance);
    let mut memory = Memory::default();
    while !arrivals.is_empty() {
        let count = world.chance.random_range(1..=arrivals.len());
        memory.take(arrivals.drain(..count));
    }
    let digests = world.desk.digests().now_or_never().unwrap().unwrap().digests;
    if digests.national() != memory.digests.national() {
        return Err("the nation is not what a judgement in another order makes of its journal".to_owned());
    }
    let rows = world.desk.findings(FindingFilter::default()).now_or_never().unwrap().unwrap();
    let found: Vec<_> = rows.into_iter().map(|row| row.finding).collect();
    if found != memory.findings.values().cloned().collect::<Vec<_>>() {
        return Err("the cases are not those of a judgement in another order".to_owned());
    }
    last_words(world, &memory)
}

/// What was said last about every subject is the same, apart from words that need nobody.
fn last_words(world: &World<'_>, memory: &Memory) -> Found {
    let silent = |outcome: &str| matches!(outcome, "accepted" | "closed");
    for (agent, name) in AGENTS.iter().enumerate().take(world.provinces) {
        let origin = world.stage.origin(agent);
        let told = world.desk.notices(origin, 0, usize::MAX).now_or_never().unwrap().unwrap();
        let mut last: BTreeMap<(RecordId, String), String> =
            told.into_iter().map(|notice| ((notice.record, notice.subject), notice.outcome)).collect();
        let mut wanted: BTreeMap<(RecordId, String), String> = BTreeMap::new();
        for notice in memory.notices.iter().filter(|notice| notice.key.origin == origin) {
            let words = words(&notice.word);
            wanted.insert((notice.key.id, words.subject), words.outcome.to_owned());
        }
        last.retain(|_, outcome| !silent(outcome));
        wanted.retain(|_, outcome| !silent(outcome));
        if last != wanted {
            return Err(format!("{name} was told {last:?} instead of {wanted:?}"));
        }
    }
    Ok(())
}

fn mark(canonical: &[u8]) -> String {
    canonical::peek(canonical, Field::entry(Attribute::Note)).unwrap_or_default().to_owned()
}
