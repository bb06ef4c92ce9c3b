//! The comments that a run writes beside its packets, read back (see `capture::describe`).

/// What a comment tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Story<'a> {
    /// Who has the address that it comes from.
    pub from: &'a str,
    /// Who has the address that it goes to.
    pub to: &'a str,
    /// Why it got no further, if it did not.
    pub ended: Option<&'a str>,
    /// The attacker who forged it.
    pub forged_by: Option<&'a str>,
    /// The attacker who altered it or held it up.
    pub altered_by: Option<&'a str>,
}

impl<'a> Story<'a> {
    /// Reads a comment; none if it is not one of a run.
    pub fn parse(comment: &'a str) -> Option<Self> {
        let mut parts = comment.split("; ");
        let (from, to) = parts.next()?.split_once(" -> ")?;
        let mut story = Self {
            from,
            to,
            ended: None,
            forged_by: None,
            altered_by: None,
        };
        for part in parts {
            // A label follows the name of an attacker.
            let name = |rest: &'a str| rest.split_once(", label ").map_or(rest, |(name, _)| name);
            if let Some(cause) = part.strip_prefix("ended: ") {
                story.ended = Some(cause);
            } else if let Some(rest) = part.strip_prefix("forged by ") {
                story.forged_by = Some(name(rest));
            } else if let Some(rest) = part.strip_prefix("altered or held by ") {
                story.altered_by = Some(name(rest));
            }
        }
        Some(story)
    }

    /// What an attacker did to it, in words.
    pub fn attack(&self) -> Option<String> {
        match (self.forged_by, self.altered_by) {
            (Some(name), _) => Some(format!("forged by {name}")),
            (None, Some(name)) => Some(format!("altered or held by {name}")),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_a_run_are_understood() {
        let comment = "meter 3 (a@b) -> head-end 0; up; pana par; ended: lost; \
            1 hops, 2 transmissions, 214 octets; forged by mallory, label 7";
        let story = Story::parse(comment).unwrap();
        assert_eq!((story.from, story.to), ("meter 3 (a@b)", "head-end 0"));
        assert_eq!(story.ended, Some("lost"));
        assert_eq!(story.attack().as_deref(), Some("forged by mallory"));
        let story = Story::parse("a -> b; down; altered or held by eve, label 1").unwrap();
        assert_eq!(story.altered_by, Some("eve"));
        assert_eq!(Story::parse("a remark of somebody else"), None);
    }
}
