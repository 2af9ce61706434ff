//! What helps a chat whose client reads files by itself: to resume the session, so that the client reads them anew.

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::profile::Profile;

/// Returns the command that resumes the session of an observed chat. `None` if the chat does not say which tool and
/// which session it is.
pub(super) fn resume_command(chat: &ChatRecord) -> Option<String> {
    let client = chat.client.as_deref().filter(|_| chat.mode.is_observed());
    let session = chat.reference.as_deref().filter(|text| is_plain(text))?;
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

/// What to do about a turn that deviates.
pub(super) struct Advice {
    pub words: &'static str,
    pub command: Option<String>,
}

impl Advice {
    /// Returns what to do if the last turn of a chat with evidence deviates.
    pub fn of(chat: &ChatRecord) -> Self {
        let words = match chat.mode.is_observed() {
            true => {
                "Resume the session in its client: the client reads its files anew, and the pin moves with them."
            }
            false => {
                "If its client reads the workspace by itself, switch that off, or make the chat observed in Mode, policy and workspace."
            }
        };
        Self {
            words,
            command: resume_command(chat),
        }
    }
}
