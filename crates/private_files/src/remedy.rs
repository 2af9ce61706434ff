//! What helps if a file cannot be written.

use std::io;

/// Returns what a person can do about a file or a directory that cannot be written.
pub fn remedy(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull => Some("free space on its disk"),
        io::ErrorKind::QuotaExceeded => {
            Some("your quota on its disk is used up: delete files there, or have it raised")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("its file system is read-only: mount it for writing")
        }
        io::ErrorKind::PermissionDenied => Some("give your user write access to it"),
        _ => None,
    }
}

/// Returns the text of an error, with what a person can do about it.
pub fn with_remedy(error: &io::Error) -> String {
    match remedy(error) {
        Some(remedy) => format!("{error}; {remedy}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_helps() {
        let check = |errno: rustix::io::Errno, expected: Option<&str>| {
            let error = io::Error::from(errno);
            assert_eq!(remedy(&error), expected, "{error}");
        };
        check(rustix::io::Errno::NOSPC, Some("free space on its disk"));
        check(
            rustix::io::Errno::DQUOT,
            Some("your quota on its disk is used up: delete files there, or have it raised"),
        );
        check(
            rustix::io::Errno::ROFS,
            Some("its file system is read-only: mount it for writing"),
        );
        check(
            rustix::io::Errno::ACCESS,
            Some("give your user write access to it"),
        );
        check(rustix::io::Errno::IO, None);
    }
}
