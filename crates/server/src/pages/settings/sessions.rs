//! The sessions of the caller: where the caller is signed in.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::{Operation, Scopes, require_no_wider};
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::SessionRecord;
use ctxpin_operations::sign_in::{self, Ended};

use super::{Tab, TabLink, tabs};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::answer::Toast;
use crate::pages::form::PageForm;
use crate::pages::frame::{Frame, Place, html};
use crate::pages::parts::number::{Number, counted};
use crate::pages::parts::text::Text;
use crate::pages::parts::time::Time;
use crate::params::PathParams;

/// The path of the page.
const PATH: &str = "/settings/sessions";

/// The page of the caller's sessions.
#[derive(Template)]
#[template(path = "settings/sessions.html")]
struct SessionsPage {
    frame: Frame,
    tabs: Vec<TabLink>,
    groups: Vec<Group>,
    /// Whether there are others that the caller may end.
    has_others: bool,
}

/// Sessions that look alike: with one browser, token and scopes. That of this browser is alone.
struct Group {
    newest: Row,
    others: Vec<Row>,
}

/// A session and what the caller may do about it.
struct Row {
    key: String,
    /// The browser, in words.
    browser: String,
    label: String,
    scopes: Scopes,
    since: Time,
    used: Option<Time>,
    is_this: bool,
    may_end: bool,
}

/// Shows the page.
pub(crate) async fn page(State(app): State<App>, caller: PageCaller) -> ApiResult<Response> {
    let sessions = sign_in::sessions(&app.service, caller.credential).await?;
    let frame = Frame::read(&app, &caller, Place::Settings, "Sign-ins").await?;
    let own = frame.scopes();
    let may_end = |session: &SessionRecord| {
        frame.may(Operation::TokenRevoke) && require_no_wider(own, session.scopes).is_ok()
    };
    let row = |session: SessionRecord| {
        let is_this = sign_in::is_of(&app.service, &session, &caller.session.pass);
        Row {
            may_end: !is_this && may_end(&session),
            ..Row::new(session, is_this, frame.now)
        }
    };
    let rows: Vec<_> = sessions.into_iter().map(row).collect();
    html(&SessionsPage {
        tabs: tabs(Tab::Sessions, &frame),
        has_others: rows.iter().any(|row| row.may_end),
        groups: groups(rows),
        frame,
    })
}

fn groups(rows: Vec<Row>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|group| group.newest.is_like(&row)) {
            Some(group) => group.others.push(row),
            None => groups.push(Group {
                newest: row,
                others: Vec::new(),
            }),
        }
    }
    groups
}

impl Group {
    fn newest(&self) -> &Row {
        &self.newest
    }

    fn count(&self) -> Number {
        Number(self.others.len() as u64)
    }
}

impl Row {
    fn new(session: SessionRecord, is_this: bool, now: Moment) -> Self {
        Self {
            key: session.key(),
            browser: session.browser.unwrap_or_else(|| "A browser".to_owned()),
            label: session
                .token_label
                .unwrap_or_else(|| "Without a label".to_owned()),
            scopes: session.scopes,
            since: Time::clock(session.created_at, now),
            used: session.last_used_at.map(|at| Time::ago(at, now)),
            is_this,
            may_end: false,
        }
    }

    /// Returns whether only times tell the two apart.
    fn is_like(&self, other: &Self) -> bool {
        let looks = |row: &Self| (row.browser.clone(), row.label.clone(), row.scopes);
        !self.is_this && !other.is_this && looks(self) == looks(other)
    }
}

/// Ends another session.
pub(crate) async fn end(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let ended = Ended::Keyed(path.text("session"));
    sign_in::sessions_end(&app.service, form.caller.credential, ended).await?;
    answer(form, "Signed out there.".to_owned())
}

/// Ends all sessions but the one that asks.
pub(crate) async fn end_others(State(app): State<App>, form: PageForm) -> ApiResult<Response> {
    let ended = Ended::Others(&form.caller.session.pass);
    let count = sign_in::sessions_end(&app.service, form.caller.credential, ended).await?;
    let done = format!("Ended {}.", counted(count, "other session"));
    answer(form, done)
}

fn answer(form: PageForm, done: String) -> ApiResult<Response> {
    let toast = Toast {
        done,
        undo: None,
        page_value: form.caller.page_value,
        address: None,
    };
    toast.answer(form.wants, PATH)
}
