//! Studies that are shipped: what their sweeps promise holds.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sim::experiment::sweep::{SweepOptions, SweepReport, sweep};
use sim::run::{Options, run};
use sim::scenario::{Loaded, load};

/// Reads a shipped scenario with a single replication of each run.
fn shipped(path: &Path) -> Loaded {
    let sets = ["sweep.replications=1".to_owned()];
    load(path, &sets).unwrap_or_else(|report| panic!("{report}"))
}

/// Sweeps into a fresh folder.
fn swept(loaded: &Loaded) -> SweepReport {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("studies")
        .join(&loaded.scenario.name);
    let _ = fs::remove_dir_all(&folder);
    let options = SweepOptions {
        folder,
        jobs: NonZero::new(2).expect("two"),
        force: false,
        interrupt: Arc::new(AtomicBool::new(false)),
    };
    sweep(loaded, &options, |_| {}).expect("every run ends in order")
}

fn attacks() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/attacks");
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths
        .retain(|path| path.extension().is_some_and(|e| e == "ron") && !path.ends_with("town.ron"));
    paths.sort_unstable();
    paths
}

#[test]
fn every_attack_is_set_against_a_baseline_and_every_arm_ends_as_foretold() {
    let paths = attacks();
    assert!(paths.len() >= 14, "{paths:?}");
    for path in paths {
        let loaded = shipped(&path);
        let arms = loaded.scenario.sweep.arm_names();
        assert_eq!(arms[..2], ["baseline", "attack"], "{}", path.display());
        let report = swept(&loaded);
        assert!(report.is_complete());
        assert!(report.failed.is_empty(), "{:?}", report.failed);
    }
}

#[test]
fn the_capability_of_an_attacker_stands_in_summary_page_and_check() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/attacks/clone.ron");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("studies_capability");
    let loaded = load(&path, &[]).unwrap_or_else(|report| panic!("{report}"));
    let options = Options {
        folder: Some(folder.clone()),
        force: true,
        ..Options::default()
    };
    let report = run(&loaded, &options, |_| {}).expect("the run ends in order");
    let capability = "remote at access, knows pre_shared_keys, 20 members, an action per 1 s each";
    let told = report.to_string();
    assert!(
        told.contains(&format!("clones: clone, {capability}")),
        "{told}"
    );
    let page = reports::html::render(&folder).expect("a page");
    assert!(page.contains(&capability.replace('_', " ")));
    let output = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
        .arg("check")
        .arg(&path)
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains(capability), "{told}");
}
