//! A form that came after its session had ended. A cookie keeps it in the browser until the same user has signed in
//! again. Then the page of the form is filled with it.

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use ctxpin_model::id::UserId;
use url::form_urlencoded::{self, Serializer};

use super::fields::Fields;
use super::told::Told;
use super::typed::FailedForm;
use crate::app::App;
use crate::page_session::{cookie, cookie_text, own_origin, user_of_page_value};

const UNSENT_COOKIE: &str = "ctxpin-unsent";

/// How long the browser keeps the form, in seconds. Who signs in later has forgotten it.
const UNSENT_SECONDS: u64 = 15 * 60;

/// The most bytes of the cookie's value. Browsers keep 4,096 of a cookie.
const UNSENT_BYTES_MAX: usize = 3_800;

/// The form of a request, as the value of the cookie that keeps it. It is an extension of the request, and a clone
/// shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentForm(Arc<OnceLock<HeaderValue>>);

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
        if value.len() > UNSENT_BYTES_MAX {
            return;
        }
        let text = cookie_text(UNSENT_COOKIE, &value, UNSENT_SECONDS, origin.is_secure);
        if let Ok(cookie) = HeaderValue::from_str(&text) {
            // A request has one form.
            let _ = self.0.set(cookie);
        }
    }

    /// Returns the value of `Set-Cookie` that keeps the form. `None` if it holds nothing or too much.
    pub fn kept(&self) -> Option<HeaderValue> {
        self.0.get().cloned()
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
        let (_, user) = next("user")?;
        let (_, page) = next("page")?;
        let (_, action) = next("action")?;
        let form = FailedForm {
            action,
            fields: pairs.collect(),
            told: Told {
                detail: "Your session had ended. Look at what is here, and send it again."
                    .to_owned(),
                field: None,
                is_stale: false,
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
