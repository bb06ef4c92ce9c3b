//! The formats of vector files and what runs them.
//!
//! One module per format, each with a function `run(document, report)` that returns `None` if the
//! document is not of its format and otherwise reports one verdict per case. A document may hold
//! sections of several formats. To add a format, add its module and a line to [`FORMATS`].

mod c1218;
mod c1218_live_client;
mod c1218_packets;
mod c1219_tables;
mod c1222;
mod c1222_apdus;
mod c1222_captured;
mod c1222_live_client;
mod c1222_segmentation;
mod conversation;
mod eap_psk;
mod eap_psk_hostap;
mod eap_psk_keys;
mod eax_prime;
mod json;
mod malformed_eap;
mod malformed_pana;
mod pana_capture;
mod pana_record;
mod pana_replay;
mod pana_script;
mod pana_sessions;
mod report;
mod retransmission;
mod rfc5295;
mod rng;
mod ukmf_keys;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) use report::Report;

/// Runs the cases of a document, or returns `None` if it is of another format.
type Format = fn(&Value, &mut Report) -> Option<()>;

/// Every format.
const FORMATS: &[Format] = &[
    c1218_live_client::run,
    c1218_packets::run,
    c1219_tables::run,
    c1222_apdus::run,
    c1222_captured::run,
    c1222_live_client::run,
    c1222_segmentation::run,
    eap_psk::run,
    eap_psk_hostap::run,
    eap_psk_keys::run,
    eax_prime::run,
    malformed_eap::run,
    malformed_pana::run,
    pana_capture::run,
    pana_sessions::run,
    retransmission::run,
    rfc5295::run,
    ukmf_keys::run,
];

/// Runs every vector file in `paths`, in the order of their names.
pub(crate) fn run(paths: &[PathBuf]) -> Result<Report, String> {
    let mut report = Report::default();
    for path in paths {
        for file in files(path)? {
            run_file(&file, &mut report)?;
        }
    }
    Ok(report)
}

fn run_file(file: &Path, report: &mut Report) -> Result<(), String> {
    let document = json::load(file)?;
    report.begin(file);
    let mut supported = false;
    for format in FORMATS {
        supported |= format(&document, report).is_some();
    }
    if !supported {
        report.unsupported();
    }
    Ok(())
}

/// `path` itself if it is a file, or all JSON files in and below the folder `path`.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let metadata =
        std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in json::entries(path)? {
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            found.push(entry);
        }
    }
    Ok(found)
}
