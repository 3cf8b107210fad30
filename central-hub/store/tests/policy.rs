//! Order independence under other policies than the default one.

use std::collections::{BTreeMap, BTreeSet};

use hub_rules::finding::Rule;
use hub_rules::memory::Memory;
use hub_rules::policy::{Policy, Setting, Treatment, standard};
use hub_store::conformance::World;

/// Worlds of each policy.
const SEEDS: u64 = 100;

/// The policy that treats every rule that can link in this way.
fn treating_links(treatment: Treatment) -> Policy {
    let links = Rule::ALL.iter().filter(|rule| standard(**rule).treatment == Treatment::Automatic);
    let setting = Setting { treatment: Some(treatment), ..Setting::default() };
    let settings: BTreeMap<String, Setting> = links.map(|rule| (rule.name().to_owned(), setting)).collect();
    Policy::parse(&settings).expect("every rule can ask and be ignored")
}

fn check(policy: &Policy) {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let play = |batches: Vec<Vec<hub_rules::Arrival>>| {
            let mut memory = Memory::under(policy.clone());
            batches.into_iter().for_each(|batch| memory.take(batch));
            memory
        };
        let at_once = play(world.at_once());
        let shuffled = play(world.schedule());
        let told = |memory: &Memory| -> BTreeSet<String> {
            memory.findings.values().map(|finding| format!("{finding:?}")).collect()
        };
        let (shuffled_tells, at_once_tells) = (told(&shuffled), told(&at_once));
        let differing: Vec<&String> = shuffled_tells.symmetric_difference(&at_once_tells).collect();
        assert!(differing.is_empty(), "seed {seed}: {differing:#?}");
        assert_eq!(shuffled.members, at_once.members, "seed {seed}");
        assert_eq!(shuffled.digests, at_once.digests, "seed {seed}");
    }
}

#[test]
fn any_order_gives_one_nation_where_people_are_asked_before_every_link() {
    check(&treating_links(Treatment::Ask));
}

#[test]
fn any_order_gives_one_nation_where_no_link_is_told() {
    check(&treating_links(Treatment::Ignore));
}
