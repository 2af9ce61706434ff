//! The frame of every page: the bar, the places with their numbers, and what the script needs.

use std::sync::Arc;

use askama::Template;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use ctxpin_model::access::{Actor, Decision, Object, Operation, Refusal, Scopes, decide};
use ctxpin_model::id::UserId;
use ctxpin_model::moment::Moment;
use ctxpin_operations::news::NewsMark;
use ctxpin_operations::overview::{self, Overview};
use ctxpin_protocol::problem::ProblemName;
use uuid::Uuid;

use super::assets::{ASSETS, Assets};
use super::caller::{Choices, PageCaller, Theme};
use super::parts::number::Number;
use super::parts::text::Text;
use super::typed::{FailedForm, Typed};
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::page_session::page_value_of;

/// A place that the frame links to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Changes,
    Chats,
    Workspaces,
    Search,
    Settings,
}

impl Place {
    const ALL: [Self; 5] = [
        Self::Changes,
        Self::Chats,
        Self::Workspaces,
        Self::Search,
        Self::Settings,
    ];

    /// Returns the label and the path of the place.
    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Changes => ("Changes", "/"),
            Self::Chats => ("Chats", "/chats"),
            Self::Workspaces => ("Workspaces", "/workspaces"),
            Self::Search => ("Search", "/search"),
            Self::Settings => ("Settings", "/settings"),
        }
    }
}

/// A link to a place.
#[derive(Debug, Clone)]
pub(crate) struct PlaceLink {
    pub label: &'static str,
    pub path: &'static str,
    pub is_current: bool,
    /// `None` if the place has no number.
    pub count: Option<Number>,
    /// Whether the number counts objects that wait for a person's decision.
    pub waits: bool,
}

/// The signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    name: String,
    pub page_value: String,
}

impl SignedIn {
    /// Returns the name of the user.
    pub fn name(&self) -> Text<&str> {
        Text(&self.name)
    }
}

/// What is wrong with a form.
pub(crate) struct Failure<'f> {
    /// What the form calls the field that is wrong, if a person sees it.
    pub label: Option<&'static str>,
    pub detail: Text<&'f str>,
}

/// The frame of a page.
#[derive(Clone)]
pub(crate) struct Frame {
    pub assets: &'static Assets,
    pub theme: Option<Theme>,
    title: String,
    pub places: Vec<PlaceLink>,
    /// `None` on a page that is shown to anybody, such as that of a problem.
    pub user: Option<SignedIn>,
    /// Who the caller is to the table of permissions. `None` like `user`.
    pub actor: Option<Actor>,
    /// The ids of the objects whose news concern the page, separated by spaces, or nothing for all news. `None`
    /// if the page listens to no news.
    pub watch: Option<String>,
    /// The mark of the news that the page has seen, if it is known.
    pub mark: Option<NewsMark>,
    /// Whether the page uses the whole width, as a diff does.
    pub is_wide: bool,
    pub now: Moment,
    /// The form that the page shows again, because it has just failed.
    failed: Option<Arc<FailedForm>>,
    /// What the page before has just done.
    done: Option<String>,
    /// The address of the server for commands. `None` if they find it by themselves, and without a signed-in user.
    pub server: Option<String>,
}

impl Frame {
    /// Reads the overview of the caller, and makes the frame of a page that all news concern.
    ///
    /// # Errors
    ///
    /// Fails if the session's token is not valid.
    pub async fn read(
        app: &App,
        caller: &PageCaller,
        place: Place,
        title: impl Into<String>,
    ) -> ApiResult<Self> {
        let overview = overview::read(&app.service, caller.credential).await?;
        Ok(Self::of(app, caller, overview, place, title))
    }

    /// Makes the frame of a page whose caller's overview was read.
    pub fn of(
        app: &App,
        caller: &PageCaller,
        overview: Overview,
        place: Place,
        title: impl Into<String>,
    ) -> Self {
        Self {
            watch: Some(String::new()),
            ..Self::signed_in(app, caller, overview, Some(place), title)
        }
    }

    /// Reads the overview of the caller, and makes the frame of a problem's page. No news concern the page.
    ///
    /// # Errors
    ///
    /// Fails if the session's token is not valid.
    pub async fn read_of_problem(
        app: &App,
        caller: &PageCaller,
        title: impl Into<String>,
    ) -> ApiResult<Self> {
        let overview = overview::read(&app.service, caller.credential).await?;
        Ok(Self::signed_in(app, caller, overview, None, title))
    }

    fn signed_in(
        app: &App,
        caller: &PageCaller,
        overview: Overview,
        place: Option<Place>,
        title: impl Into<String>,
    ) -> Self {
        let user = overview.user.id;
        let unsent = caller.unsent.as_ref();
        let counts = overview.counts;
        let count = |place| match place {
            Place::Changes => Some(counts.own_drifted),
            Place::Chats => Some(counts.all),
            Place::Workspaces => Some(counts.agents),
            Place::Search | Place::Settings => None,
        };
        Self {
            mark: app.service.news_mark(user, caller.begun),
            actor: Some(overview.actor),
            assets: &ASSETS,
            theme: caller.choices.theme,
            title: title.into(),
            places: places(place, count),
            user: Some(SignedIn {
                name: overview.user.name,
                page_value: page_value_of(&caller.page_value, user),
            }),
            watch: None,
            is_wide: false,
            now: app.now(),
            failed: caller.failed.clone().or_else(|| unsent?.of(user)),
            done: caller.done.clone(),
            server: caller.server.clone(),
        }
    }

