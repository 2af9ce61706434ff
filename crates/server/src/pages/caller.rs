//! The caller of a page: a signed-in browser, with what its user has chosen to see.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ctxpin_model::token::Credential;
use ctxpin_operations::news::NewsMoment;
use ctxpin_protocol::problem::ProblemName;

use super::done::done_before;
use super::parts::lines::Layout;
use super::typed::FailedForm;
use super::unsent::UnsentForm;
use crate::api_error::ApiError;
use crate::app::App;
use crate::authority::RequestAuthority;
use crate::page_session::{PageSession, cookie};
use crate::request_memory::RequestMemory;

/// An extractor of the caller of a page. The operation checks whether the session's token is valid.
#[derive(Debug, Clone)]
pub(crate) struct PageCaller {
    pub credential: Credential,
    pub session: PageSession,
    /// The value that only the pages of the session hold.
    pub page_value: String,
    pub choices: Choices,
    /// The moment from which on the page is read.
    pub begun: NewsMoment,
    /// The form that the page shows again, because it has just failed.
    pub failed: Option<Arc<FailedForm>>,
    /// The form that was sent from the page after a session had ended, maybe by another user.
    pub unsent: Option<UnsentForm>,
    /// What the page before has just done.
    pub done: Option<String>,
    /// The address of the server for commands. `None` on the page of `ctxpin up`, whose server commands find by
    /// themselves.
    pub server: Option<String>,
}

impl FromRequestParts<App> for PageCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let begun = app.service.news_moment();
        let (authority, page_host) = (RequestAuthority::read(parts), app.page_host.as_deref());
        let address = authority.command_address(&app.public_urls, page_host)?;
        let session = PageSession::find(parts, app).await?.ok_or_else(|| {
            ApiError::new(ProblemName::Unauthenticated, "Sign in to see this page.")
        })?;
        let credential = session.credential;
        RequestMemory::of(parts)?.identify(app, credential).await?;
        // The body's extractor looks the token up before it reads a large body.
        parts.extensions.insert(credential);
        let caller = Self {
            credential,
            page_value: session.pass.page_value(),
            session,
            choices: Choices::read(&parts.headers),
            begun,
            failed: None,
            unsent: UnsentForm::find(parts),
            done: done_before(&parts.headers),
            server: page_host.is_none().then_some(address),
        };
        if let Some(found) = parts.extensions.get::<FoundCaller>() {
            found.set(caller.clone());
        }
        Ok(caller)
    }
}

/// The caller of a request, from the moment when it is known. It is an extension of the request; a clone shares it.
/// The page of a problem has the frame of this caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct FoundCaller(Arc<OnceLock<PageCaller>>);

impl FoundCaller {
    /// Keeps the caller.
    fn set(&self, caller: PageCaller) {
        // A second extractor finds the same caller.
        let _ = self.0.set(caller);
    }

    /// Returns the caller. `None` before it is known.
    pub fn get(&self) -> Option<&PageCaller> {
        self.0.get()
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
