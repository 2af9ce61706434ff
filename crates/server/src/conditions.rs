//! Conditional requests (RFC 9110, section 13): entity tags and what is compared with them.

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_protocol::convert::members::{InvalidMember, hash};

use crate::api_error::ApiResult;

/// A strong entity tag: a hash in quotes.
pub(crate) fn etag(hash: impl std::fmt::Display) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{hash}\"")).ok()
}

/// The pin that a request is conditional on. `*` is any, and so no condition: a chat always has a
/// context, even if it is unpinned.
///
/// # Errors
///
/// If it is anything but one snapshot's strong tag, for a chat has one pin.
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
            "it is one snapshot in double quotes, such as the `ETag` of a context, or `*`",
        )
    })?;
    Ok(Some(hash("If-Match", quoted)?))
}

/// What a caller has already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    /// Anything at all.
    Any,
    /// These; a tag that is none of ours is left out, for it matches nothing.
    These(Vec<BlobHash>),
}

impl IfNoneMatch {
    /// Reads the header; without it, or with one that cannot be read, the caller has nothing.
    pub fn read(headers: &HeaderMap) -> Self {
        let Ok(Some(text)) = joined(headers, &IF_NONE_MATCH) else {
            return Self::These(Vec::new());
        };
        if text == "*" {
            return Self::Any;
        }
        // Our tags hold no comma, so a tag that does is none of ours.
        let tags = text.split(',').filter_map(|tag| {
            let tag = tag.trim();
            // Compared weakly, as section 13.1.2 says.
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
        });
        Self::These(tags.collect())
    }

    /// Whether the caller has it.
    pub fn has(&self, hash: BlobHash) -> bool {
        match self {
            Self::Any => true,
            Self::These(hashes) => hashes.contains(&hash),
        }
    }

    /// What the caller most likely has.
    pub fn first(&self) -> Option<BlobHash> {
        match self {
            Self::Any => None,
            Self::These(hashes) => hashes.first().copied(),
        }
    }
}

/// A header that is a list, also where it was sent in several lines.
fn joined(headers: &HeaderMap, name: &HeaderName) -> ApiResult<Option<String>> {
    let mut texts = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str();
        texts.push(text.map_err(|_| InvalidMember::new(name, "it holds what no tag may"))?);
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
    fn pins_that_a_request_is_conditional_on() {
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
    fn what_a_caller_has() {
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
