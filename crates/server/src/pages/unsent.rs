//! A form that was sent in vain: its session had ended, what its page showed was not so any more, or the server refused
//! it. A cookie keeps it in the browser until the same user sees the page of the form again, which is then filled with it.

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use ctxpin_model::id::UserId;
use url::form_urlencoded::{self, Serializer};

use super::fields::Fields;
use super::told::{STALE, Told};
use super::typed::FailedForm;
use crate::app::App;
use crate::page_session::{cookie, cookie_text, own_origin, user_of_page_value};

const UNSENT_COOKIE: &str = "ctxpin-unsent";

/// How long the browser keeps the form, in seconds. Who signs in later has forgotten it.
const UNSENT_SECONDS: u64 = 15 * 60;

/// The most bytes of the cookie's value. Browsers keep 4,096 of a cookie.
const UNSENT_BYTES_MAX: usize = 3_800;

/// Why a form was sent in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InVain {
    SignedOut,
    Stale,
    Refused,
}

impl InVain {
    /// Returns the word in the cookie.
    fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Stale => "stale",
            Self::Refused => "refused",
        }
    }

    /// Returns what the page of the form says.
    fn words(self) -> &'static str {
        match self {
            Self::SignedOut => "Your session had ended. Look at what is here, and send it again.",
            Self::Stale => STALE,
            Self::Refused => "The server refused what you sent. Look at it, and send it again.",
        }
    }
}

/// The form of a request, from which the cookie that keeps it is made. It is an extension of the request, and a clone
/// shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentForm(Arc<OnceLock<Sent>>);

/// What a form has sent.
#[derive(Debug)]
struct Sent {
    /// The user, the page and the fields, as a part of the cookie's value.
    value: String,
    is_secure: bool,
}

impl SentForm {
    /// Notes what a form of the page `page` has sent with the page's value `page_value`.
    pub fn note(&self, parts: &Parts, app: &App, page: &str, page_value: &str, fields: &Fields) {
        let typed = || fields.iter().filter(|(name, _)| *name != "page");
        let Some(user) = user_of_page_value(page_value).filter(|_| typed().next().is_some()) else {
            return;
        };
        let Ok(origin) = own_origin(parts, app) else {
            return;
        };
        let mut value = Serializer::new(String::new());
        value.append_pair("user", user);
        value.append_pair("page", path_of(page));
        value.append_pair("action", parts.uri.path());
        value.extend_pairs(typed());
        let value = value.finish();
        if value.len() <= UNSENT_BYTES_MAX {
            let is_secure = origin.is_secure;
            // A request has one form.
            let _ = self.0.set(Sent { value, is_secure });
        }
    }

    /// Returns the value of `Set-Cookie` that keeps the form. `None` if it holds nothing or too much.
    pub fn kept(&self, why: InVain) -> Option<HeaderValue> {
        let Sent { value, is_secure } = self.0.get()?;
        let value = format!("why={}&{value}", why.word());
        let text = cookie_text(UNSENT_COOKIE, &value, UNSENT_SECONDS, *is_secure);
        HeaderValue::from_str(&text).ok()
    }
}

/// A form that was not sent, in a request for its page.
#[derive(Debug, Clone)]
pub(crate) struct UnsentForm {
    user: String,
    form: Arc<FailedForm>,
}

impl UnsentForm {
    /// Returns the form that the browser keeps for the page of a request.
    pub fn find(parts: &Parts) -> Option<Self> {
        let value = cookie(&parts.headers, UNSENT_COOKIE)?;
        let mut pairs = form_urlencoded::parse(value.as_bytes()).into_owned();
        let mut next = |expected: &str| pairs.next().filter(|(name, _)| name == expected);
        let (_, why) = next("why")?;
        let mut reasons = [InVain::SignedOut, InVain::Stale, InVain::Refused].into_iter();
        let why = reasons.find(|reason| reason.word() == why)?;
        let (_, user) = next("user")?;
        let (_, page) = next("page")?;
        let (_, action) = next("action")?;
        let form = FailedForm {
            action,
            fields: pairs.collect(),
            told: Told {
                detail: why.words().to_owned(),
                field: None,
                is_stale: why == InVain::Stale,
            },
        };
        let form = Arc::new(form);
        (page == parts.uri.path()).then_some(Self { user, form })
    }

    /// Returns the form if it is this user's.
    pub fn of(&self, user: UserId) -> Option<Arc<FailedForm>> {
        (self.user == user.to_string()).then(|| Arc::clone(&self.form))
    }
}

/// Returns the value of `Set-Cookie` that deletes the form. `None` if the browser keeps none.
pub(crate) fn delete_unsent(headers: &HeaderMap) -> Option<HeaderValue> {
    cookie(headers, UNSENT_COOKIE)?;
    HeaderValue::from_str(&cookie_text(UNSENT_COOKIE, "", 0, false)).ok()
}

fn path_of(page: &str) -> &str {
    page.split('?').next().unwrap_or(page)
}
