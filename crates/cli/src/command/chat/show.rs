//! `ctxpin chat show`.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use ctxpin_client::Client;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::context::Context;
use ctxpin_protocol::http::quotas::PushRefused;
use ctxpin_protocol::http::resources::{Removed, Resource};
use serde_json::Value;

use super::turns::last_verdict;
use super::{drift, name, settings};
use crate::chat_choice::{self, ChatArgument};
use crate::command::Output;
use crate::connect::Connected;
use crate::say::{self, Failure, Viewpoint};

/// The exit code of `--exit-code` for a chat that has drifted.
const DIRTY_EXIT_CODE: u8 = 3;

/// Show a chat, its pin and its drift
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    chat: ChatArgument,
    /// Exit with 3 if the chat has drift that reaches a model
    #[arg(long)]
    exit_code: bool,
    /// Also list all resources of the pin
    #[arg(long)]
    resources: bool,
    #[command(flatten)]
    output: Output,
}

impl Show {
    /// Prints the chat. With `--exit-code`, the exit code says whether it has drifted.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<ExitCode, Failure> {
        let id = chat_choice::chat(connected, self.chat.named()).await?;
        let chat = connected.client.chat(id).await?;
        let context = connected.client.context(id).await?;
        if self.output.json {
            say::print_json(&whole(&chat, &context)?)?;
        } else {
            let page = Page {
                chat: &chat,
                context: &context,
                is_agent_gone: is_agent_gone(&connected.client, &chat, &context).await?,
                viewpoint: Viewpoint::here(),
                now: say::now(),
                is_named: self.chat.named().is_some(),
            };
            say::print(&page.text(self.resources))?;
        }
        Ok(
            match self.exit_code && !chat.archived && is_dirty(&context) {
                true => ExitCode::from(DIRTY_EXIT_CODE),
                false => ExitCode::SUCCESS,
            },
        )
    }
}

/// Returns whether nobody knows that a chat without drift is clean, because its agent does not answer.
async fn is_agent_gone(client: &Client, chat: &Chat, context: &Context) -> Result<bool, Failure> {
    let is_asked = context.pin.snapshot.is_some() && !chat.archived;
    let agent = chat.agent_id.filter(|_| is_asked);
    match agent.filter(|_| !context.pin.dirty) {
        Some(agent) => Ok(!client.agent(agent.into()).await?.connected),
        None => Ok(false),
    }
}

/// Returns whether a chat has drift that reaches a model.
fn is_dirty(context: &Context) -> bool {
    context.pin.dirty && context.effect != "none"
}

/// Returns the chat as JSON, with its complete context in place of the summary.
fn whole(chat: &Chat, context: &Context) -> Result<Value, Failure> {
    let json = |error: serde_json::Error| {
        Failure::new("the result cannot be written as JSON").because(error)
    };
    let mut whole = serde_json::to_value(chat).map_err(json)?;
    whole["context"] = serde_json::to_value(context).map_err(json)?;
    Ok(whole)
}

/// The output for people.
struct Page<'a> {
    chat: &'a Chat,
    context: &'a Context,
    is_agent_gone: bool,
    viewpoint: Viewpoint,
    now: DateTime<Utc>,
    is_named: bool,
}

