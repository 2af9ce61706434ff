//! The caller's tokens.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::{Actor, Operation, Scope, Scopes, require_no_wider};
use ctxpin_model::id::TokenId;
use ctxpin_model::moment::Moment;
use ctxpin_model::token::{Token, TokenRecord, TokenRequest};
use ctxpin_operations::overview;
use ctxpin_operations::people::{self, Revocation, TokenInUse};
use ctxpin_protocol::convert::members::{InvalidMember, chosen_name, word};

use super::{Tab, TabLink, tabs};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::answer::elsewhere;
use crate::pages::cursor::{CursorQuery, require_items};
use crate::pages::done::saying;
use crate::pages::fields::Fields;
use crate::pages::form::{PageForm, Wants};
use crate::pages::frame::{Frame, Place, html};
use crate::pages::parts::command::Command;
use crate::pages::parts::number::counted;
use crate::pages::parts::pager::Pager;
use crate::pages::parts::text::Text;
use crate::pages::parts::time::Time;
use crate::pages::parts::word_choice::WordChoice;
use crate::params::{PathParams, QueryParams};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The page of the caller's tokens.
#[derive(Template)]
#[template(path = "settings/tokens.html")]
struct TokensPage {
    frame: Frame,
    tabs: Vec<TabLink>,
    rows: Vec<Row>,
    pager: Pager,
    /// The scopes that the caller's session can give to a token.
    choices: Vec<WordChoice>,
    create: Command,
    /// The command that gives a shell the server and the token. `None` if commands find both by themselves.
    exported: Option<String>,
    /// A token that was just made. No other response shows it.
    secret: Option<String>,
}

/// A new token, in the page that asked for it.
#[derive(Template)]
#[template(path = "settings/token_made.html")]
struct TokenMade {
    secret: Option<String>,
}

/// The page that asks before it revokes a token.
#[derive(Template)]
#[template(path = "settings/token_revoke.html")]
struct RevokePage {
    frame: Frame,
    token: Row,
    /// Whether the caller is signed in with the token.
    is_own: bool,
    /// The browsers that are signed in with it. `None` if there are none.
    sessions: Option<String>,
    /// The tokens that it created. `None` if there are none.
    children: Option<String>,
    command: Command,
}

struct Row {
    id: TokenId,
    label: String,
    scopes: String,
    made: Time,
    used: Option<Time>,
    expires: Option<Time>,
    has_expired: bool,
    revoked: Option<Time>,
    may_revoke: bool,
}

/// Returns a scope as a choice of the form.
fn scope_choice(scope: Scope) -> WordChoice {
    let (words, is_chosen) = match scope {
        Scope::Read => ("Read texts", true),
        Scope::Write => ("Move pins, make and change chats", true),
        Scope::Observe => (
            "Follow your clients: their chats, sessions and turns",
            false,
        ),
        Scope::Provision => ("Make agents for others", false),
        Scope::Admin => ("Manage users, their quotas and their tokens", false),
    };
    WordChoice {
        word: scope.as_str(),
        words,
        is_chosen,
    }
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<CursorQuery>,
) -> ApiResult<Response> {
    shown(&app, &caller, &query, None).await
}

async fn shown(
    app: &App,
    caller: &PageCaller,
    query: &CursorQuery,
    secret: Option<String>,
) -> ApiResult<Response> {
    let asked = query.request()?;
    let overview = overview::read(&app.service, caller.credential).await?;
    let tokens = people::tokens(&app.service, caller.credential, &asked).await?;
    require_items(&asked.part, &tokens.items)?;
    let frame = Frame::of(app, caller, overview, Place::Settings, "Tokens");
    let now = frame.now;
    let scopes = frame.scopes();
    // A token gives none that it lacks, and only an admin can use the last one.
    let is_given = |scope: &Scope| {
        scopes.lacking([*scope].into_iter().collect()).is_none()
            && (*scope != Scope::Admin || frame.may(Operation::UserList))
    };
    let may_revoke = frame.may(Operation::TokenRevoke);
    let command = "ctxpin token create --label=LABEL --scope=SCOPE --days=DAYS";
    html(&TokensPage {
        tabs: tabs(Tab::Tokens, &frame),
        pager: Pager::of(&tokens, |name, place| format!("/settings?{name}={place}")),
        rows: tokens
            .items
            .into_iter()
            .map(|token| Row {
                may_revoke: may_revoke && require_no_wider(scopes, token.scopes).is_ok(),
                ..Row::new(token, now)
            })
            .collect(),
        choices: Scope::ALL
            .iter()
            .copied()
            .filter(is_given)
            .map(scope_choice)
            .collect(),
        exported: frame
            .server
            .as_ref()
            .map(|server| format!("export CTXPIN_SERVER={server} CTXPIN_TOKEN=TOKEN")),
        frame,
        create: Command::new("Create", command)
            .filled("label=--label=LABEL;scope=--scope=SCOPE;days=--days=DAYS"),
        secret,
    })
}

