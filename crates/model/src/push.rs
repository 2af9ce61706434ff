//! Whether a push is taken, by the number of its process and its own.

/// What the server knows of an agent when a push arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The epoch of the newest process.
    pub epoch: i64,
    /// The last accepted version within that epoch; 0 before the first.
    pub version: i64,
}

/// What a push says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The epoch that its process was given.
    pub epoch: i64,
    /// Its number within the epoch, from 1 upwards.
    pub version: i64,
    /// Whether its content is the head's.
    pub same_content: bool,
}

/// What comes of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A newer process has taken over: nothing is written.
    Fenced,
    /// The version is not newer: nothing is written.
    NotNewer,
    /// The present version with the present content: the answer to it was lost, and it is given
    /// again.
    Repeated,
    /// Newer, with the content that the head has: the version advances.
    Unchanged,
    /// Newer, with other content: it becomes the head.
    Accepted,
}

/// Decides what comes of a push.
pub fn verdict(known: &Known, offered: &Offered) -> Verdict {
    if offered.epoch != known.epoch {
        return Verdict::Fenced;
    }
    match (offered.version.cmp(&known.version), offered.same_content) {
        (std::cmp::Ordering::Less, _) | (std::cmp::Ordering::Equal, false) => Verdict::NotNewer,
        (std::cmp::Ordering::Equal, true) => Verdict::Repeated,
        (std::cmp::Ordering::Greater, true) => Verdict::Unchanged,
        (std::cmp::Ordering::Greater, false) => Verdict::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let known = Known {
            epoch: 2,
            version: 5,
        };
        let check = |epoch, version, same_content, expected| {
            assert_eq!(
                verdict(
                    &known,
                    &Offered {
                        epoch,
                        version,
                        same_content
                    }
                ),
                expected
            );
        };
        check(1, 9, false, Verdict::Fenced);
        check(3, 9, false, Verdict::Fenced);
        check(2, 4, true, Verdict::NotNewer);
        check(2, 5, false, Verdict::NotNewer);
        check(2, 5, true, Verdict::Repeated);
        check(2, 6, true, Verdict::Unchanged);
        check(2, 6, false, Verdict::Accepted);
    }
}