impl Page<'_> {
    fn text(&self, with_resources: bool) -> String {
        let mut text = format!(
            "{}\n",
            say::paint(say::BOLD, &format!("chat {}", name(self.chat)))
        );
        text += &self.facts();
        if with_resources {
            text += &self.resources();
        }
        text += &self.drift();
        text
    }

    fn facts(&self) -> String {
        let (chat, context) = (self.chat, self.context);
        let mut facts = vec![
            ("id", chat.id.to_string()),
            ("agent", chat.agent_id.map_or("none".to_owned(), say::id)),
        ];
        let profile = context.profile.clone();
        let profile = profile.filter(|profile| profile != Profile::Neutral.as_str());
        facts.extend(profile.map(|profile| ("profile", say::line(&profile).into_owned())));
        facts.extend(chat.parent_id.map(|parent| ("parent", say::id(parent))));
        facts.extend(settings::facts(chat));
        if let Some(client) = &chat.client {
            let reference = chat.reference.as_deref().unwrap_or_default();
            facts.push((
                "client",
                say::line(&format!("{client} {reference}"))
                    .trim()
                    .to_owned(),
            ));
        }
        match (&context.pin.snapshot, context.pin.pinned_at) {
            (Some(snapshot), Some(at)) => {
                let unconfirmed = match context.pin.unconfirmed {
                    true => ", unconfirmed: the client may have read other files",
                    false => "",
                };
                let since = say::since(at, self.now);
                facts.push((
                    "pinned",
                    format!("{}, {since}{unconfirmed}", say::hash(snapshot)),
                ));
                facts.push(("holds", say::holdings(context)));
                facts.extend(say::removed(context).map(|removed| ("removed", removed)));
                facts.extend(warned(context).map(|warned| ("warnings", warned)));
                facts.extend(self.old_renderer().map(|old| ("renderer", old)));
            }
            _ => facts.push(("pinned", "not yet".to_owned())),
        }
        if let Some(head) = &context.head {
            let at = say::since(head.received_at, self.now);
            facts.push(("head", format!("{}, {at}", say::hash(&head.snapshot))));
        }
        if let Some(last) = &chat.last_verdict {
            let verdict = last_verdict(last);
            facts.push(("evidence", format!("{verdict}, in turn {}", last.turn)));
        }
        if chat.archived {
            facts.push(("archived", "yes".to_owned()));
        }
        if let Some(error) = &context.pin.error {
            facts.push(("scan", format!("incomplete: {}", say::text(error))));
        }
        let warnings = context.quota_warnings.iter().map(say::quota_warning);
        facts.extend(warnings.map(|warning| ("quota", say::line(&warning).into_owned())));
        let lines = facts.into_iter();
        lines
            .map(|(name, fact)| format!("  {name:9}{fact}\n"))
            .collect()
    }

    /// Returns the note that an older release rendered the prompt, if one did.
    fn old_renderer(&self) -> Option<String> {
        let latest = self.context.latest_renderer;
        let renderer = self
            .context
            .pin
            .renderer
            .filter(|number| *number < latest)?;
        let chat = self.named_chat();
        Some(format!(
            "{renderer}, latest {latest}: `ctxpin chat render{chat}` renders the prompt again"
        ))
    }

    /// Returns the argument that names the chat in a suggested command, or nothing if the command needs
    /// none.
    fn named_chat(&self) -> String {
        match self.is_named {
            true => format!(" {}", say::id(self.chat.id)),
            false => String::new(),
        }
    }

    fn resources(&self) -> String {
        let mut text = String::from("\n");
        for resource in &self.context.resources {
            let path = self.viewpoint.path(&resource.source);
            text += &format!("  {:16}  {path}", say::line(&resource.kind));
            if resource.status != "ok" {
                let reason = resource.error.as_deref().unwrap_or("no reason given");
                text += &format!(" ({}: {})", say::line(&resource.status), say::line(reason));
            }
            text.push('\n');
            text += &details(resource);
        }
        text
    }

    fn drift(&self) -> String {
        let context = self.context;
        if context.pin.snapshot.is_none() {
            let next = match (&context.head, self.chat.archived) {
                (_, true) => "unarchiving pins it",
                (None, _) if self.chat.agent_id.is_none() => {
                    "it is bound to no workspace; `ctxpin chat bind` binds it"
                }
                (Some(_), _) if settings::is_observed(self.chat) => {
                    "the next push or turn pins it, or a session that begins"
                }
                (Some(_), _) => "the next push or turn pins it, or `ctxpin chat refresh` now",
                (None, _) => "its agent's first push pins it",
            };
            return format!("\nnot pinned: {next}\n");
        }
        if self.chat.archived {
            return format!(
                "\narchived: the chat keeps its pin, and shows no drift\n\n  \
                 ctxpin chat archive {} --undo   show it again\n",
                say::id(self.chat.id)
            );
        }
        if self.chat.agent_id.is_none() {
            return unbound(&say::id(self.chat.id));
        }
        if !context.pin.dirty {
            return match &context.pin.agent_refused {
                Some(refused) => self.refused(refused),
                None if self.is_agent_gone => gone(),
                None => format!("\n{}\n", say::paint(say::GOOD, "clean")),
            };
        }
        let since = match context.pin.dirty_since {
            Some(time) => format!(" since {}", say::since(time, self.now)),
            None => String::new(),
        };
        if !is_dirty(context) {
            let changes = drift::lines(&context.changes, &self.viewpoint);
            return format!(
                "\n{}: the workspace differs{since}, but a model sees no change\n{changes}{}",
                say::paint(say::GOOD, "clean to a model"),
                self.next()
            );
        }
        let label = say::paint(say::WARNING, &format!("behind{since}"));
        let declined = match context.pin.declined {
            true => " - declined: the chat keeps its pin until the workspace changes again",
            false => "",
        };
        let changes = drift::lines(&context.changes, &self.viewpoint);
        format!("\n{label}{declined}\n{changes}{}", self.next())
    }

    /// Returns the note that the server refused the agent's last push, so that the head may be older than
    /// the workspace.
    fn refused(&self, refused: &PushRefused) -> String {
        let label = say::paint(say::WARNING, "not known to be clean");
        format!(
            "\n{label}: its agent's push of {} exceeded a limit ({}), so the head may be older than the \
             workspace\n`ctxpin agent status` in the workspace says what to do\n",
            say::since(refused.at, self.now),
            say::line(&refused.limit)
        )
    }

    fn next(&self) -> String {
        let chat = self.named_chat();
        let is_observed = settings::is_observed(self.chat);
        let mut commands = vec![("diff", "show the changed lines")];
        if !is_observed {
            commands.push(("refresh", "take the changes"));
        }
        if !self.context.pin.declined {
            commands.push(("decline", "keep the pin"));
        }
        let lines = commands.into_iter().map(|(verb, what)| {
            let command = format!("ctxpin chat {verb}{chat}");
            let width = "ctxpin chat refresh".len() + chat.len();
            format!("  {command:width$}   {what}\n")
        });
        let resume = match is_observed {
            true => format!(
                "  {}\n",
                settings::taken_by_client(self.chat, "the changes")
            ),
            false => String::new(),
        };
        format!("\n{}{resume}", lines.collect::<String>())
    }
}

