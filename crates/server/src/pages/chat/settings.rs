//! Changes of a chat besides its pin: title, archive, policy and workspace, and its end.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::{ChatChange, ChatRecord};
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::mode::Mode;
use ctxpin_model::page::PageRequest;
use ctxpin_model::policy::Policy;
use ctxpin_model::profile::Profile;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::{agents, chats};
use ctxpin_protocol::convert::members::{InvalidMember, chosen_name, word};

use super::changes::{self, ChangesQuery};
use super::head::{ChatHead, ChatPage, Tab, chat_id, read};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::answer::{Toast, Undo, Way, elsewhere};
use crate::pages::chats::{repeated, title_or_words};
use crate::pages::done::saying;
use crate::pages::fields::{Fields, incomplete};
use crate::pages::form::PageForm;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::command::{Command, chat_command};
use crate::pages::parts::short_id::last_digits;
use crate::pages::parts::text::{PathText, Text};
use crate::pages::parts::word_choice::WordChoice;
use crate::pages::typed::Typed;
use crate::params::{PathParams, QueryParams};

/// The most workspaces that a form offers.
pub(crate) const WORKSPACES_MAX: i64 = 500;

/// A workspace as a choice of a form.
pub(crate) struct WorkspaceChoice {
    pub id: AgentId,
    pub name: String,
    pub is_chosen: bool,
}

/// The page that changes a chat's policy and workspace.
#[derive(Template)]
#[template(path = "chat/settings.html")]
struct SettingsPage {
    frame: Frame,
    head: ChatHead,
    modes: Vec<WordChoice>,
    policies: Vec<WordChoice>,
    tools: Vec<WordChoice>,
    workspaces: Vec<WorkspaceChoice>,
    is_unbound: bool,
    typed: Typed,
    save: Command,
}

/// The page that asks before it deletes a chat.
#[derive(Template)]
#[template(path = "chat/delete_page.html")]
struct DeletePage {
    frame: Frame,
    head: ChatHead,
}

/// Shows the page of the policy and the workspace.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let page = read(&app, &caller, chat_id(&path)?, Tab::Changes).await?;
    let ChatPage {
        frame, head, line, ..
    } = page;
    frame.require_on(Operation::ChatChange, line.chat.owner)?;
    let chosen = line.chat.agent;
    let short = &head.short;
    let save = format!(
        "ctxpin chat set {short} --policy=POLICY --mode=MODE --tools=TOOLS && ctxpin chat bind AGENT --chat {short}"
    );
    let save = Command::new("Save", save)
        .filled("policy=--policy=POLICY;mode=--mode=MODE;tools=--tools=TOOLS;agent=AGENT");
    let typed = frame.typed(&format!("/chats/{}", head.id)).with("agent");
    html(&SettingsPage {
        modes: modes(&typed, line.chat.mode),
        policies: policies(&typed, line.chat.policy),
        tools: tools(&typed, line.chat.tools),
        workspaces: workspaces(&app, &caller, &frame, &typed, chosen).await?,
        frame,
        head,
        is_unbound: typed.is_chosen("agent", "", chosen.is_none()),
        typed,
        save,
    })
}

/// Returns the modes as choices of a form.
fn modes(typed: &Typed, chosen: Mode) -> Vec<WordChoice> {
    let choice = |mode: &Mode| WordChoice {
        word: mode.as_str(),
        words: match mode {
            Mode::Delivered => "The pin, which ctxpin delivers",
            Mode::Observed => "The client, which reads its files itself",
        },
        is_chosen: typed.is_chosen("mode", mode.as_str(), *mode == chosen),
    };
    Mode::ALL.iter().map(choice).collect()
}

/// Returns the policies as choices of a form.
pub(crate) fn policies(typed: &Typed, chosen: Policy) -> Vec<WordChoice> {
    let choice = |policy: &Policy| WordChoice {
        word: policy.as_str(),
        words: match policy {
            Policy::Manual => "Wait for me",
            Policy::Additive => "Take what is new, ask about the rest",
            Policy::Follow => "Take everything at the next turn",
        },
        is_chosen: typed.is_chosen("policy", policy.as_str(), *policy == chosen),
    };
    Policy::ALL.iter().map(choice).collect()
}

/// Returns the sources of the tools as choices of a form.
fn tools(typed: &Typed, chosen: ToolsMode) -> Vec<WordChoice> {
    let choice = |tools: &ToolsMode| WordChoice {
        word: tools.as_str(),
        words: match tools {
            ToolsMode::Live => "The workspace, as it is at the turn",
            ToolsMode::Pinned => "The pin, and their changes wait",
        },
        is_chosen: typed.is_chosen("tools", tools.as_str(), *tools == chosen),
    };
    ToolsMode::ALL.iter().map(choice).collect()
}

