//! Temporary folders for tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder that exists as long as the value.
pub(crate) struct TestFolder(PathBuf);

impl TestFolder {
    /// Creates an empty folder; `name` is unique among the tests of the crate.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reports-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("temporary folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        // A leftover in the temporary folder is not worth failing a test for.
        let _ = fs::remove_dir_all(&self.0);
    }
}
