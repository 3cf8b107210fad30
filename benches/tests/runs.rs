//! Whether the benchmarks run at all; what they measure in so small a country means nothing.

use std::process::Command;

use serde_json::Value;

fn report(program: &str, arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let out = folder.path().join("report.json");
    let ran = Command::new(program).args(arguments).arg("--out").arg(&out).output().expect("the program starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&std::fs::read(out).expect("a report")).expect("JSON")
}

#[test]
fn judging_is_measured() {
    let report = report(env!("CARGO_BIN_EXE_bench-judge"), &["--entries", "3000"]);
    assert!(report["entries"].as_u64() > Some(1_000), "{report}");
    for rate in ["bound_insert_rps", "journaled_rps", "reconciled_rps", "growth_ratio"] {
        assert!(report[rate].as_f64() > Some(0.0), "{rate}: {report}");
    }
}

#[test]
fn comparing_is_measured() {
    let report = report(env!("CARGO_BIN_EXE_bench-resync"), &["--entries", "3000", "--runs", "1"]);
    assert!(report["repaired_milliseconds"].as_u64() > Some(0), "{report}");
    assert!(report["altered"][1]["bytes_mean"].as_u64() > Some(0), "{report}");
}
