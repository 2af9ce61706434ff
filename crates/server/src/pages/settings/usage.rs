//! What a user has stored, against the user's quotas.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::id::UserId;
use ctxpin_model::quota::{Stock, UserUsage};
use ctxpin_operations::{overview, quotas};
use serde::Deserialize;
use uuid::Uuid;

use super::{Tab, TabLink, tabs};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::frame::{Frame, Place, html};
use crate::pages::parts::number::{Number, Size};
use crate::params::QueryParams;

/// The page of a user's usage.
#[derive(Template)]
#[template(path = "settings/usage.html")]
struct UsagePage {
    frame: Frame,
    tabs: Vec<TabLink>,
    /// Whether it is the usage of another user than the caller.
    of_other: Option<UserId>,
    rows: Vec<Row>,
}

/// What the user has of one kind of object.
struct Row {
    what: &'static str,
    used: String,
    quota: String,
    percent: u128,
    /// Whether an admin has set the quota for this user.
    is_set: bool,
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageQuery {
    /// Absent for the caller.
    user: Option<Uuid>,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<UsageQuery>,
) -> ApiResult<Response> {
    let of_other = query.user.map(UserId::from);
    let usage = quotas::usage(&app.service, caller.credential, of_other).await?;
    let overview = overview::read(&app.service, caller.credential).await?;
    let of_other = of_other.filter(|user| *user != overview.user.id);
    let frame = Frame::of(&app, &caller, overview, Place::Settings, "Usage");
    html(&UsagePage {
        tabs: tabs(Tab::Usage, &frame),
        of_other,
        frame,
        rows: Stock::ALL
            .iter()
            .map(|stock| Row::new(*stock, &usage))
            .collect(),
    })
}

impl Row {
    fn new(stock: Stock, view: &UserUsage) -> Self {
        let used = view.usage.used.of(stock);
        let quota = view.usage.quota(stock, &view.defaults);
        let told = |amount| match stock {
            Stock::ContentBytes => Size(amount).to_string(),
            Stock::Agents | Stock::Chats | Stock::Tokens => Number(amount).to_string(),
        };
        Self {
            what: match stock {
                Stock::ContentBytes => "Content that agents sent",
                Stock::Agents => "Workspaces",
                Stock::Chats => "Chats",
                Stock::Tokens => "Tokens",
            },
            used: told(used),
            quota: told(quota),
            percent: u128::from(used) * 100 / u128::from(quota.max(1)),
            is_set: view.usage.overrides.of(stock).is_some(),
        }
    }
}
