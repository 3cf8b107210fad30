//! Who was found to be whom, as a table for other tools.

use std::collections::HashMap;
use std::io::Write;

use super::names::Names;
use super::sample::{Links, Sample};
use crate::spreadsheet;

/// Writes `record_id,role,cluster` for every participant; clusters are numbered from 1 in the order of the participants.
///
/// # Errors
/// The table cannot be written.
pub fn write(out: impl Write, sample: &Sample, links: &Links, names: &Names) -> csv::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["record_id", "role", "cluster"])?;
    let mut numbers: HashMap<u32, usize> = HashMap::new();
    for (node, found) in sample.nodes().iter().zip(&links.found) {
        let next = numbers.len() + 1;
        let number = *numbers.entry(*found).or_insert(next);
        let (name, number) = (names.name(node.key), number.to_string());
        writer.write_record([&*spreadsheet::guarded(&name), node.role.name(), &number])?;
    }
    writer.flush().map_err(csv::Error::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::sample::tests::sample;
    use super::*;

    #[test]
    fn everybody_stands_in_a_numbered_cluster() {
        let (sample, links) = sample(&["1#child - 40", "2#child - 7", "2#mother - 9", "3#child - 40"]);
        let mut out = Vec::new();
        write(&mut out, &sample, &links, &Names::Keys).unwrap();
        let expected =
            "record_id,role,cluster\n01@2008/1,child,1\n01@2008/2,child,2\n01@2008/2,mother,3\n01@2008/3,child,1\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
