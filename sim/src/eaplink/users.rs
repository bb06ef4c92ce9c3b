//! The users of a server: lines `identity psk-hex`.

use std::collections::HashMap;

use firmware::crypto::Work;
use firmware::eap::psk::{Credentials, ID_LEN_MAX, LongTermKeys};

/// Identities and the keys shared with them.
#[derive(Debug, Default)]
pub struct Users(HashMap<Vec<u8>, LongTermKeys>);

/// A line of a list of users that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct UsersError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl Users {
    /// Reads lines `identity psk-hex`; empty lines and those that begin with `#` are skipped.
    ///
    /// An identity may contain spaces; the key is what follows the last one.
    ///
    /// # Errors
    ///
    /// The first line that has no key, a key that is not 32 hexadecimal digits, an identity of
    /// more than 966 octets or one that was listed before.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = HashMap::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let error = |problem: String| UsersError { line, problem };
            let (identity, psk) = content
                .rsplit_once(char::is_whitespace)
                .ok_or_else(|| error("expected `identity psk-hex`".into()))?;
            let identity = identity.trim_end();
            let psk = parse_psk(psk).map_err(error)?;
            if identity.len() > ID_LEN_MAX {
                return Err(error(format!(
                    "an identity has at most {ID_LEN_MAX} octets"
                )));
            }
            let keys = LongTermKeys::from_psk(&psk, &mut Work::default());
            if users.insert(identity.as_bytes().to_vec(), keys).is_some() {
                return Err(error(format!("`{identity}` is listed twice")));
            }
        }
        Ok(Self(users))
    }
}

impl Credentials for Users {
    fn keys(&self, id_p: &[u8], _work: &mut Work) -> Option<LongTermKeys> {
        self.0.get(id_p).cloned()
    }
}

/// A pre-shared key of 16 octets in 32 hexadecimal digits.
///
/// # Errors
///
/// A text of another length or with other characters; the message does not repeat the key.
pub fn parse_psk(text: &str) -> Result<[u8; 16], String> {
    let wrong = || {
        format!(
            "a pre-shared key has 32 hexadecimal digits, not {} characters",
            text.chars().count()
        )
    };
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect();
    let digits = digits.ok_or_else(|| {
        if text.len() == 32 {
            "a pre-shared key has only hexadecimal digits".to_owned()
        } else {
            wrong()
        }
    })?;
    let octets: Vec<u8> = digits
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => high << 4 | low,
            _ => 0,
        })
        .collect();
    octets
        .try_into()
        .ok()
        .filter(|_| digits.len() == 32)
        .ok_or_else(wrong)
}
