//! From files and overrides to a scenario.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Scenario;
use super::ast::{Node, Value};
use super::check;
use super::decode::Decoder;
use super::diagnostic::{Diagnostic, Fault, Report, Severity, Source, Span};
use super::parse::parse;
use super::patch;
use super::replay::csv_of_parquet;

/// Largest file that is read, in octets.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Largest list of interval data, in octets: some three million intervals.
const DATA_BYTES_MAX: u64 = 64 << 20;

/// Files that may inherit from each other in a row.
const BASES_MAX: usize = 16;

/// A scenario that may be run, with its origin.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The scenario with inheritance, overrides and defaults resolved.
    pub scenario: Scenario,
    /// The overrides as they were given.
    pub overrides: Vec<String>,
    /// The files read, the scenario first, then those that it inherits from and lists.
    pub files: Vec<PathBuf>,
    /// What is permitted but hardly meant.
    pub warnings: Report,
    /// The scenario as it is written, inheritance and overrides resolved.
    pub(super) root: Node,
}

/// Reads the scenario at `path` and applies `overrides` of the form `path=value` to it.
///
/// # Errors
///
/// If there is any mistake: a report of all of them.
pub fn load(path: &Path, overrides: &[String]) -> Result<Loaded, Report> {
    let mut loader = Loader::default();
    let root = loader.file(path, None);
    loader.finish(root, overrides)
}

/// Like [`load`] with the `text` of a file that is called `name`; inheritance starts at its
/// folder.
///
/// # Errors
///
/// If there is any mistake: a report of all of them.
pub fn load_text(name: &str, text: &str, overrides: &[String]) -> Result<Loaded, Report> {
    let mut loader = Loader::default();
    let root = loader.text(Path::new(name), text.to_owned());
    loader.finish(root, overrides)
}

#[derive(Default)]
struct Loader {
    report: Report,
    files: Vec<PathBuf>,
    /// The files on the way to the one that is being read, in canonical form.
    chain: Vec<PathBuf>,
    /// Whether a file that is inherited from is absent.
    incomplete: bool,
}

impl Loader {
    /// Reads a file that is named at `named_at`, or on the command line.
    fn file(&mut self, path: &Path, named_at: Option<Span>) -> Option<Node> {
        let text = match read(path) {
            Ok(text) => text,
            Err(why) => {
                self.complain(
                    Fault::Unreadable,
                    named_at,
                    format!("cannot read {}: {why}", path.display()),
                );
                return None;
            }
        };
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.chain.contains(&canonical) {
            let message = format!("{} inherits from itself", path.display());
            self.complain(Fault::Cycle, named_at, message);
            return None;
        }
        if self.chain.len() == BASES_MAX {
            let message = format!("more than {BASES_MAX} files inherit from each other");
            self.complain(Fault::Cycle, named_at, message);
            return None;
        }
        self.chain.push(canonical);
        let node = self.text(path, text);
        self.chain.pop();
        node
    }

