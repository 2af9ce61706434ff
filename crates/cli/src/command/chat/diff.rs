//! `ctxpin chat diff`.

use clap::Args;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::diff::{ChangeText, Diff as Differences, DiffQuery};

use super::{drift, settings, show};
use crate::chat_choice::{self, ChatArgument};
use crate::command::Output;
use crate::connect::Connected;
use crate::say::{self, Failure, Viewpoint};

/// Show the lines that differ between the pin and the agent's latest push
#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    chat: ChatArgument,
    /// Compare from this pin of the chat's history instead (`ctxpin chat history`)
    #[arg(long, value_name = "NUMBER", requires = "to")]
    from: Option<i64>,
    /// Compare to this pin of the chat's history
    #[arg(long, value_name = "NUMBER", requires = "from")]
    to: Option<i64>,
    #[command(flatten)]
    output: Output,
}

impl Diff {
    /// Prints the lines that differ.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        let query = DiffQuery {
            from: self.from,
            to: self.to,
            ..DiffQuery::default()
        };
        let mut diff = connected.client.diff(chat, &query).await?;
        if self.output.json {
            for index in 0..diff.changes.len() {
                if let Some(change) = rest(connected, chat, &query, &diff, index).await? {
                    diff.changes[index] = change;
                }
            }
            return say::print_json(&diff);
        }
        if diff.changes.is_empty() {
            let told = match (self.from, &diff.head) {
                (None, None) => nothing_to_compare(&connected.client.chat(chat).await?),
                _ => "no differences",
            };
            say::note(told);
            return Ok(());
        }
        let viewpoint = Viewpoint::here();
        for (index, change) in diff.changes.iter().enumerate() {
            match rest(connected, chat, &query, &diff, index).await? {
                Some(change) => print(&change, &viewpoint)?,
                None => print(change, &viewpoint)?,
            }
        }
        if let (None, Some(head)) = (self.from, &diff.head) {
            let observed = connected.client.chat(chat).await?;
            let observed = Some(observed).filter(settings::is_observed);
            let chat = match self.chat.named() {
                Some(_) => format!(" {}", say::id(chat.uuid())),
                None => String::new(),
            };
            say::note(&match observed {
                Some(chat) => settings::taken_by_client(&chat, "these changes"),
                None => format!(
                    "`ctxpin chat refresh{chat} --head {}` takes exactly these changes",
                    say::hash(head)
                ),
            });
        }
        Ok(())
    }
}

/// Returns why there is no head.
fn nothing_to_compare(chat: &Chat) -> &'static str {
    match chat.agent_id {
        None => {
            "nothing to compare the pin with: the chat is bound to no workspace; `ctxpin chat bind` binds it"
        }
        Some(_) => "nothing to compare the pin with: the chat's agent has not pushed anything yet",
    }
}

/// Requests the rest of a change that the first response cut short.
async fn rest(
    connected: &Connected,
    chat: ChatId,
    query: &DiffQuery,
    first: &Differences,
    index: usize,
) -> Result<Option<ChangeText>, Failure> {
    let change = &first.changes[index];
    if !change.more {
        return Ok(None);
    }
    let query = DiffQuery {
        resource: change.id.clone(),
        ..query.clone()
    };
    let alone = connected.client.diff(chat, &query).await?;
    let is_same = (&alone.pinned, &alone.head) == (&first.pinned, &first.head);
    let mut told = alone.changes.into_iter();
    let found = told.find(|told| is_same && !told.more && told.id == change.id);
    found.map(Some).ok_or_else(|| {
        Failure::new("the pin or the head moved while the diff was read; run the command again")
    })
}

/// Prints a change. On a terminal, lines have colours and control characters are escaped;
/// elsewhere, they are printed as they are.
fn print(change: &ChangeText, viewpoint: &Viewpoint) -> Result<(), Failure> {
    let heading = drift::line(&change.change, viewpoint);
    say::print(&format!("{}\n", say::paint(say::BOLD, &heading)))?;
    if let Some(head) = &change.change.head {
        say::print(&show::details_of_change(head))?;
    }
    let Some(text) = &change.text else {
        return Ok(());
    };
    match say::is_terminal() {
        true => say::print(&coloured(text))?,
        false => say::print_bytes(text.as_bytes())?,
    }
    if !text.ends_with('\n') {
        say::print("\n")?;
    }
    Ok(())
}

fn coloured(text: &str) -> String {
    let mut coloured = String::with_capacity(text.len() * 2);
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        let shown = say::text(line);
        coloured += &match line.as_bytes() {
            [b'+', b'+', b'+', b' ', ..] | [b'-', b'-', b'-', b' ', ..] => {
                say::paint(say::BOLD, &shown)
            }
            [b'+', ..] => say::paint(say::ADDED, &shown),
            [b'-', ..] => say::paint(say::REMOVED, &shown),
            [b'@', b'@', ..] => say::paint(say::HUNK, &shown),
            _ => shown.into_owned(),
        };
        coloured += end;
    }
    coloured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_coloured_and_cannot_steer_a_terminal() {
        let text = "@@ -1 +1 @@\n-old\n+new\u{1b}[2J\n same";
        let told = coloured(text);
        assert!(!told.contains("\u{1b}[2J"));
        assert!(told.contains("new\\u{1b}[2J"));
        assert!(told.ends_with("\n same"));
        assert!(told.contains(&say::paint(say::REMOVED, "-old")));
    }
}
