//! Programs of others that tests are tried against.

use std::path::{Path, PathBuf};

/// The program `name`, if it is installed; if not, says what was not tested.
///
/// # Panics
///
/// If it is missing where `CI=true`.
pub(crate) fn tool(name: &str, untested: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "this test needs {name}");
        eprintln!("SKIPPED: no {name} here, {untested}");
    }
    found
}