    /// Returns the frame of a page without a signed-in user.
    pub fn anonymous(title: impl Into<String>, choices: Choices, now: Moment) -> Self {
        Self {
            assets: &ASSETS,
            theme: choices.theme,
            title: title.into(),
            places: places(None, |_| None),
            user: None,
            actor: None,
            watch: None,
            mark: None,
            is_wide: false,
            now,
            failed: None,
            done: None,
            server: None,
        }
    }

    /// Returns the scopes of the caller's session.
    pub fn scopes(&self) -> Scopes {
        match self.actor {
            Some(Actor::User { scopes, .. }) => scopes,
            _ => Scopes::default(),
        }
    }

    /// Returns whether the caller may do an operation on their own objects, or one without an object. A page offers
    /// no form that the server would refuse to everybody like the caller.
    pub fn may(&self, operation: Operation) -> bool {
        let own = self.actor.and_then(|actor| actor.user());
        own.is_some_and(|own| self.may_on(operation, own))
    }

    /// Returns whether an object of this user is not the caller's.
    pub fn is_of_other(&self, owner: UserId) -> bool {
        self.actor.and_then(|actor| actor.user()) != Some(owner)
    }

    /// Returns whether the caller may do an operation on an object of this user.
    pub fn may_on(&self, operation: Operation, owner: UserId) -> bool {
        self.require_on(operation, owner).is_ok()
    }

    /// Checks that the caller may do what the form of the page does.
    ///
    /// # Errors
    ///
    /// Returns `forbidden` with the reason.
    pub fn require(&self, operation: Operation) -> ApiResult<()> {
        match self.actor.and_then(|actor| actor.user()) {
            Some(own) => self.require_on(operation, own),
            None => Err(forbidden("Sign in to do this.")),
        }
    }

    /// Checks that the caller may do what the form of the page does to an object of this user.
    ///
    /// # Errors
    ///
    /// Returns `forbidden` with the reason.
    pub fn require_on(&self, operation: Operation, owner: UserId) -> ApiResult<()> {
        let actor = self.actor.as_ref();
        let decision = actor.map(|actor| decide(actor, operation, Object::Owned(owner)));
        match decision {
            Some(Decision::Allow(_)) => Ok(()),
            Some(Decision::Forbidden(refusal)) if refusal != Refusal::NotOwner => {
                Err(ApiError::forbidden(refusal))
            }
            _ => Err(forbidden(
                "You may see it, and only its owner may change it.",
            )),
        }
    }

    /// Restricts the page's news to those of these objects.
    pub fn watching(self, ids: impl IntoIterator<Item = Uuid>) -> Self {
        let ids: Vec<_> = ids.into_iter().map(|id| id.to_string()).collect();
        Self {
            watch: Some(ids.join(" ")),
            ..self
        }
    }

    /// Lets the page use the whole width.
    pub fn wide(self) -> Self {
        Self {
            is_wide: true,
            ..self
        }
    }

    /// Returns the form of the page that is sent to `action`.
    pub fn typed(&self, action: &str) -> Typed {
        Typed::of(self.failed.as_ref(), action)
    }

    /// Returns what is wrong with the form that has just failed.
    pub fn failure(&self) -> Option<Failure<'_>> {
        let told = &self.failed.as_ref()?.told;
        Some(Failure {
            label: told.label(),
            detail: Text(&told.detail),
        })
    }

    /// Returns what the page before has just done.
    pub fn done(&self) -> Option<Text<&str>> {
        self.done.as_deref().map(Text)
    }

    /// Lets the title begin with what the page is about.
    pub fn about(self, what: &str) -> Self {
        let title = format!("{what} · {}", self.title);
        Self { title, ..self }
    }

    /// Returns the title of the page.
    pub fn title(&self) -> Text<&str> {
        Text(&self.title)
    }

    /// Returns the value that the forms of the page send.
    pub fn page_value(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.page_value)
    }

    /// Returns whether the theme has this word.
    pub fn is_theme(&self, word: &str) -> bool {
        self.theme.is_some_and(|theme| theme.word() == word)
    }

    /// Returns the time of the page as `14:02`.
    pub fn clock(&self) -> String {
        self.now.utc().format("%H:%M").to_string()
    }
}

fn forbidden(detail: &str) -> ApiError {
    ApiError::new(ProblemName::Forbidden, detail)
}

fn places(current: Option<Place>, count: impl Fn(Place) -> Option<u64>) -> Vec<PlaceLink> {
    let links = Place::ALL.into_iter().map(|place| {
        let (label, path) = place.link();
        let count = count(place);
        PlaceLink {
            label,
            path,
            is_current: Some(place) == current,
            waits: place == Place::Changes && count.is_some_and(|count| count > 0),
            count: count.map(Number),
        }
    });
    links.collect()
}

/// Renders a page.
///
/// # Errors
///
/// Returns `internal` if the template fails, which no template of ours does.
pub(crate) fn html(page: &impl Template) -> ApiResult<Response> {
    let text = page.render();
    let text = text.map_err(|error| ApiError::new(ProblemName::Internal, error.to_string()))?;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Ok(([(CONTENT_TYPE, html)], text).into_response())
}
