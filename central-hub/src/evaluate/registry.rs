//! The registry itself: every record in force, page by page.

use hub_rules::node::Node;
use hub_rules::reading::Reading;
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::RecordKey;
use registry_schema::record::Record;

use super::sample::Sample;

/// Records of one page: some megabytes, so that memory holds a page and not the registry.
const PAGE_RECORDS: usize = 5_000;

/// Reads every record in force, hands it on, and remembers who stands in it.
///
/// # Errors
/// The store cannot be read.
pub async fn read<S: NationalStore>(
    store: &S,
    mut take: impl FnMut(RecordKey, &Record),
    mut progress: impl FnMut(u64),
) -> Result<Sample, StoreError> {
    let (mut nodes, mut after, mut records) = (Vec::new(), None, 0);
    loop {
        let page = store.entries(after, PAGE_RECORDS).await?;
        let Some((last, _)) = page.last() else { return Ok(Sample::new(nodes)) };
        after = Some(*last);
        for (key, state) in page {
            let reading = Reading::of(key, state);
            // What an earlier release let in force and this one does not understand stands alone.
            let Some(record) = reading.in_force() else { continue };
            nodes.extend(record.participants().map(|participant| Node::new(key, participant.role)));
            take(key, record);
            records += 1;
        }
        progress(records);
    }
}
