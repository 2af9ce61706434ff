//! The files that a server stands on. Whoever deletes one takes its name away, and what is written to it
//! then lasts as long as this process.

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

use crate::respond::Refusal;

/// How often is looked whether they are still there, if nobody writes.
const LOOKED_EVERY: Duration = Duration::from_secs(5);

/// Files that have to be what their paths name. Cloning it shares everything.
#[derive(Debug, Clone)]
pub(crate) struct Footing(Arc<Files>);

#[derive(Debug)]
struct Files {
    /// Each file's path, device and number.
    files: Vec<(PathBuf, u64, u64)>,
    /// Cancelled once a request found one of them gone.
    found_lost: CancellationToken,
}

impl Footing {
    /// Stands on the files that these paths name now.
    ///
    /// # Errors
    ///
    /// If one of them cannot be looked at.
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

    /// The first file that is gone, or in whose place another one is.
    pub fn lost(&self) -> Option<&Path> {
        let is_lost = |(path, device, number): &&(PathBuf, u64, u64)| {
            match fs::symlink_metadata(path) {
                Ok(found) => (found.dev(), found.ino()) != (*device, *number),
                // What cannot be looked at may be there.
                Err(error) => matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ),
            }
        };
        let lost = self.0.files.iter().find(is_lost);
        lost.map(|(path, ..)| path.as_path())
    }

    /// Waits until a file is gone: until a request has found that, or else looking now and then.
    pub async fn until_lost(&self) -> PathBuf {
        loop {
            if let Some(path) = self.lost() {
                return path.to_owned();
            }
            tokio::select! {
                () = self.0.found_lost.cancelled() => {}
                () = tokio::time::sleep(LOOKED_EVERY) => {}
            }
        }
    }
}

/// Acknowledges nothing that cannot last: a request that may have written is answered only while the
/// files are there.
pub(crate) async fn lasting(
    State(footing): State<Footing>,
    request: Request,
    next: Next,
) -> Response {
    let may_write = !request.method().is_safe();
    let response = next.run(request).await;
    if !may_write || !response.status().is_success() || footing.lost().is_none() {
        return response;
    }
    footing.0.found_lost.cancel();
    let detail = "The server's data was deleted while it ran; it ends, and nothing was kept.";
    Refusal::new(ProblemName::Unavailable, detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn case_b11_a_file_that_is_gone_or_replaced_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["lock", "database"].map(|name| directory.path().join(name));
        for path in &paths {
            fs::write(path, "").unwrap();
        }
        let footing = Footing::on(paths.clone()).unwrap();
        assert_eq!(footing.lost(), None);
        fs::write(&paths[0], "written").unwrap();
        assert_eq!(footing.lost(), None);
        let other = directory.path().join("other");
        fs::write(&other, "").unwrap();
        fs::rename(&other, &paths[1]).unwrap();
        assert_eq!(footing.until_lost().await, paths[1]);
        fs::remove_dir_all(directory.path()).unwrap();
        assert_eq!(footing.until_lost().await, paths[0]);
        assert!(Footing::on(paths).is_err());
        assert_eq!(Footing::on([]).unwrap().lost(), None);
    }
}
