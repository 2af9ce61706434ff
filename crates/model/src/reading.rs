//! When the clients of observed chats read their files anew, and how a person brings that about.

use crate::client_event::ClientEvent;
use crate::profile::Profile;

/// Returns when a client next reads its files, as the end of a sentence about the client. `client` is the name of a chat's
/// client.
pub fn next_reading(client: Option<&str>) -> &'static str {
    match ClientEvent::Turn.is_read_by(client) {
        true => "with the next prompt of its session",
        false => "when its session is resumed",
    }
}

/// Returns when the clients of several chats take a change by themselves, as the end of a sentence: one of them is "its
/// client", more are "their clients". `clients` are their names.
pub fn taken_by_clients<'c>(clients: impl IntoIterator<Item = Option<&'c str>>) -> &'static str {
    let (mut at_prompts, mut at_resumptions) = (0_usize, 0_usize);
    for client in clients {
        match ClientEvent::Turn.is_read_by(client) {
            true => at_prompts += 1,
            false => at_resumptions += 1,
        }
    }
    match (at_prompts, at_resumptions) {
        (0, 1) => "its client takes that when its session is resumed",
        (1, 0) => "its client takes that with the next prompt of its session",
        (0, _) => "their clients take that when their sessions are resumed",
        (_, 0) => "their clients take that with the next prompts of their sessions",
        (_, _) => {
            "their clients take that when their sessions are resumed or, if they read at each prompt, with the next one"
        }
    }
}

/// Returns the command that resumes a session. `None` if the client is none that is known, or the session is not one
/// plain word.
pub fn resume_command(client: Option<&str>, session: Option<&str>) -> Option<String> {
    let session = session.filter(|text| is_plain(text))?;
    match client?.parse().ok()? {
        Profile::ClaudeCode => Some(format!("claude --resume {session}")),
        Profile::Codex => Some(format!("codex resume {session}")),
        Profile::Opencode => Some(format!("opencode --session {session}")),
        Profile::Neutral => None,
    }
}

/// Returns whether a text is one word of a command in every shell, and no option.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_reads_at_each_prompt_is_not_resumed() {
        let check = |client: Option<&str>, expected: &str| {
            assert_eq!(next_reading(client), expected, "{client:?}");
        };
        check(Some("claude-code"), "when its session is resumed");
        check(Some("codex"), "when its session is resumed");
        check(Some("opencode"), "with the next prompt of its session");
        check(None, "with the next prompt of its session");
    }

    #[test]
    fn clients_that_read_at_different_times_are_told_apart() {
        let check = |clients: &[Option<&str>], expected: &str| {
            assert_eq!(
                taken_by_clients(clients.iter().copied()),
                expected,
                "{clients:?}"
            );
        };
        let (claude, codex, opencode) = (Some("claude-code"), Some("codex"), Some("opencode"));
        check(
            &[codex],
            "its client takes that when its session is resumed",
        );
        check(
            &[opencode],
            "its client takes that with the next prompt of its session",
        );
        check(
            &[claude, codex],
            "their clients take that when their sessions are resumed",
        );
        check(
            &[opencode, None],
            "their clients take that with the next prompts of their sessions",
        );
        check(
            &[opencode, claude],
            "their clients take that when their sessions are resumed or, if they read at each prompt, with the next one",
        );
    }

    #[test]
    fn a_command_resumes_a_plain_session() {
        let check = |client: &str, session: Option<&str>, expected: Option<&str>| {
            let command = resume_command(Some(client), session);
            assert_eq!(command.as_deref(), expected, "{client} {session:?}");
        };
        check("claude-code", Some("s-1"), Some("claude --resume s-1"));
        check("codex", Some("s-1"), Some("codex resume s-1"));
        check("opencode", Some("ses_1"), Some("opencode --session ses_1"));
        check("aider", Some("s-1"), None);
        check("codex", None, None);
        for hostile in ["", "-s", "s 1", "s;ls", "$(ls)", "s/../1", "s\n"] {
            check("codex", Some(hostile), None);
        }
    }
}
