//! What a request's headers ask of a response's content: entity tags and the headers that compare them (RFC 9110,
//! section 13), and its coding.

use axum::http::header::{ACCEPT_ENCODING, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_protocol::convert::members::{InvalidMember, hash};

use crate::api_error::ApiResult;

/// Returns a strong entity tag: the hash in quotes.
pub(crate) fn etag(hash: impl std::fmt::Display) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{hash}\"")).ok()
}

/// Returns a weak entity tag: the hash of a response before its compression. It is weak, because all encodings of the
/// response share it.
pub(crate) fn weak_etag(hash: impl std::fmt::Display) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("W/\"{hash}\"")).ok()
}

/// Returns the pin that `If-Match` requires, or `None` if there is no condition. `*` is no condition, because
/// even an unpinned chat has a context.
///
/// # Errors
///
/// Fails if the header is anything but `*` or the strong tag of one snapshot.
pub(crate) fn if_match(headers: &HeaderMap) -> ApiResult<Option<SnapshotId>> {
    let Some(text) = joined(headers, &IF_MATCH)? else {
        return Ok(None);
    };
    if text == "*" {
        return Ok(None);
    }
    let quoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let quoted = quoted.ok_or_else(|| {
        InvalidMember::new(
            "If-Match",
            "send `*`, or one snapshot in double quotes, such as the `ETag` of a context",
        )
    })?;
    Ok(Some(hash("If-Match", quoted)?))
}

/// The content that a caller already has, by `If-None-Match`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    Any,
    /// Tags in other formats are left out, because they match nothing.
    These(Vec<BlobHash>),
}

impl IfNoneMatch {
    /// Reads the header. If it is missing or malformed, the caller has nothing.
    pub fn read(headers: &HeaderMap) -> Self {
        let Ok(Some(text)) = joined(headers, &IF_NONE_MATCH) else {
            return Self::These(Vec::new());
        };
        if text == "*" {
            return Self::Any;
        }
        // A tag of this server contains no comma.
        let tags = text.split(',').filter_map(|tag| {
            let tag = tag.trim();
            // Section 13.1.2 demands the weak comparison.
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
        });
        Self::These(tags.collect())
    }

    /// Returns whether the caller has the content.
    pub fn has(&self, hash: BlobHash) -> bool {
        match self {
            Self::Any => true,
            Self::These(hashes) => hashes.contains(&hash),
        }
    }

    /// Returns the first hash of the header, if it names any.
    pub fn first(&self) -> Option<BlobHash> {
        match self {
            Self::Any => None,
            Self::These(hashes) => hashes.first().copied(),
        }
    }
}

/// Returns whether the caller accepts gzip without a weight (RFC 9110, section 12.5.3).
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.split(',').any(|coding| coding.trim() == "gzip"))
}

/// Returns the value of a list header, joined if the caller sent it in several lines.
fn joined(headers: &HeaderMap, name: &HeaderName) -> ApiResult<Option<String>> {
    let mut texts = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str();
        texts.push(text.map_err(|_| {
            InvalidMember::new(name, "it contains a character that no tag may contain")
        })?);
    }
    Ok((!texts.is_empty()).then(|| texts.join(", ").trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let value = |value: &&str| {
            let value = value.replace("HASH", HASH);
            (name.clone(), HeaderValue::from_str(&value).unwrap())
        };
        values.iter().map(value).collect()
    }

    #[test]
    fn if_match_headers() {
        let check = |values: &[&str], expected: Result<Option<&str>, ()>| {
            let found = if_match(&headers(&IF_MATCH, values));
            let expected = expected.map(|text| text.map(|text| text.parse().unwrap()));
            assert_eq!(found.map_err(|_| ()), expected, "{values:?}");
        };
        check(&[], Ok(None));
        check(&["*"], Ok(None));
        check(&["\"HASH\""], Ok(Some(HASH)));
        check(&["HASH"], Err(()));
        check(&["W/\"HASH\""], Err(()));
        check(&["\"HASH\", \"HASH\""], Err(()));
        check(&["\"HASH\"", "\"HASH\""], Err(()));
        check(&["\"sha256:00\""], Err(()));
        check(&["\""], Err(()));
        check(&[""], Err(()));
    }

    #[test]
    fn if_none_match_headers() {
        let check = |values: &[&str], has: bool| {
            let read = IfNoneMatch::read(&headers(&IF_NONE_MATCH, values));
            assert_eq!(read.has(HASH.parse().unwrap()), has, "{values:?}");
        };
        check(&[], false);
        check(&["*"], true);
        check(&["\"HASH\""], true);
        check(&["W/\"HASH\""], true);
        check(&["\"x\", W/\"HASH\" ,\"y\""], true);
        check(&["\"x\"", "\"HASH\""], true);
        check(&["HASH"], false);
        check(&["\"x\""], false);
    }
}
