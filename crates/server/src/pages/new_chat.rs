//! Creating a chat.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::chat::ChatCreate;
use ctxpin_model::id::ChatId;
use ctxpin_model::policy::Policy;
use ctxpin_operations::chats;
use ctxpin_protocol::convert::members::{InvalidMember, word};

use super::answer::elsewhere;
use super::caller::PageCaller;
use super::chat::settings::{WorkspaceChoice, policies, title, workspaces};
use super::fields::Fields;
use super::form::PageForm;
use super::frame::{Frame, Place, html};
use super::parts::command::Command;
use super::parts::text::Text;
use super::parts::word_choice::WordChoice;
use crate::api_error::ApiResult;
use crate::app::App;

/// The page that creates a chat.
#[derive(Template)]
#[template(path = "new_chat.html")]
struct NewChatPage {
    frame: Frame,
    policies: Vec<WordChoice>,
    workspaces: Vec<WorkspaceChoice>,
    create: Command,
}

/// Shows the page.
pub(crate) async fn page(State(app): State<App>, caller: PageCaller) -> ApiResult<Response> {
    let frame = Frame::read(&app, &caller, Place::Chats, "New chat").await?;
    frame.require(Operation::ChatCreate)?;
    let typed = frame.typed("/chats");
    html(&NewChatPage {
        policies: policies(&typed, Policy::default()),
        workspaces: workspaces(&app, &caller, &frame, &typed, None).await?,
        frame,
        create: Command::new("Create", "ctxpin chat new --title=TITLE")
            .filled("title=--title=TITLE;agent=--agent=AGENT;policy=--policy=POLICY"),
    })
}

/// Creates a chat, and leads to it.
pub(crate) async fn create(State(app): State<App>, form: PageForm) -> ApiResult<Response> {
    match created(&app, &form).await {
        Ok(chat) => Ok(elsewhere(form.wants, &format!("/chats/{chat}"))),
        Err(error) => {
            let again = |caller| page(State(app), caller);
            form.shown_again(error, again).await
        }
    }
}

async fn created(app: &App, form: &PageForm) -> ApiResult<ChatId> {
    let request = requested(&form.fields)?;
    let (chat, _) = chats::create(&app.service, form.caller.credential, &request).await?;
    Ok(chat.id)
}

fn requested(fields: &Fields) -> Result<ChatCreate, InvalidMember> {
    let title = title(fields.get("title").unwrap_or_default());
    let agent = fields.filled("agent").map(|id| {
        let unknown = |_| InvalidMember::new("agent", "this is not the id of an agent");
        id.parse().map_err(unknown)
    });
    let policy = fields.filled("policy").map(|text| word("policy", text));
    Ok(ChatCreate {
        title: title?,
        agent: agent.transpose()?,
        policy: policy.transpose()?.unwrap_or_default(),
        ..ChatCreate::default()
    })
}
