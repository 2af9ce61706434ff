//! What helps a chat whose client reads files by itself: that the client reads them anew.

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::evidence::{EvidenceView, Outcome};
use ctxpin_model::reading;

/// Returns the command that resumes the session of an observed chat. `None` if the chat does not say which tool and
/// which session it is.
pub(super) fn resume_command(chat: &ChatRecord) -> Option<String> {
    let client = chat.client.as_deref().filter(|_| chat.mode.is_observed());
    reading::resume_command(client, chat.reference.as_deref())
}

/// What to do about a turn that deviates.
pub(super) struct Advice {
    pub words: String,
    pub command: Option<String>,
}

impl Advice {
    /// Returns what to do if the last turn of a chat with evidence deviates.
    pub fn of(chat: &ChatRecord, evidence: Option<&EvidenceView>) -> Self {
        let results = evidence.iter().flat_map(|view| &view.resources);
        let is_foreign_alone = Outcome::is_foreign_alone(results.map(|result| result.outcome));
        let words = match chat.mode.is_observed() {
            true if is_foreign_alone => format!(
                "The client gave a text that no snapshot has. If its file should not be there, take it away. If it belongs \
                 to the workspace, add it to the scan with ctxpin source add. The client reads its files anew {}.",
                reading::next_reading(chat.client.as_deref())
            ),
            true => format!(
                "The client reads its files anew {}, and the pin moves with them.",
                reading::next_reading(chat.client.as_deref())
            ),
            false => {
                "If its client reads the workspace by itself, switch that off, or make the chat observed in Mode, policy and workspace.".to_owned()
            }
        };
        Self {
            words,
            command: resume_command(chat),
        }
    }
}
