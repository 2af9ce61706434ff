//! A form that was sent in vain: its session had ended, what its page showed was not so any more, or the server refused
//! it. A cookie keeps it in the browser until the same user sees the page of the form again, which is then filled with it.
//!
//! All tabs share the cookie. After a refusal, a key tells the tab of the form from the others: it is in the cookie and in
//! the link that leads back.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};
use ctxpin_model::id::UserId;
use url::form_urlencoded::{self, Serializer};
use uuid::Uuid;

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

/// The field of an address that holds the key.
const KEY_FIELD: &str = "again";

/// The path whose form signs out.
pub(super) const SIGN_OUT: &str = "/sign-out";

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

    /// Keeps the form until the first page after a sign-in. `None` if it holds nothing or too much.
    pub fn kept_for_sign_in(&self) -> Option<HeaderValue> {
        self.kept(InVain::SignedOut, "")
    }

    /// Keeps a refused form for the link that leads back to its page at `back`. `None` if it holds nothing or too much.
    pub fn kept_for_link(&self, why: InVain, back: &str) -> Option<KeptForm> {
        let key = Uuid::new_v4().simple().to_string();
        let (back, _) = without_key(back);
        let sign = if back.contains('?') { '&' } else { '?' };
        Some(KeptForm {
            cookie: self.kept(why, &key)?,
            link: format!("{back}{sign}{KEY_FIELD}={key}"),
        })
    }

    fn kept(&self, why: InVain, key: &str) -> Option<HeaderValue> {
        let Sent { value, is_secure } = self.0.get()?;
        let value = format!("key={key}&why={}&{value}", why.word());
        let text = cookie_text(UNSENT_COOKIE, &value, UNSENT_SECONDS, *is_secure);
        HeaderValue::from_str(&text).ok()
    }
}

/// A refused form that the browser keeps.
pub(crate) struct KeptForm {
    /// The value of `Set-Cookie`.
    pub cookie: HeaderValue,
    /// The path that leads to the page of the form, filled with it.
    pub link: String,
}

/// The key in the address of a request, or nothing. It is an extension of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key(String);

/// Takes the key out of the address of a request, so that the page has its usual address.
pub(crate) fn take_key(request: &mut Request) {
    let uri = request.uri();
    let whole = uri.path_and_query().map_or("/", |whole| whole.as_str());
    let (rest, key) = without_key(whole);
    if let (Some(_), Ok(rest)) = (&key, rest.parse::<Uri>()) {
        *request.uri_mut() = rest;
    }
    request
        .extensions_mut()
        .insert(Key(key.unwrap_or_default()));
}

/// Returns a path and query without the key, and the key.
fn without_key(address: &str) -> (String, Option<String>) {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let field = |pair: &&str| {
        pair.strip_prefix(KEY_FIELD)?
            .strip_prefix('=')
            .map(str::to_owned)
    };
    let key = query.split('&').find_map(|pair| field(&pair));
    if key.is_none() {
        return (address.to_owned(), None);
    }
    let others = query.split('&').filter(|pair| field(pair).is_none());
    let others = others.collect::<Vec<_>>().join("&");
    match others.is_empty() {
        true => (path.to_owned(), key),
        false => (format!("{path}?{others}"), key),
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
        let (_, key) = next("key")?;
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
        let is_here = page == parts.uri.path() && parts.extensions.get() == Some(&Key(key));
        is_here.then_some(Self { user, form })
    }

    /// Returns the form if it is this user's.
    pub fn of(&self, user: UserId) -> Option<Arc<FailedForm>> {
        (self.user == user.to_string()).then(|| Arc::clone(&self.form))
    }
}

/// Returns the value of `Set-Cookie` that deletes the form, because the request is the one for which it was kept, or signs
/// out. `None` if the browser keeps none, or keeps it for another tab.
pub(crate) fn delete_unsent(request: &Request) -> Option<HeaderValue> {
    let value = cookie(request.headers(), UNSENT_COOKIE)?;
    let (_, key) = form_urlencoded::parse(value.as_bytes()).find(|(name, _)| name == "key")?;
    let is_for_it = request.extensions().get() == Some(&Key(key.into_owned()));
    if !is_for_it && request.uri().path() != SIGN_OUT {
        return None;
    }
    HeaderValue::from_str(&cookie_text(UNSENT_COOKIE, "", 0, false)).ok()
}

fn path_of(page: &str) -> &str {
    page.split('?').next().unwrap_or(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_part_of_the_address_of_a_page() {
        let check = |address: &str, rest: &str, key: Option<&str>| {
            let found = without_key(address);
            assert_eq!((&*found.0, found.1.as_deref()), (rest, key));
        };
        check("/chats/1", "/chats/1", None);
        check("/chats/1?view=split", "/chats/1?view=split", None);
        check("/chats/1?again=ab", "/chats/1", Some("ab"));
        check("/chats?show=x&again=ab", "/chats?show=x", Some("ab"));
        check("/chats?again=ab&show=x", "/chats?show=x", Some("ab"));
        check("/search?q=again=1", "/search?q=again=1", None);
    }
}