/// Returns the note that the head may be older than the workspace, because the agent does not answer.
fn gone() -> String {
    let label = say::paint(say::WARNING, "not known to be clean");
    format!(
        "\n{label}: its agent is gone, so the workspace may have newer changes\n\
         `ctxpin up` or `ctxpin agent run` in the workspace starts it again\n"
    )
}

/// Returns the note that the chat has no workspace whose changes could wait, with the command that gives it one.
fn unbound(chat: &str) -> String {
    let label = say::paint(say::WARNING, "no workspace");
    format!(
        "\n{label}: it was deleted, or the chat was unbound; the pin stays, and no change can come\n\n  \
         ctxpin chat bind AGENT --chat {chat}   bind it to another one, of `ctxpin agent list`\n"
    )
}

/// Returns the notes about a resource, one line each: what ctxpin's prompt leaves out of it, and its warnings.
fn details(resource: &Resource) -> String {
    details_with(resource, resource.removed)
}

/// Returns the notes about a changed resource. Removed blanks are not worth a note.
pub fn details_of_change(resource: &Resource) -> String {
    let removed = resource.removed;
    let is_news = |removed: &Removed| removed.comment + removed.invisible > 0;
    details_with(resource, removed.filter(is_news))
}

fn details_with(resource: &Resource, removed: Option<Removed>) -> String {
    let mut text = String::new();
    if let Some(removed) = &removed {
        text += &format!(
            "    removed: {}\n",
            say::removed_bytes(std::slice::from_ref(removed))
        );
    }
    for warning in &resource.warnings {
        let line = warning
            .line
            .map_or(String::new(), |line| format!("line {line}: "));
        let said = say::warning(&warning.code, warning.detail.as_deref());
        text += &format!("    {line}{said}\n");
    }
    text
}

