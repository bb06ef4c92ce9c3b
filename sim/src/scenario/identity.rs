//! Identities of meters, made from a pattern.

use models::fleet::expand_identity;

use super::schema::Cohort;

/// Widest number that a pattern may ask for.
const WIDTH_MAX: usize = 20;

impl Cohort {
    /// Identity ID_P of the meter with `number`, from 0, in this cohort.
    pub fn identity_of(&self, number: u32) -> String {
        expand_identity(&self.identity, &self.name, number)
    }
}

/// Whether `pattern` tells meters of a cohort apart; an error if it is malformed.
pub(super) fn check(pattern: &str) -> Result<bool, String> {
    let mut numbered = false;
    for piece in pattern.split('{').skip(1) {
        let (placeholder, _) = piece
            .split_once('}')
            .ok_or_else(|| "`{` is never closed".to_owned())?;
        numbered |= is_number(placeholder)?;
    }
    Ok(numbered)
}

/// Whether a placeholder becomes the number of the meter; an error if there is no such one.
fn is_number(placeholder: &str) -> Result<bool, String> {
    let width = placeholder.strip_prefix("n:0").map(str::parse);
    match (placeholder, width) {
        ("cohort", _) => Ok(false),
        ("n", _) => Ok(true),
        (_, Some(Ok(1..=WIDTH_MAX))) => Ok(true),
        _ => Err(format!(
            "unknown placeholder {{{placeholder}}}; known are {{n}}, {{n:06}} and {{cohort}}"
        )),
    }
}