    fn text(&mut self, path: &Path, text: String) -> Option<Node> {
        self.files.push(path.to_owned());
        let source = self.report.add_source(Source {
            name: path.display().to_string(),
            text: text.clone(),
            first_line: 1,
        });
        if text.trim().is_empty() {
            let span = Span {
                source,
                start: 0,
                end: 0,
            };
            let diagnostic = Diagnostic::error(Fault::Syntax, span, "there is no scenario in it");
            let hint = "`meterstorm new FILE` writes one to start from";
            self.report.push(diagnostic.with_hint(hint));
            return None;
        }
        let mut node = parse(&text, source, 0, &mut self.report);
        self.lists(&mut node, path.parent().unwrap_or(Path::new("")));
        let Some(base) = take_base(&mut node) else {
            return Some(node);
        };
        let Value::Text { text: name, .. } = &base.value else {
            let message = format!("expected a path in quotes, found {}", base.describe());
            self.complain(Fault::WrongType, Some(base.span), message);
            return Some(node);
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        match self.file(&folder.join(name), Some(base.span)) {
            Some(base) => Some(patch::merge(base, node)),
            None => {
                self.incomplete = true;
                Some(node)
            }
        }
    }

    /// Reads the files that lists of meters and interval data stand in: `file` becomes `csv` with
    /// their text.
    ///
    /// A scenario is complete in itself from here on, and mistakes lie in the file.
    fn lists(&mut self, node: &mut Node, folder: &Path) {
        if let Some(media) = node.field_mut("media")
            && let Value::Record { fields, .. } | Value::Map(fields) = &mut media.value
        {
            for (_, medium) in fields {
                if let Some(topology) = medium.field_mut("topology") {
                    self.inline(topology, folder, read);
                }
            }
        }
        if let Some(cohorts) = node.field_mut("cohorts")
            && let Value::List(cohorts) = &mut cohorts.value
        {
            for cohort in cohorts {
                if let Some(replay) = cohort.field_mut("replay") {
                    self.inline(replay, folder, read_data);
                }
            }
        }
    }

    /// Puts the text of the file that `holder` names in its place.
    fn inline(
        &mut self,
        holder: &mut Node,
        folder: &Path,
        read: impl Fn(&Path) -> Result<String, String>,
    ) {
        if holder.field("csv").is_some() {
            // `file` besides it is reported as an unknown field.
            return;
        }
        let Value::Record { fields, .. } = &mut holder.value else {
            return;
        };
        let Some((name, value)) = fields.iter_mut().find(|(name, _)| name.text == "file") else {
            return;
        };
        let Value::Text { text: file, .. } = &value.value else {
            let message = format!("expected a path in quotes, found {}", value.describe());
            self.complain(Fault::WrongType, Some(value.span), message);
            return;
        };
        let path = folder.join(file);
        name.text = "csv".to_owned();
        match read(&path) {
            Ok(text) => {
                *value = self.list(&path, text);
                self.files.push(path);
            }
            Err(why) => {
                let message = format!("cannot read {}: {why}", path.display());
                self.complain(Fault::Unreadable, Some(value.span), message);
                value.value = Value::Broken;
            }
        }
    }

    /// The text of a list as a value that stands in its own file.
    fn list(&mut self, path: &Path, text: String) -> Node {
        let end = text.len() as u32;
        let source = self.report.add_source(Source {
            name: path.display().to_string(),
            text: text.clone(),
            first_line: 1,
        });
        let verbatim = false;
        Node {
            span: Span {
                source,
                start: 0,
                end,
            },
            value: Value::Text { text, verbatim },
        }
    }

    fn complain(&mut self, fault: Fault, span: Option<Span>, message: String) {
        self.report.push(Diagnostic {
            severity: Severity::Error,
            fault,
            message,
            span,
            hint: None,
            related: None,
        });
    }

    fn finish(mut self, root: Option<Node>, overrides: &[String]) -> Result<Loaded, Report> {
        let Some(mut root) = root else {
            return Err(self.report);
        };
        for (index, text) in overrides.iter().enumerate() {
            let source = self.report.add_source(Source {
                name: "--set".to_owned(),
                text: text.clone(),
                first_line: index + 1,
            });
            patch::apply(&mut root, text, source, &mut self.report);
        }
        // Paths on the command line start where the program does.
        self.lists(&mut root, Path::new(""));
        let scenario = decode(&root, &mut self.report);
        let unbalanced = |diagnostic: &Diagnostic| diagnostic.fault == Fault::Unbalanced;
        if self.incomplete || self.report.diagnostics().iter().any(unbalanced) {
            // What stands in a base that cannot be read or behind a bracket out of place is not
            // absent.
            self.report.forget(Fault::MissingField);
            self.report.forget(Fault::UnknownReference);
        }
        self.report.sort();
        let loaded = match scenario {
            Some(scenario) if self.report.errors() == 0 => Loaded {
                scenario,
                overrides: overrides.to_vec(),
                files: self.files,
                warnings: self.report,
                root,
            },
            _ => return Err(self.report),
        };
        loaded.check_variants()
    }
}

/// Decodes and checks a scenario as it is written.
pub(super) fn decode(root: &Node, report: &mut Report) -> Option<Scenario> {
    let (scenario, survey) = Decoder::new(report).whole::<Scenario>(root);
    if let Some(scenario) = &scenario {
        check::check(scenario, survey, report);
    }
    scenario
}

fn read(path: &Path) -> Result<String, String> {
    read_text(path, FILE_BYTES_MAX)
}

/// Interval data; those in Parquet become CSV.
fn read_data(path: &Path) -> Result<String, String> {
    let extension = path.extension().unwrap_or_default();
    if extension.eq_ignore_ascii_case("parquet") {
        csv_of_parquet(path, DATA_BYTES_MAX)
    } else {
        read_text(path, DATA_BYTES_MAX)
    }
}

fn read_text(path: &Path, octets_max: u64) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut octets = Vec::new();
    // A device tells no size and may never end.
    let length = file.take(octets_max + 1).read_to_end(&mut octets);
    if length.map_err(|error| error.to_string())? as u64 > octets_max {
        return Err(format!("it is larger than {octets_max} octets"));
    }
    String::from_utf8(octets).map_err(|error| {
        let readable = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = readable.iter().filter(|octet| **octet == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text")
    })
}

/// Removes the field `base` from the top of a scenario.
fn take_base(node: &mut Node) -> Option<Node> {
    let Value::Record { fields, .. } = &mut node.value else {
        return None;
    };
    let index = fields.iter().position(|(name, _)| name.text == "base")?;
    Some(fields.remove(index).1)
}
