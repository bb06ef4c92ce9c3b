//! Identities of meters, made from a pattern.

use std::fmt::Write as _;

use super::schema::Cohort;

/// A piece of a pattern.
enum Piece<'p> {
    Cohort,
    Literal(&'p str),
    Number { width: usize },
}

/// Widest number that a pattern may ask for.
const WIDTH_MAX: usize = 20;

impl Cohort {
    /// Identity ID_P of the meter with `number`, from 0, in this cohort.
    pub fn identity_of(&self, number: u32) -> String {
        let mut identity = String::with_capacity(self.identity.len() + 8);
        for piece in pieces(&self.identity) {
            match piece {
                Ok(Piece::Cohort) => identity.push_str(&self.name),
                Ok(Piece::Literal(text)) => identity.push_str(text),
                Ok(Piece::Number { width }) => {
                    let _ = write!(identity, "{number:0width$}");
                }
                // Checked when the scenario was loaded.
                Err(_) => {}
            }
        }
        identity
    }
}

/// Whether `pattern` tells meters of a cohort apart; an error if it is malformed.
pub(super) fn check(pattern: &str) -> Result<bool, String> {
    let mut numbered = false;
    for piece in pieces(pattern) {
        numbered |= matches!(piece?, Piece::Number { .. });
    }
    Ok(numbered)
}

/// Splits a pattern into its pieces.
fn pieces(pattern: &str) -> impl Iterator<Item = Result<Piece<'_>, String>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(inner) = rest.strip_prefix('{') else {
            let (literal, behind) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
            rest = behind;
            return Some(Ok(Piece::Literal(literal)));
        };
        let Some((placeholder, behind)) = inner.split_once('}') else {
            rest = "";
            return Some(Err("`{` is never closed".to_owned()));
        };
        rest = behind;
        Some(piece(placeholder))
    })
}

fn piece(placeholder: &str) -> Result<Piece<'_>, String> {
    if placeholder == "cohort" {
        return Ok(Piece::Cohort);
    }
    let unknown = || {
        format!("unknown placeholder {{{placeholder}}}; known are {{n}}, {{n:06}} and {{cohort}}")
    };
    let format = placeholder.strip_prefix('n').ok_or_else(unknown)?;
    if format.is_empty() {
        return Ok(Piece::Number { width: 1 });
    }
    format
        .strip_prefix(":0")
        .and_then(|width| width.parse().ok())
        .filter(|width| (1..=WIDTH_MAX).contains(width))
        .map(|width| Piece::Number { width })
        .ok_or_else(unknown)
}
