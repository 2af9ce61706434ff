//! The style, the script and the icon of the pages. Each is joined from its files, compressed once, and named by
//! its hash, so that a browser keeps it forever and never uses an old one with a new page.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::problem::ProblemName;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::api_error::{ApiError, ApiResult};
use crate::params::PathParams;
use crate::preconditions::accepts_gzip;

macro_rules! joined {
    ($($path:literal),+ $(,)?) => {
        concat!($(include_str!(concat!("../../assets/", $path)), "\n"),+)
    };
}

const STYLE: &str = joined!(
    "style/tokens.css",
    "style/base.css",
    "style/frame.css",
    "style/controls.css",
    "style/rows.css",
    "style/diff.css",
    "style/context.css",
    "style/timelines.css",
    "style/media.css",
);

const SCRIPT: &str = joined!(
    "script/say.js",
    "script/ask.js",
    "script/guard.js",
    "script/morph.js",
    "script/refresh.js",
    "script/stream.js",
    "script/write.js",
    "script/choose.js",
    "script/keys.js",
    "script/open.js",
    "script/copy.js",
    "script/times.js",
    "script/diff.js",
    "script/keep.js",
    "script/sign_in.js",
    "script/map.js",
    "script/search.js",
    "script/start.js",
);

const ICON: &str = include_str!("../../assets/icon.svg");

/// A file that all pages use.
pub(crate) struct Asset {
    /// Its path, with the start of its hash.
    pub path: String,
    /// The hash of its bytes. A browser uses no other bytes that a cache or a service worker gives it.
    pub integrity: String,
    media_type: &'static str,
    plain: Bytes,
    gzip: Bytes,
}

/// The files that all pages use.
pub(crate) struct Assets {
    pub style: Asset,
    pub script: Asset,
    pub icon: Asset,
    /// The icon as a `data:` URL, so that a page needs no request for it.
    pub icon_url: String,
}

/// The files of this release.
pub(crate) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new("page", "css", "text/css; charset=utf-8", STYLE.into()),
    script: Asset::new(
        "page",
        "js",
        "text/javascript; charset=utf-8",
        without_comments(SCRIPT),
    ),
    icon: Asset::new("icon", "svg", "image/svg+xml", ICON.into()),
    icon_url: format!("data:image/svg+xml;base64,{}", STANDARD.encode(ICON)),
});

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, text: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let packed = encoder
            .write_all(text.as_bytes())
            .and_then(|()| encoder.finish());
        let hash = BlobHash::of(text.as_bytes());
        Self {
            path: format!("/assets/{name}-{}.{extension}", &hash.hex()[..16]),
            integrity: format!("sha256-{}", STANDARD.encode(hash.bytes())),
            media_type,
            plain: text.into(),
            gzip: packed.unwrap_or_default().into(),
        }
    }
}

/// Returns a script without its comments, which no browser needs. A comment has lines of its own.
fn without_comments(script: &str) -> String {
    let is_comment = |line: &str| {
        ["//", "/*", "*"]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    let lines = script.lines();
    let code = lines.filter(|line| !line.is_empty() && !is_comment(line.trim_start()));
    code.flat_map(|line| [line, "\n"]).collect()
}

/// Returns a file by its name.
pub(crate) async fn read(path: PathParams, headers: HeaderMap) -> ApiResult<Response> {
    let name = path.text("name");
    let all = [&ASSETS.style, &ASSETS.script, &ASSETS.icon];
    let asset = all
        .into_iter()
        .find(|asset| asset.path.strip_prefix("/assets/") == Some(name))
        .ok_or_else(|| ApiError::new(ProblemName::NotFound, "There is no such file."))?;
    let content_type = HeaderValue::from_static(asset.media_type);
    let mut response = match accepts_gzip(&headers) {
        true => ([(CONTENT_ENCODING, "gzip")], asset.gzip.clone()).into_response(),
        false => asset.plain.clone().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    Ok(response)
}

/// Leads clients that look for the icon at its oldest path to its own.
pub(crate) async fn favicon() -> Redirect {
    Redirect::to(&ASSETS.icon.path)
}

/// Asks robots to read nothing. They could read the sign-in page alone.
pub(crate) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most bytes of the style and of the script, compressed.
    const STYLE_BYTES_MAX: usize = 20_000;
    const SCRIPT_BYTES_MAX: usize = 15_000;

    #[test]
    fn pages_are_light() {
        let (style, script) = (ASSETS.style.gzip.len(), ASSETS.script.gzip.len());
        assert!(style <= STYLE_BYTES_MAX, "the style has {style} bytes");
        assert!(script <= SCRIPT_BYTES_MAX, "the script has {script} bytes");
    }

    #[test]
    fn comments_stay_here() {
        let script = "// Why.\n\n/**\n * Returns.\n */\nconst a = 1;\n  // Why.\n  b(`//`);\n";
        assert_eq!(without_comments(script), "const a = 1;\n  b(`//`);\n");
    }

    #[test]
    fn every_file_is_part_of_a_page() {
        for (directory, joined) in [("style", STYLE), ("script", SCRIPT)] {
            let path = format!("{}/assets/{directory}", env!("CARGO_MANIFEST_DIR"));
            for entry in std::fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(joined.contains(&text), "{} is not joined", path.display());
            }
        }
    }
}
