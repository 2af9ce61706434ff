//! The files of a server's data. If one is deleted, the process can still write to it, but loses what it
//! writes when it ends.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use ctxpin_protocol::problem::ProblemName;
use tokio_util::sync::CancellationToken;

use crate::api_error::ApiError;

/// How often the server checks the files if nobody writes.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The files that must stay at their paths. A clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct DataFiles(Arc<Files>);

#[derive(Debug)]
struct Files {
    /// The path, device and inode of each file.
    files: Vec<(PathBuf, u64, u64)>,
    /// Cancelled once a request found a file gone.
    found_lost: CancellationToken,
}

impl DataFiles {
    /// Records the files that are at these paths now.
    ///
    /// # Errors
    ///
    /// Fails if the metadata of a file cannot be read.
    pub fn on(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let files = paths.into_iter().map(|path| {
            let metadata = fs::symlink_metadata(&path)?;
            Ok((path, metadata.dev(), metadata.ino()))
        });
        Ok(Self(Arc::new(Files {
            files: files.collect::<io::Result<_>>()?,
            found_lost: CancellationToken::new(),
        })))
    }

    /// Returns the first file that is gone or was replaced.
    pub fn lost(&self) -> Option<&Path> {
        let is_lost = |(path, device, number): &&(PathBuf, u64, u64)| {
            match fs::symlink_metadata(path) {
                Ok(found) => (found.dev(), found.ino()) != (*device, *number),
                // Other errors do not prove that the file is gone.
                Err(error) => matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ),
            }
        };
        let lost = self.0.files.iter().find(is_lost);
        lost.map(|(path, ..)| path.as_path())
    }

    /// Waits until a file is gone, and returns its path. It checks every 5 seconds, and when a request found
    /// one gone.
    pub async fn until_lost(&self) -> PathBuf {
        loop {
            if let Some(path) = self.lost() {
                return path.to_owned();
            }
            tokio::select! {
                () = self.0.found_lost.cancelled() => {}
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
            }
        }
    }
}

/// Replaces the success of a request that may have written by a problem if a file is gone, so that the
/// server acknowledges no write that will be lost.
pub(crate) async fn confirm_data_files(
    State(data_files): State<DataFiles>,
    request: Request,
    next: Next,
) -> Response {
    let may_write = !request.method().is_safe();
    let response = next.run(request).await;
    if !may_write || !response.status().is_success() || data_files.lost().is_none() {
        return response;
    }
    data_files.0.found_lost.cancel();
    let detail =
        "The server's data was deleted while it ran. The server stops, and the change is lost.";
    ApiError::new(ProblemName::Unavailable, detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn case_b11_a_missing_or_replaced_file_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["lock", "database"].map(|name| directory.path().join(name));
        for path in &paths {
            fs::write(path, "").unwrap();
        }
        let data_files = DataFiles::on(paths.clone()).unwrap();
        assert_eq!(data_files.lost(), None);
        fs::write(&paths[0], "written").unwrap();
        assert_eq!(data_files.lost(), None);
        let other = directory.path().join("other");
        fs::write(&other, "").unwrap();
        fs::rename(&other, &paths[1]).unwrap();
        assert_eq!(data_files.until_lost().await, paths[1]);
        fs::remove_dir_all(directory.path()).unwrap();
        assert_eq!(data_files.until_lost().await, paths[0]);
        assert!(DataFiles::on(paths).is_err());
        assert_eq!(DataFiles::on([]).unwrap().lost(), None);
    }
}
