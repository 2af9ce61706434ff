//! Connecting a workspace: a one-time code for the agent beside it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::enrolment::EnrolmentCodeRecord;
use ctxpin_model::id::{AgentId, EnrolmentCodeId};
use ctxpin_model::moment::Moment;
use ctxpin_model::profile::Profile;
use ctxpin_operations::error::Error;
use ctxpin_operations::{agents, enrolment};
use ctxpin_protocol::convert::agents::agent_request;
use ctxpin_protocol::http::agents::AgentCreate;
use serde::Deserialize;
use uuid::Uuid;

use super::caller::PageCaller;
use super::fields::Fields;
use super::form::PageForm;
use super::frame::{Frame, Place, html};
use super::parts::command::Command;
use super::parts::text::PathText;
use super::parts::time::Time;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::authority::RequestAuthority;
use crate::params::QueryParams;

const TITLE: &str = "Connect a workspace";

/// The page that makes a code, and shows what became of it.
#[derive(Template)]
#[template(path = "new_workspace.html")]
struct NewWorkspacePage {
    frame: Frame,
    code: Option<Code>,
    create: Command,
    profiles: &'static [Profile],
}

/// A code and what became of it.
struct Code {
    id: EnrolmentCodeId,
    stage: Stage,
}

/// What became of a code.
enum Stage {
    /// No agent has used it.
    Waits {
        workspace: String,
        /// The code, in the response that makes it.
        revealed: Option<String>,
        /// The command that asks for the code.
        command: String,
        until: Time,
    },
    Used(Connected),
    /// It has expired, or its agent was deleted.
    Gone,
}

/// The workspace that a code has connected.
struct Connected {
    agent: AgentId,
    workspace: String,
    pushed: Option<Time>,
}

impl Code {
    /// Returns the code's version of the page's text. Equal versions have equal texts, except that the first has
    /// the code, which no other response shows.
    fn version(&self) -> String {
        let stage = match &self.stage {
            Stage::Waits { .. } => "waits",
            Stage::Used(Connected { pushed: None, .. }) => "used",
            Stage::Used(Connected {
                pushed: Some(_), ..
            }) => "pushed",
            Stage::Gone => "gone",
        };
        format!("{} {stage}", self.id)
    }
}

impl Connected {
    fn new(agent: &AgentRecord, now: Moment) -> Self {
        Self {
            agent: agent.id,
            workspace: agent.workspace.clone(),
            pushed: agent.head.map(|head| Time::ago(head.received_at, now)),
        }
    }
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWorkspaceQuery {
    /// The id of a code that was made before.
    code: Option<Uuid>,
}

/// Shows the form, or what became of a code.
pub(crate) async fn page(
    State(app): State<App>,
    authority: RequestAuthority,
    caller: PageCaller,
    QueryParams(query): QueryParams<NewWorkspaceQuery>,
) -> ApiResult<Response> {
    let code = match query.code {
        None => None,
        Some(id) => Some(read(&app, &authority, &caller, id.into()).await?),
    };
    shown(&app, &caller, code).await
}

/// Makes a code, and shows it once.
pub(crate) async fn create(
    State(app): State<App>,
    authority: RequestAuthority,
    form: PageForm,
) -> ApiResult<Response> {
    match made(&app, &authority, &form).await {
        Ok(code) => shown(&app, &form.caller, Some(code)).await,
        Err(error) => {
            let again = async |caller| shown(&app, &caller, None).await;
            form.shown_again(error, again).await
        }
    }
}

async fn made(app: &App, authority: &RequestAuthority, form: &PageForm) -> ApiResult<Code> {
    let request = agent_request(requested(&form.fields))?;
    let issued = enrolment::code_create(&app.service, form.caller.credential, &request).await?;
    Ok(Code {
        id: issued.code.id(),
        stage: Stage::Waits {
            workspace: request.workspace,
            revealed: Some(issued.code.reveal()),
            command: command(app, authority, request.profile)?,
            until: Time::clock(issued.expires_at, app.now()),
        },
    })
}

async fn shown(app: &App, caller: &PageCaller, code: Option<Code>) -> ApiResult<Response> {
    let frame = Frame::read(app, caller, Place::Workspaces, TITLE).await?;
    frame.require(Operation::EnrolmentCodeCreate)?;
    html(&NewWorkspacePage {
        frame,
        code,
        create: Command::new(
            "Make a code",
            "ctxpin agent enrolment-code --workspace=WORKSPACE",
        )
        .filled(
            "workspace=--workspace=WORKSPACE;name=--name=NAME;may_refresh=--may-refresh;replaces=--replaces=AGENT;profile=--profile=TOOL;home=--home=DIR",
        ),
        profiles: Profile::ALL,
    })
}

async fn read(
    app: &App,
    authority: &RequestAuthority,
    caller: &PageCaller,
    id: EnrolmentCodeId,
) -> ApiResult<Code> {
    let stage = match enrolment::code_read(&app.service, caller.credential, id).await {
        Ok(EnrolmentCodeRecord {
            agent: Some(agent), ..
        }) => {
            let agent = agents::read(&app.service, caller.credential, agent).await?;
            Stage::Used(Connected::new(&agent, app.now()))
        }
        Ok(waits) => Stage::Waits {
            workspace: waits.workspace,
            revealed: None,
            command: command(app, authority, waits.profile)?,
            until: Time::clock(waits.expires_at, app.now()),
        },
        Err(Error::NotFound(_)) => Stage::Gone,
        Err(error) => return Err(error.into()),
    };
    Ok(Code { id, stage })
}

/// Returns the command that runs an agent which asks for the code.
fn command(app: &App, authority: &RequestAuthority, profile: Profile) -> ApiResult<String> {
    let server = authority.command_address(&app.public_urls, app.page_host.as_deref())?;
    let option = match profile == Profile::Neutral {
        true => String::new(),
        false => format!(" --profile {profile}"),
    };
    Ok(format!(
        "ctxpin agent run --server {server}{option} --enrol"
    ))
}

fn requested(fields: &Fields) -> AgentCreate {
    AgentCreate {
        workspace: fields.filled("workspace").unwrap_or_default().to_owned(),
        name: fields.filled("name").map(str::to_owned),
        may_refresh: fields.get("may_refresh").is_some(),
        replaces: fields.filled("replaces").map(str::to_owned),
        profile: fields.filled("profile").map(str::to_owned),
        home: fields.filled("home").map(str::to_owned),
    }
}
