//! What helps a chat whose client reads files by itself: that the client reads them anew.

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::evidence::{EvidenceView, Remedy};
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
        if !chat.mode.is_observed() {
            return Self {
                words: "If its client reads the workspace by itself, switch that off, or make the chat observed in Mode, \
                        policy, tools and workspace."
                    .to_owned(),
                command: None,
            };
        }
        let results = evidence.iter().flat_map(|view| &view.resources);
        let results = results.map(|result| (result.path.as_deref(), result.outcome));
        let remedies = Remedy::of(results);
        let words = remedies.iter().map(|remedy| words(*remedy, chat));
        Self {
            words: words.collect::<Vec<_>>().join(" "),
            command: resume_command(chat).filter(|_| remedies.contains(&Remedy::ReadAnew)),
        }
    }
}

fn words(remedy: Remedy, chat: &ChatRecord) -> String {
    let words = match remedy {
        Remedy::TakeAway => {
            "The client gave a text that no snapshot has. If its file should not be there, take it away. If it belongs to \
             the workspace, add it to the scan with ctxpin source add."
        }
        Remedy::Mend => {
            "The client gave a file or a skill that cannot be pinned. The page of the workspace says why."
        }
        Remedy::LetGive => {
            "The client did not give a text that was due. Look for a variable, an option or a setting that has it leave \
             files out."
        }
        Remedy::NewSession => {
            "The conversation goes on with an earlier text, which a resumption does not take back. Begin a new session."
        }
        Remedy::ReadAnew => {
            let when = reading::next_reading(chat.client.as_deref());
            return format!("The client reads its files anew {when}, and the pin moves with them.");
        }
    };
    words.to_owned()
}
