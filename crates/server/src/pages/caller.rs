//! The caller of a page: a signed-in browser, with what its user has chosen to see.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use ctxpin_model::token::Credential;

use super::parts::lines::Layout;
use super::session::{Session, cookie, has_session, session};
use crate::api_error::ApiError;
use crate::app::App;
use crate::authority::RequestAuthority;
use crate::identify::Identity;
use crate::request_memory::RequestMemory;

/// An extractor of the caller of a page. The operation checks whether the session's token is valid.
#[derive(Debug, Clone)]
pub(crate) struct PageCaller {
    pub credential: Credential,
    /// The value that only the pages of the session hold.
    pub page_value: String,
    pub choices: Choices,
}

impl FromRequestParts<App> for PageCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Ok(authority) = RequestAuthority::from_request_parts(parts, app).await;
        authority.require_host(&app.public_urls)?;
        let Session {
            credential,
            page_value,
        } = session(&parts.headers)?;
        RequestMemory::of(parts)?.identify(app, credential).await?;
        // The body's extractor looks the token up before it reads a large body.
        parts.extensions.insert(credential);
        Ok(Self {
            credential,
            page_value,
            choices: Choices::read(&parts.headers),
        })
    }
}

/// An extractor of a watch's caller: the session of a page, or the sender of a token. A browser's `EventSource`
/// cannot send one.
pub(crate) struct WatchCaller(pub Credential);

impl FromRequestParts<App> for WatchCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if parts.headers.contains_key(AUTHORIZATION) || !has_session(&parts.headers) {
            let Identity(credential) = Identity::from_request_parts(parts, app).await?;
            return Ok(Self(credential));
        }
        let caller = PageCaller::from_request_parts(parts, app).await?;
        Ok(Self(caller.credential))
    }
}

/// What a browser has chosen to see. The script keeps each choice in a cookie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    /// `None` follows the system.
    pub theme: Option<Theme>,
    pub layout: Layout,
}

/// The colours of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    /// Returns the value of `data-theme`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Choices {
    /// Reads the cookies. An unknown word is no choice.
    pub fn read(headers: &HeaderMap) -> Self {
        Self {
            theme: match cookie(headers, "ctxpin-theme") {
                Some("light") => Some(Theme::Light),
                Some("dark") => Some(Theme::Dark),
                _ => None,
            },
            layout: layout(cookie(headers, "ctxpin-view")).unwrap_or_default(),
        }
    }
}

/// Returns the layout of a word, if it is known.
pub(crate) fn layout(word: Option<&str>) -> Option<Layout> {
    [Layout::Unified, Layout::Split]
        .into_iter()
        .find(|layout| Some(layout.word()) == word)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::COOKIE;

    use super::*;

    #[test]
    fn choices_are_cookies() {
        let check = |cookies: &'static str, expected| {
            let headers = [(COOKIE, HeaderValue::from_static(cookies))];
            assert_eq!(Choices::read(&headers.into_iter().collect()), expected);
        };
        check("", Choices::default());
        check("ctxpin-theme=system; ctxpin-view=x", Choices::default());
        let chosen = Choices {
            theme: Some(Theme::Dark),
            layout: Layout::Split,
        };
        check("a=b; ctxpin-view=split; ctxpin-theme=dark", chosen);
    }
}
