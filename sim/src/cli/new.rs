//! `meterstorm new`: a scenario to start from.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Failure;

/// A short scenario that explains itself.
const STARTER: &str = include_str!("starter.ron");

/// Writes a commented scenario to start from
#[derive(Args, Clone, Debug)]
pub(super) struct NewArgs {
    /// File to write; standard output if absent
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

impl NewArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let Some(path) = &self.file else {
            out.write_all(STARTER.as_bytes())?;
            return Ok(());
        };
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .create_new(!self.force)
            .truncate(self.force)
            .open(path);
        match opened {
            Ok(mut file) => file.write_all(STARTER.as_bytes())?,
            Err(error) => {
                let hint = match error.kind() {
                    std::io::ErrorKind::AlreadyExists => "; --force replaces it",
                    _ => "",
                };
                let message = format!("cannot write {}: {error}{hint}", path.display());
                return Err(Failure::Usage(message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    #[test]
    fn the_starter_is_sound() {
        let loaded = load_text("starter.ron", STARTER, &[]).unwrap_or_else(|report| {
            panic!("{report}");
        });
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}
