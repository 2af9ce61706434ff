//! Files with a token.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use crate::exposure::{Demand, Exposure};
use crate::file;

/// Maximum size of a token file, in bytes. A token has about a hundred.
const TOKEN_BYTES_MAX: u64 = 4 * 1024;

/// Why a token is not taken from a file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file is no regular file, is too long or cannot be read.
    #[error(transparent)]
    Unreadable(io::Error),
    /// Another user can have written it: the token decides whose account is used.
    #[error(transparent)]
    Exposed(Exposure),
    #[error("it is not UTF-8")]
    NotText,
    #[error("it is empty")]
    Empty,
}

/// Reads a token without the blanks around it, and the metadata of its file. The file may be a link, as mounted secrets
/// are, and may belong to root.
///
/// # Errors
///
/// Fails as [`TokenError`] says.
pub fn read(path: &Path) -> Result<(String, Metadata), TokenError> {
    let (bytes, metadata) = file::read(path, TOKEN_BYTES_MAX).map_err(TokenError::Unreadable)?;
    if let Some(exposure) = Exposure::of(&metadata, Demand::nobody_else_writes().or_roots()) {
        return Err(TokenError::Exposed(exposure));
    }
    let text = String::from_utf8(bytes).map_err(|_| TokenError::NotText)?;
    match text.trim() {
        "" => Err(TokenError::Empty),
        token => Ok((token.to_owned(), metadata)),
    }
}
