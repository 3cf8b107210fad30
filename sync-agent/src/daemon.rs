//! The daemon: seals what clerks write, and keeps a stream to the centre.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::change_log;
use crate::config::{Access, Config, PaceConfig};
use crate::credentials::Folder;
use crate::enrolment::renew_in_time;
use crate::seal::portion::Portion;
use crate::store::{Store, StoreError, StoreHandle};
use crate::uplink::{Connect, Heads, Uplink};

/// How long to wait when the store cannot be written for a reason that takes a person: a full disk, most often.
const TROUBLE_WAIT: Duration = Duration::from_secs(5);

/// What the daemon is told from outside.
#[derive(Clone)]
pub struct Surroundings {
    /// Makes the connections.
    pub connect: Connect,
    /// The wall clock in Unix milliseconds.
    pub wall_ms: fn() -> u64,
    /// The seed of the waiting times.
    pub seed: u64,
}

/// Works until `stop` is cancelled: finishes the transaction at hand, closes the stream and returns.
///
/// # Errors
/// The store belongs to another province, or failed in a way that waiting does not mend.
pub async fn run(
    store: StoreHandle,
    config: &Config,
    surroundings: Surroundings,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let incarnation = store.call(|store| Ok(store.incarnation())).await?;
    if incarnation.origin != config.province {
        return Err(StoreError::OtherProvince { store: incarnation.origin, configured: config.province });
    }
    store.call(Store::wait_briefly).await?;
    let (heads, watched) = watch::channel(store.call(read_heads).await?);
    let stop = stop.child_token();
    let uplink = Uplink::new(store.clone(), incarnation, config, &surroundings, watched, stop.clone());
    let sealing = tokio::spawn(seal_all(store, config.pace, surroundings.wall_ms, heads, stop.clone()));
    let sending = tokio::spawn(uplink.run());
    if let Access::Identity(folder) = &config.access {
        let (connect, hub, folder) = (surroundings.connect.clone(), config.hub.clone(), Folder::new(folder));
        tokio::spawn(renew_in_time(connect, hub, folder, surroundings.wall_ms, stop.clone()));
    }
    let (sealed, sent) = tokio::join!(ended(sealing, &stop), ended(sending, &stop));
    sealed.and(sent)
}

/// The end of one task is the end of both.
async fn ended(
    task: tokio::task::JoinHandle<Result<(), StoreError>>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let result = task.await;
    stop.cancel();
    match result {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Closed),
    }
}

/// Seals batch after batch while changes wait, and looks for new ones at every beat of the poll, and for what an import
/// has sealed.
async fn seal_all(
    store: StoreHandle,
    pace: PaceConfig,
    wall_ms: fn() -> u64,
    heads: watch::Sender<Heads>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let (mut trouble, mut portion) = (false, Portion::new(pace.seal_batch_changes));
    while !stop.is_cancelled() {
        let (now_ms, changes_max) = (wall_ms(), portion.changes());
        let seal = move |store: &mut Store| {
            let begun = Instant::now();
            let sealed = store.seal(changes_max, now_ms)?;
            let time = begun.elapsed();
            Ok((sealed, time, read_heads(store)?))
        };
        let wait = match store.call(seal).await {
            Ok((sealed, time, new)) => {
                portion.took(sealed.changes, time);
                if std::mem::take(&mut trouble) {
                    tracing::info!("the store can be written again");
                }
                if *heads.borrow() != new {
                    heads.send_replace(new);
                }
                if sealed.more { Duration::ZERO } else { Duration::from_millis(pace.poll_ms) }
            }
            Err(StoreError::Locked) => Duration::from_millis(pace.poll_ms),
            Err(error) if error.passes() => {
                if !std::mem::replace(&mut trouble, true) {
                    tracing::error!(%error, "changes cannot be sealed; trying again");
                }
                TROUBLE_WAIT
            }
            Err(error) => return Err(error),
        };
        if wait.is_zero() {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = sleep(wait) => {}
        }
    }
    Ok(())
}

fn read_heads(store: &mut Store) -> Result<Heads, StoreError> {
    Ok(change_log::lanes(store.connection())?.into_iter().map(|(lane, state)| (lane, state.sealed)).collect())
}
