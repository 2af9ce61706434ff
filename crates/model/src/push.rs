//! Decides whether a push is accepted, by its epoch and version.

/// The server's state of an agent when a push arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The epoch of the newest process.
    pub epoch: i64,
    /// The last accepted version within that epoch, or 0.
    pub version: i64,
}

/// A push, as far as it matters to [`verdict`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The epoch of the process that pushes.
    pub epoch: i64,
    /// The number of the push within its epoch, counted from 1.
    pub version: i64,
    /// Whether the push and the head have the same content.
    pub same_content: bool,
}

/// The decision about a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The epoch is another process's, and nothing is written.
    Fenced,
    /// The version is not newer, and nothing is written.
    NotNewer,
    /// The push is a retry of the last accepted one, and gets the same response.
    Repeated,
    /// The version is newer and the content the same, so only the version advances.
    Unchanged,
    /// The version is newer and the content differs, so the push becomes the head.
    Accepted,
}

/// Decides about a push.
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