/// Reads the workspaces to which the caller may bind a chat as choices of a form, newest first.
///
/// # Errors
///
/// Fails if the caller may not list them.
pub(crate) async fn workspaces(
    app: &App,
    caller: &PageCaller,
    frame: &Frame,
    typed: &Typed,
    chosen: Option<AgentId>,
) -> ApiResult<Vec<WorkspaceChoice>> {
    let newest = PageRequest::newest(WORKSPACES_MAX);
    let agents = agents::list(&app.service, caller.credential, &newest).await?;
    let usable = agents.items.iter();
    let usable = usable.filter(|agent| frame.may_on(Operation::AgentUse, agent.owner));
    let choices = usable.map(|agent| {
        let is_chosen = Some(agent.id) == chosen;
        WorkspaceChoice {
            is_chosen: typed.is_chosen("agent", &agent.id.to_string(), is_chosen),
            ..WorkspaceChoice::new(agent, chosen)
        }
    });
    Ok(tell_apart(choices.collect()))
}

/// Adds the last digits of its id to each name that several choices have.
pub(crate) fn tell_apart(mut choices: Vec<WorkspaceChoice>) -> Vec<WorkspaceChoice> {
    let repeated = repeated(choices.iter().map(|choice| choice.name.as_str()));
    for choice in &mut choices {
        if repeated.contains(&choice.name) {
            let id = choice.id.to_string();
            choice.name = format!("{}, {}", choice.name, last_digits(&id));
        }
    }
    choices
}

impl WorkspaceChoice {
    pub fn new(agent: &AgentRecord, chosen: Option<AgentId>) -> Self {
        Self {
            is_chosen: Some(agent.id) == chosen,
            id: agent.id,
            name: match agent.profile {
                Profile::Neutral => agent.workspace.clone(),
                tool => format!("{}, {tool}", agent.workspace),
            },
        }
    }
}

/// Changes a chat.
pub(crate) async fn change(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let before = chats::read(&app.service, form.caller.credential, chat).await?;
    let change = match carried_out(&app, &form, chat).await {
        Ok(change) => change,
        // Without the script, the title is renamed on the page of the changes.
        Err(error) if form.fields.get("title").is_some() => {
            let query = QueryParams(ChangesQuery::default());
            let again =
                |caller| changes::page(State(app), caller, path, HeaderMap::default(), query);
            return form.shown_again(error, again).await;
        }
        Err(error) => {
            let again = |caller| page(State(app), caller, path);
            return form.shown_again(error, again).await;
        }
    };
    let way = Way::of_form(&form.fields);
    let toast = Toast {
        done: Way::told(way, sentence(&before, &change)),
        undo: undo(&before, &change, way),
        page_value: form.caller.page_value,
        address: None,
    };
    toast.answer(form.wants, &format!("/chats/{chat}"))
}

async fn carried_out(app: &App, form: &PageForm, chat: ChatId) -> ApiResult<ChatChange> {
    let change = changed(&form.fields)?;
    chats::change(&app.service, form.caller.credential, chat, &change).await?;
    Ok(change)
}

/// Returns the change that a form requests. A field that it lacks stays as it is.
fn changed(fields: &Fields) -> Result<ChatChange, InvalidMember> {
    let title = fields.get("title").map(title);
    let archived = fields.get("archived").map(|text| {
        let malformed = |_| incomplete("archived");
        text.parse().map_err(malformed)
    });
    let agent = fields.get("agent").map(|text| match text {
        "" => Ok(None),
        id => {
            let unknown = |_| InvalidMember::new("agent", "this is not the id of an agent");
            id.parse().map(Some).map_err(unknown)
        }
    });
    let mode = fields.get("mode").map(|text| word("mode", text));
    let mode: Option<Mode> = mode.transpose()?;
    let tools = fields.get("tools").map(|text| word("tools", text));
    let policy = fields.get("policy").map(|text| word("policy", text));
    // The form sends a policy in any case, and an observed chat has no other.
    let policy = match mode {
        Some(mode) if mode.is_observed() => None,
        _ => policy,
    };
    Ok(ChatChange {
        mode,
        title: title.transpose()?,
        archived: archived.transpose()?,
        agent: agent.transpose()?,
        policy: policy.transpose()?,
        tools: tools.transpose()?,
        ..ChatChange::default()
    })
}

/// Reads a title. An empty one is none.
///
/// # Errors
///
/// Fails if the title consists of blanks, is too long, or holds control characters.
pub(crate) fn title(text: &str) -> Result<Option<String>, InvalidMember> {
    match text.trim() {
        "" if text.is_empty() => Ok(None),
        "" => {
            let reason = "it has only blanks; leave it empty for a chat without a title";
            Err(InvalidMember::new("title", reason))
        }
        title => chosen_name("title", title.to_owned()).map(Some),
    }
}