impl Row {
    fn new(token: TokenRecord, now: Moment) -> Self {
        Self {
            id: token.id,
            label: match (token.label, token.agent) {
                (Some(label), _) => label,
                (None, Some(_)) => "An agent's token".to_owned(),
                (None, None) => "Without a label".to_owned(),
            },
            scopes: token.scopes.to_string(),
            made: Time::ago(token.created_at, now),
            expires: token.expires_at.map(|at| Time::clock(at, now)),
            has_expired: token.expires_at.is_some_and(|at| at <= now),
            used: token.last_used_at.map(|at| Time::ago(at, now)),
            revoked: token.revoked_at.map(|at| Time::ago(at, now)),
            may_revoke: false,
        }
    }
}

/// Creates a token, and shows it once.
pub(crate) async fn create(State(app): State<App>, form: PageForm) -> ApiResult<Response> {
    let token = match made(&app, &form).await {
        Ok(token) => token,
        Err(error) => {
            let again = async |caller| shown(&app, &caller, &CursorQuery::default(), None).await;
            return form.shown_again(error, again).await;
        }
    };
    let secret = Some(token.reveal());
    match form.wants {
        Wants::Fragment => html(&TokenMade { secret }),
        Wants::Page => shown(&app, &form.caller, &CursorQuery::default(), secret).await,
    }
}

async fn made(app: &App, form: &PageForm) -> ApiResult<Token> {
    let request = requested(&form.fields, app.now())?;
    let (_, token) = people::token_create(&app.service, form.caller.credential, &request).await?;
    Ok(token)
}

fn requested(fields: &Fields, now: Moment) -> Result<TokenRequest, InvalidMember> {
    let label = fields.get("label").unwrap_or_default().trim();
    let label = chosen_name("label", label.to_owned())?;
    let scopes = fields.all("scope").map(|text| word::<Scope>("scope", text));
    let scopes: Scopes = scopes.collect::<Result<_, _>>()?;
    if scopes.is_empty() {
        return Err(InvalidMember::new("scope", "a token needs at least one"));
    }
    let expires_at = match fields.get("days") {
        Some("30") => Some(now.after(30 * DAY)),
        Some("365") => Some(now.after(365 * DAY)),
        _ => None,
    };
    Ok(TokenRequest {
        label: Some(label),
        scopes,
        expires_at,
        user: None,
    })
}

/// Shows the page that asks before it revokes a token.
pub(crate) async fn revoke_page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let token = path.id("token")?;
    let TokenInUse {
        token,
        session_count,
        child_count,
        has_more_children,
    } = people::token_in_use(&app.service, caller.credential, token).await?;
    let frame = Frame::read(&app, &caller, Place::Settings, "Revoke a token").await?;
    let id = token.id;
    html(&RevokePage {
        is_own: matches!(frame.actor, Some(Actor::User { token, .. }) if token == id),
        sessions: (session_count > 0).then(|| counted(session_count, "browser")),
        children: (child_count > 0).then(|| {
            let children = counted(child_count, "token");
            match has_more_children {
                true => format!("at least {children}"),
                false => children,
            }
        }),
        token: Row::new(token, frame.now),
        command: Command::new("Revoke", format!("ctxpin token revoke {id}"))
            .filled("with_children=--with-children"),
        frame,
    })
}

/// Revokes a token, and if the form says so those that it created.
pub(crate) async fn revoke(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let token = path.id("token")?;
    let revocation = match form.fields.get("with_children") {
        Some(_) => Revocation::WithChildren,
        None => Revocation::Alone,
    };
    let credential = form.caller.credential;
    let label = people::token_in_use(&app.service, credential, token).await?;
    let label = label.token.label;
    people::token_revoke(&app.service, credential, token, revocation).await?;
    let made = match revocation {
        Revocation::WithChildren => ", and the tokens that it made",
        Revocation::Alone => "",
    };
    let named = label.map_or("the token".to_owned(), |label| format!("the token {label}"));
    let done = format!("Revoked {named}{made}.");
    Ok(saying(elsewhere(form.wants, "/settings"), &done))
}
