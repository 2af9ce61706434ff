//! The audit log, for admins and auditors.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{NaiveDate, NaiveTime};
use ctxpin_model::access::Operation;
use ctxpin_model::audit::{AuditFilter, AuditObject, AuditOutcome, AuditRecord};
use ctxpin_model::door::Door;
use ctxpin_model::moment::Moment;
use ctxpin_operations::{overview, people};
use ctxpin_protocol::convert::members::{InvalidMember, word};
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::{Tab, TabLink, tabs};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::cursor::{request, require_items};
use crate::pages::fields::Fields;
use crate::pages::form::shown_again;
use crate::pages::frame::{Frame, Place, html};
use crate::pages::parts::pager::Pager;
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::text::Text;
use crate::pages::parts::time::Time;
use crate::params::QueryParams;

/// The path of the page.
const PATH: &str = "/settings/audit";

/// The page of the audit log.
#[derive(Template)]
#[template(path = "settings/audit.html")]
struct AuditPage {
    frame: Frame,
    tabs: Vec<TabLink>,
    query: AuditPageQuery,
    rows: Vec<Row>,
    pager: Pager,
}

struct Row {
    at: Time,
    /// The name of the actor, or what it is.
    actor: String,
    actor_id: Option<ShortId>,
    /// The path of the rows of this actor.
    actor_rows: Option<String>,
    /// The way by which the request came. Rows of an earlier release have none.
    door: Option<&'static str>,
    action: &'static str,
    /// The action in words.
    what: String,
    object: Option<Object>,
    is_refused: bool,
    count: u64,
}

/// The object of an operation.
struct Object {
    kind: &'static str,
    name: Option<String>,
    id: ShortId,
    /// The path of its page.
    path: Option<String>,
    /// The path of the rows of this object.
    rows: String,
}

/// The query of the page. A field of its form that nobody filled is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuditPageQuery {
    actor: String,
    action: String,
    object: String,
    outcome: String,
    /// The first day.
    since: String,
    /// The last day.
    until: String,
    cursor: Option<String>,
    before: Option<String>,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<AuditPageQuery>,
) -> ApiResult<Response> {
    let asked = request(query.cursor.as_deref(), query.before.as_deref())?;
    let filter = match query.filter() {
        Ok(filter) => filter,
        Err(invalid) => {
            let again = |caller| without_rows(&app, caller, query);
            let fields = Fields::default();
            return shown_again(caller, PATH.to_owned(), fields, invalid.into(), again).await;
        }
    };
    let log = people::audit_log(&app.service, caller.credential, &filter, &asked).await?;
    if log.next.is_none() && log.previous.is_none() {
        require_items(&asked.part, &log.items)?;
    }
    let overview = overview::read(&app.service, caller.credential).await?;
    let frame = Frame::of(&app, &caller, overview, Place::Settings, "Audit log");
    let now = frame.now;
    html(&AuditPage {
        tabs: tabs(Tab::Audit, &frame),
        frame,
        pager: Pager::of(&log, |name, place| query.path(Some((name, *place)))),
        rows: log
            .items
            .into_iter()
            .map(|record| Row::new(&record, now))
            .collect(),
        query,
    })
}

/// Shows the form as it was filled, and no rows.
async fn without_rows(app: &App, caller: PageCaller, query: AuditPageQuery) -> ApiResult<Response> {
    let overview = overview::read(&app.service, caller.credential).await?;
    let frame = Frame::of(app, &caller, overview, Place::Settings, "Audit log");
    frame.require(Operation::AuditRead)?;
    html(&AuditPage {
        tabs: tabs(Tab::Audit, &frame),
        frame,
        rows: Vec::new(),
        pager: Pager::default(),
        query,
    })
}

impl AuditPageQuery {
    fn filter(&self) -> Result<AuditFilter, InvalidMember> {
        let action = filled(&self.action).map(|text| word("action", text));
        let outcome = filled(&self.outcome).map(|text| word("outcome", text));
        let until = day("until", &self.until)?;
        Ok(AuditFilter {
            actor: id("actor", &self.actor)?,
            action: action.transpose()?,
            object: id("object", &self.object)?,
            outcome: outcome.transpose()?,
            since: day("since", &self.since)?.map(begin_of),
            until: until.and_then(|day| day.succ_opt()).map(begin_of),
        })
    }

    /// Returns the fields that somebody filled.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("outcome", &self.outcome),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let fields = fields.into_iter();
        fields.filter_map(|(name, text)| Some((name, filled(text)?)))
    }

    /// Returns whether the page shows some of the rows only.
    fn is_filtered(&self) -> bool {
        self.fields().next().is_some()
    }

    /// Returns the path of the page of the same rows at a place, or of the first ones.
    fn path(&self, place: Option<(&'static str, Uuid)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.fields());
        if let Some((name, place)) = place {
            query.append_pair(name, &place.to_string());
        }
        format!("/settings/audit?{}", query.finish())
    }

    /// Returns the operations to choose from, and whether each is chosen.
    fn actions(&self) -> impl Iterator<Item = (&'static str, String, bool)> {
        let actions = Operation::ALL.iter().map(|action| action.as_str());
        actions.map(|action| (action, in_words(action), action == self.action))
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn id(member: &str, text: &str) -> Result<Option<Uuid>, InvalidMember> {
    let id = filled(text).map(str::parse);
    id.transpose()
        .map_err(|_| InvalidMember::new(member, "this is not a whole id; copy it with its button"))
}

fn day(member: &str, text: &str) -> Result<Option<NaiveDate>, InvalidMember> {
    let day = filled(text).map(str::parse);
    day.transpose()
        .map_err(|_| InvalidMember::new(member, "a day is written like 2026-01-31"))
}

fn begin_of(day: NaiveDate) -> Moment {
    Moment::new(day.and_time(NaiveTime::MIN).and_utc())
}

impl Row {
    fn new(record: &AuditRecord, now: Moment) -> Self {
        let actor = record.actor.uuid();
        Self {
            at: Time::clock(record.at, now),
            actor: match &record.actor_name {
                Some(name) => name.clone(),
                None => record.actor.kind().to_owned(),
            },
            actor_id: actor.map(|id| ShortId::of_id(id, "actor's id")),
            actor_rows: actor.map(|id| format!("/settings/audit?actor={id}")),
            door: record.door.map(word_of),
            action: record.action.as_str(),
            what: in_words(record.action.as_str()),
            object: record
                .object
                .map(|object| Object::new(object, record.object_name.clone())),
            is_refused: record.outcome != AuditOutcome::Done,
            count: record.count,
        }
    }
}

/// Returns the name of an operation in words.
fn in_words(action: &str) -> String {
    action.replace('_', " ")
}

/// Returns the word for a way into the server.
fn word_of(door: Door) -> &'static str {
    match door {
        Door::Api => "command or API",
        Door::Page => "page",
        Door::Agent => "agent",
        Door::System => "server",
    }
}

impl Object {
    fn new(object: AuditObject, name: Option<String>) -> Self {
        let (kind, id) = (object.kind(), object.uuid());
        Self {
            kind,
            name,
            id: ShortId::of_id(id, "object's id"),
            path: match object {
                AuditObject::Chat(chat) => Some(format!("/chats/{chat}/history")),
                AuditObject::Agent(agent) => Some(format!("/workspaces/{agent}")),
                _ => None,
            },
            rows: format!("/settings/audit?object={id}"),
        }
    }
}