/// Returns what a change has done to a chat as it was `before`.
fn sentence(before: &ChatRecord, change: &ChatChange) -> &'static str {
    match (change.archived, &change.title) {
        (Some(true), _) => "Archived.",
        (Some(false), _) => "Not archived any more.",
        (None, Some(Some(_))) => "Renamed.",
        (None, Some(None)) => "The chat has no title now.",
        (None, None) => match change.agent.filter(|agent| *agent != before.agent) {
            Some(Some(_)) => "Saved. The pin is now what the other workspace pushed last.",
            Some(None) => "Saved. The chat is bound to no workspace, and keeps its pin.",
            None => "Saved.",
        },
    }
}

/// Returns the form that undoes archiving, or a binding to another workspace.
fn undo(before: &ChatRecord, change: &ChatChange, way: Option<Way>) -> Option<Undo> {
    let field = match (change.archived, change.agent) {
        (Some(archived), _) => ("archived", (!archived).to_string()),
        (None, Some(agent)) if agent != before.agent => {
            let back = before.agent.map(|agent| agent.to_string());
            ("agent", back.unwrap_or_default())
        }
        (None, _) => return None,
    };
    let id = before.id.to_string();
    let short = last_digits(&id);
    Some(Undo {
        way: Way::back(way),
        command: match (field.0, &*field.1) {
            ("archived", "false") => chat_command("unarchive", short),
            ("archived", _) => chat_command("archive", short),
            (_, "") => format!("ctxpin chat bind --none --chat {short}"),
            (_, agent) => format!("ctxpin chat bind {agent} --chat {short}"),
        },
        action: format!("/chats/{}", before.id),
        fields: vec![field],
    })
}

/// Shows the page that asks before it deletes.
pub(crate) async fn delete_page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let page = read(&app, &caller, chat_id(&path)?, Tab::Changes).await?;
    let chat = &page.line.chat;
    page.frame.require_on(Operation::ChatDelete, chat.owner)?;
    html(&DeletePage {
        frame: page.frame,
        head: page.head,
    })
}

/// Deletes a chat.
pub(crate) async fn delete(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let (credential, chat) = (form.caller.credential, chat_id(&path)?);
    let title = chats::read(&app.service, credential, chat).await?.title;
    chats::delete(&app.service, credential, chat).await?;
    let done = format!("Deleted the chat {}.", title_or_words(title.as_deref()));
    Ok(saying(elsewhere(form.wants, "/chats"), &done))
}

#[cfg(test)]
mod tests {
    use ctxpin_model::moment::Moment;

    use super::*;

    #[test]
    fn forms_are_changes() {
        let check = |body: &str, expected: Option<ChatChange>| {
            assert_eq!(changed(&Fields::read(body.as_bytes())).ok(), expected);
        };
        check("", Some(ChatChange::default()));
        let title = |title: Option<&str>| ChatChange {
            title: Some(title.map(str::to_owned)),
            ..ChatChange::default()
        };
        check("title=+Rename+me+", Some(title(Some("Rename me"))));
        check("title=", Some(title(None)));
        let archived = ChatChange {
            archived: Some(true),
            ..ChatChange::default()
        };
        check("archived=true", Some(archived));
        let unbound = ChatChange {
            agent: Some(None),
            policy: Some(Policy::Follow),
            ..ChatChange::default()
        };
        check("agent=&policy=follow", Some(unbound));
        let observed = ChatChange {
            mode: Some(Mode::Observed),
            ..ChatChange::default()
        };
        check("mode=observed&policy=follow", Some(observed));
        for body in [
            "archived=yes",
            "agent=x",
            "policy=weekly",
            "mode=watched",
            "title=a%0Ab",
            "title=++",
        ] {
            check(body, None);
        }
    }

    #[test]
    fn equal_names_end_with_their_ids() {
        let now = Moment::from_unix_micros(1_795_788_000_000_000).unwrap();
        let choice = |name: &str| WorkspaceChoice {
            id: AgentId::generate(now),
            name: name.to_owned(),
            is_chosen: false,
        };
        let choices = [choice("shop"), choice("wiki"), choice("shop")];
        let ids = choices.each_ref().map(|choice| choice.id.to_string());
        let shop = |id: &str| format!("shop, {}", last_digits(id));
        let names = tell_apart(choices.into()).into_iter();
        let names: Vec<_> = names.map(|choice| choice.name).collect();
        assert_eq!(names, [shop(&ids[0]), "wiki".to_owned(), shop(&ids[2])]);
    }
}
