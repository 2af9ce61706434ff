//! Paths of this server's pages in what browsers send. Another address could lead a reader elsewhere.

use axum::http::HeaderMap;
use axum::http::header::REFERER;
use url::Url;

/// Returns the path of a page of this server. Returns `/` for any other text, because it could lead a
/// reader elsewhere.
pub(crate) fn local_path(text: Option<&str>) -> &str {
    let is_local = |text: &&str| {
        text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', '\r', '\n', '\t'])
    };
    text.filter(is_local).unwrap_or("/")
}

/// Returns the path of the page that sent a form. Browsers name it to its own server alone, and others may name
/// anything.
pub(crate) fn form_path(headers: &HeaderMap) -> Option<String> {
    let page = headers.get(REFERER)?.to_str().ok()?;
    let page = Url::parse(page).ok()?;
    let path = &page[url::Position::BeforePath..url::Position::AfterQuery];
    (local_path(Some(path)) == path).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn no_path_leads_elsewhere() {
        let check = |text, expected: &str| assert_eq!(local_path(text), expected);
        check(Some("/chats?show=drifted"), "/chats?show=drifted");
        check(None, "/");
        for text in [
            "",
            "chats",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
        ] {
            check(Some(text), "/");
        }
    }

    #[test]
    fn a_form_leads_back_to_its_page() {
        let check = |page: &'static str, expected: Option<&str>| {
            let headers = [(REFERER, HeaderValue::from_static(page))];
            let path = form_path(&headers.into_iter().collect());
            assert_eq!(path.as_deref(), expected, "{page}");
        };
        let page = "http://127.0.0.1:7878/chats/new?a=b#c";
        check(page, Some("/chats/new?a=b"));
        check("http://127.0.0.1:7878", Some("/"));
        for none in ["", "x", "http://a//b", "data:text/html,x"] {
            check(none, None);
        }
    }
}
