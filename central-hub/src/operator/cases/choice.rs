//! Which entry of each case an answer to many cases singles out.

use std::str::FromStr;

use hub_rules::finding::Finding;
use hub_rules::reading::Reading;
use hub_store::{NationalStore, StoreError};
use registry_schema::date::PartialDate;
use registry_schema::ids::{Origin, RecordKey};

/// Which record an answer singles out, where each case has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The entry that was registered before the others, whatever the unknown parts of the dates are.
    Older,
    /// The entry that was registered after the others.
    Younger,
    /// The entry of this province.
    Province(Origin),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("province:").map(str::parse)) {
            ("older", _) => Ok(Self::Older),
            ("younger", _) => Ok(Self::Younger),
            (_, Some(Ok(origin))) => Ok(Self::Province(origin)),
            _ => Err("write older, younger or province:CODE@EDITION, for example province:79@2008".to_owned()),
        }
    }
}

/// The record that a choice means; `None` where it means none, or no one for certain.
pub(super) async fn choose<S: NationalStore>(
    store: &S,
    finding: &Finding,
    choice: Choice,
) -> Result<Option<RecordKey>, StoreError> {
    if let Choice::Province(origin) = choice {
        let mut of_province = finding.records.iter().filter(|key| key.origin == origin);
        return Ok(of_province.next().copied().filter(|_| of_province.next().is_none()));
    }
    let mut dates = Vec::new();
    for key in &finding.records {
        let Some(view) = store.record(*key).await? else { return Ok(None) };
        let reading = Reading::of(*key, view.present);
        let Some(date) = reading.in_force().and_then(|record| record.registration.date) else { return Ok(None) };
        dates.push((*key, date));
    }
    let before = |one: PartialDate, other: PartialDate| match choice {
        Choice::Younger => other.definitely_before(one),
        _ => one.definitely_before(other),
    };
    let is_chosen = |(key, date): &&(RecordKey, PartialDate)| {
        let mut others = dates.iter().filter(|(other, _)| other != key);
        dates.len() > 1 && others.all(|(_, other)| before(*date, *other))
    };
    Ok(dates.iter().find(is_chosen).map(|(key, _)| *key))
}
