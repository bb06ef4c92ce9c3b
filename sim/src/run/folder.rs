//! The results folder: its place, its manifest and its summary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Report, VERSION, timeline};
use crate::engine::Digest;
use crate::scenario::units::Quantity;
use crate::scenario::{Loaded, Scenario};

/// What every results folder contains.
const MANIFEST: &str = "manifest.json";
/// Where results go if nothing else is said.
const DEFAULT_ROOT: &str = "results";

/// Why a results folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder has contents, which would be lost.
    #[error("{} exists and is not empty; choose another folder or pass --force", .0.display())]
    Occupied(PathBuf),
    /// The folder has contents that are not results; they are never deleted.
    #[error("{} holds something else than results; choose another folder", .0.display())]
    Foreign(PathBuf),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |source| FolderError::Io { path, source }
}

/// Creates the folder `wanted`, or a new one named after the scenario.
pub(super) fn create(
    wanted: Option<&Path>,
    name: &str,
    force: bool,
) -> Result<PathBuf, FolderError> {
    let folder = match wanted {
        Some(folder) => folder.to_owned(),
        None => free_folder(&Path::new(DEFAULT_ROOT).join(name)),
    };
    if is_occupied(&folder) {
        if !force {
            return Err(FolderError::Occupied(folder));
        }
        if !folder.join(MANIFEST).is_file() {
            return Err(FolderError::Foreign(folder));
        }
        fs::remove_dir_all(&folder).map_err(io_error(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(io_error(&folder))?;
    // From here on the folder can be told to be ours, even if the run is killed.
    let manifest = json!({ "program": "meterstorm", "version": VERSION, "complete": false });
    write_json(&folder.join(MANIFEST), &manifest)?;
    let dictionary = folder.join("data-dictionary.md");
    fs::write(&dictionary, reports::data_dictionary()).map_err(io_error(&dictionary))?;
    Ok(folder)
}

fn is_occupied(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file()
}

/// `base`, or `base-2`, `base-3`, ... if it is taken.
fn free_folder(base: &Path) -> PathBuf {
    let numbered = |number: u32| match number {
        1 => base.to_owned(),
        _ => PathBuf::from(format!("{}-{number}", base.display())),
    };
    (1..)
        .map(numbered)
        .find(|folder| !is_occupied(folder))
        .unwrap_or_else(|| base.to_owned())
}

/// SHA-256 of the expanded scenario.
pub(crate) fn scenario_digest(scenario: &Scenario) -> String {
    let digest = Sha256::digest(scenario.to_ron());
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Writes `summary.json`.
pub(crate) fn write_summary(report: &Report) -> Result<(), FolderError> {
    let mut summary = report.summary.to_json();
    summary["run"] = json!({
        "name": report.name,
        "reached_s": report.reached.as_nanos() as f64 / 1e9,
        "interrupted": report.interrupted,
        "events": report.events,
        "datagrams": report.counts.datagrams,
        "authentications": report.counts.authentications,
    });
    match &report.live {
        Some(figures) => summary["live"] = figures.to_json(),
        None => {
            summary["run"]["digest"] = json!(report.digest.to_string());
            summary["run"]["benign_digest"] = json!(report.benign_digest.to_string());
        }
    }
    let taps = report.taps.iter().zip(&report.counts.taps);
    summary["taps"] = taps
        .map(|(name, (frames, bytes))| json!({ "name": name, "frames": frames, "bytes": bytes }))
        .collect();
    if let Some(capture) = &report.capture {
        summary["capture"] = json!({ "packets": capture.packets, "bytes": capture.octets });
    }
    let attackers = report.attackers.iter().zip(&report.counts.attacks);
    summary["attackers"] = attackers
        .map(|(attacker, counts)| {
            let capability = &attacker.capability;
            json!({
                "name": attacker.name,
                "attack": attacker.attack.name(),
                "capability": capability.to_string(),
                "position": capability.position.name(),
                "foothold": capability.foothold.name(),
                "knowledge": capability.knowledge.name(),
                "members": capability.count,
                "every_s": capability.every.as_nanos() as f64 / 1e9,
                "actions": counts.actions,
                "accepted": counts.accepted,
                "rejected": counts.rejected,
            })
        })
        .collect();
    summary["expectations"] = report
        .verdicts
        .iter()
        .map(|verdict| {
            json!({
                "expectation": verdict.expectation.to_string(),
                "measured": verdict.measured,
                "holds": verdict.holds,
            })
        })
        .collect();
    write_json(&report.folder.join("summary.json"), &summary)
}

/// Writes `manifest.json`: everything needed to repeat the run, and what it took.
pub(crate) fn write_manifest(report: &Report, loaded: &Loaded) -> Result<(), FolderError> {
    let files: Vec<_> = loaded
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let steps = loaded.scenario.timeline.iter();
    let timeline: Vec<_> = steps
        .map(|step| {
            json!({
                "at_s": step.at.as_nanos() as f64 / 1e9,
                "action": timeline::words(&step.action),
            })
        })
        .collect();
    // What happens on real sockets never happens again.
    let digest = |digest: Digest| report.live.is_none().then(|| digest.to_string());
    let manifest = json!({
        "program": "meterstorm",
        "version": VERSION,
        "complete": !report.interrupted,
        "schema_version": reports::SCHEMA_VERSION,
        "scenario": loaded.scenario.to_ron(),
        "scenario_digest": scenario_digest(&loaded.scenario),
        "files": files,
        "overrides": loaded.overrides,
        "name": loaded.scenario.name,
        "description": loaded.scenario.description,
        "seed": loaded.scenario.seed,
        "start": loaded.scenario.start.to_text(),
        "duration_s": loaded.scenario.duration.as_nanos() as f64 / 1e9,
        "timeline": timeline,
        "live": report.live.is_some(),
        "digest": digest(report.digest),
        "benign_digest": digest(report.benign_digest),
        "events": report.events,
        "windows": report.windows,
        "threads": report.threads,
        "wall_s": report.wall.as_secs_f64(),
        "host": {
            "os": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
        },
    });
    write_json(&report.folder.join(MANIFEST), &manifest)
}

fn write_json(path: &Path, value: &Value) -> Result<(), FolderError> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    fs::write(path, text).map_err(io_error(path))
}