/// Returns the number of warnings about the pin's resources, if there are any.
fn warned(context: &Context) -> Option<String> {
    let count: usize = context.resources.iter().map(|r| r.warnings.len()).sum();
    (count > 0).then(|| format!("{count}; `--resources` lists them"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::command::chat::state;

    const AGENT: &str = "01a22094-3a09-7e07-b182-bf8db57cbc40";

    /// Returns the state of a chat in `chat list`, and what `chat show` says of its drift.
    fn said(pin: &Value, is_archived: bool, is_agent_gone: bool) -> (String, String) {
        said_of(pin, is_archived, is_agent_gone, Some(AGENT))
    }

    fn said_of(
        pin: &Value,
        is_archived: bool,
        is_agent_gone: bool,
        agent: Option<&str>,
    ) -> (String, String) {
        let chat = json!({
            "id": "01a22094-3a09-7e07-b182-bf8db57cbc39", "title": "t", "agent_id": agent,
            "policy": "manual", "tools": "live", "archived": is_archived, "context": pin,
            "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z",
        });
        let mut context = pin.clone();
        for (name, value) in [
            ("head", Value::Null),
            ("resources", json!([])),
            ("changes", json!([])),
            ("notices", Value::Null),
            ("policy", json!("manual")),
            ("tools_differ", json!(false)),
        ] {
            context[name] = value;
        }
        let chat: Chat = serde_json::from_value(chat).unwrap();
        let context: Context = serde_json::from_value(context).unwrap();
        let page = Page {
            chat: &chat,
            context: &context,
            is_agent_gone,
            viewpoint: Viewpoint::here(),
            now: say::now(),
            is_named: false,
        };
        (state(&chat), page.drift())
    }

    fn clean_pin() -> Value {
        json!({
            "snapshot": "sha256:1", "context_hash": "sha256:2", "pinned_at": "2026-11-01T00:00:00Z",
            "dirty": false, "dirty_since": null, "declined": false, "error": null, "renderer": 2,
        })
    }

    #[test]
    fn a_chat_is_clean_only_as_far_as_its_agent_answers() {
        let check = |pin: &Value, is_agent_gone: bool, doubt: Option<&str>| {
            let (_, drift) = said(pin, false, is_agent_gone);
            assert_eq!(
                drift.contains("not known to be clean"),
                doubt.is_some(),
                "{drift}"
            );
            assert!(drift.contains(doubt.unwrap_or("clean")), "{drift}");
        };
        let mut pin = clean_pin();
        check(&pin, false, None);
        check(&pin, true, Some("its agent is gone"));
        pin["agent_refused"] = json!({ "limit": "content_bytes", "at": "2026-11-01T00:00:00Z" });
        check(&pin, true, Some("exceeded a limit (content_bytes)"));
    }

    #[test]
    fn a_chat_without_a_workspace_is_not_clean() {
        let (state, drift) = said_of(&clean_pin(), false, false, None);
        assert_eq!(state, "no workspace");
        assert!(drift.contains("it was deleted"), "{drift}");
        assert!(!drift.contains("clean"), "{drift}");
        let archived = said_of(&clean_pin(), true, false, None);
        assert_eq!(archived.0, "archived");
    }

    #[test]
    fn an_archived_chat_shows_no_drift() {
        let check = |pin: &Value, expected: &str| {
            let (state, drift) = said(pin, true, false);
            assert_eq!(state, expected);
            let archived = "archived: the chat keeps its pin, and shows no drift";
            assert!(drift.contains(archived), "{drift}");
            let undo = "ctxpin chat archive b57cbc39 --undo";
            assert!(drift.contains(undo), "{drift}");
        };
        let mut pin = clean_pin();
        check(&pin, "archived");
        pin["dirty"] = json!(true);
        pin["dirty_since"] = json!("2026-11-02T00:00:00Z");
        assert_eq!(said(&pin, false, false).0, "behind");
        check(&pin, "archived");
        pin["declined"] = json!(true);
        pin["error"] = json!("too many files");
        check(&pin, "scan incomplete, archived");
    }
}
