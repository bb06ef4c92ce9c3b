//! Verdicts on cases.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::json;

/// The verdict on one case, or on a file of an unknown format.
pub(crate) enum Verdict {
    Pass {
        file: String,
        case: String,
    },
    Fail {
        file: String,
        case: String,
        why: String,
    },
    /// A file, or a file and a case.
    Unsupported {
        file: String,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass { file, case } => write!(f, "PASS {file} {case}"),
            Self::Fail { file, case, why } => write!(f, "FAIL {file} {case}: {why}"),
            Self::Unsupported { file } => write!(f, "UNSUPPORTED {file}"),
        }
    }
}

/// The verdicts so far.
#[derive(Default)]
pub(crate) struct Report {
    verdicts: Vec<Verdict>,
    path: PathBuf,
}

impl Report {
    /// What follows concerns `path`.
    pub(super) fn begin(&mut self, path: &Path) {
        path.clone_into(&mut self.path);
    }

    /// No format recognised the file.
    pub(super) fn unsupported(&mut self) {
        let file = self.file();
        self.verdicts.push(Verdict::Unsupported { file });
    }

    /// A case of a known format that is not supported.
    pub(super) fn unsupported_case(&mut self, name: &str) {
        let file = format!("{} {name}", self.file());
        self.verdicts.push(Verdict::Unsupported { file });
    }

    /// Runs the case `name`: it passes if `check` returns and does not panic.
    pub(super) fn case(&mut self, name: &str, check: impl FnOnce() -> Result<(), String>) {
        let file = self.file();
        // Names with blanks would blur where the case ends.
        let case = name.split_whitespace().collect::<Vec<_>>().join("-");
        let why = match catch_unwind(AssertUnwindSafe(check)) {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied());
                Some(format!("panicked: {}", text.unwrap_or("no message")))
            }
        };
        self.verdicts.push(match why {
            None => Verdict::Pass { file, case },
            Some(why) => Verdict::Fail { file, case, why },
        });
    }

    /// The first document in the folder of the current file that `choose` accepts.
    ///
    /// For formats whose cases refer to another vector file.
    pub(super) fn sibling<T>(&self, choose: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let entries = json::entries(folder.unwrap_or(Path::new("."))).ok()?;
        entries
            .iter()
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .filter_map(|path| json::load(path).ok())
            .find_map(|document| choose(&document))
    }

    /// All verdicts, in order.
    pub(crate) fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// How many cases passed.
    pub(crate) fn passed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Pass { .. }))
    }

    /// How many cases failed.
    pub(crate) fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Fail { .. }))
    }

    fn count(&self, which: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts
            .iter()
            .filter(|verdict| which(verdict))
            .count()
    }

    fn file(&self) -> String {
        self.path.file_name().map_or_else(
            || self.path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        )
    }
}
