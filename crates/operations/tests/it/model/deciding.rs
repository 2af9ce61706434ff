//! Decisions about a head that leave the pin where it is.

use ctxpin_model::history::Decision;
use ctxpin_model::moment::Moment;
use ctxpin_model::tools_mode::ToolsMode;

use super::content::Content;
use super::lifecycle::{Answer, Lifecycle};
use super::steps::Seen;

/// A decision about a head that left the pin where it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The number of the pin.
    pub pin: usize,
    pub decision: Decision,
    pub head: Content,
    pub at: Moment,
}

impl Lifecycle {
    pub fn decline(&mut self, chat: usize, head: Seen, at: Moment) -> Answer {
        if let Some(refused) = self.demand(chat, Some(head), Seen::Any) {
            return refused;
        }
        if self.chats[chat].pin().is_none() {
            return Answer::Refused("invalid");
        }
        let head = self.head_of(&self.chats[chat]).cloned();
        let declined = self.chats[chat].declined.as_ref();
        let is_new = match (declined, &head) {
            (Some(declined), Some(head)) => !declined.same(head, ToolsMode::Pinned),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_new {
            self.decide(chat, Decision::Decline, head, at);
        }
        Answer::Done
    }

    fn decide(&mut self, chat: usize, decision: Decision, head: Option<Content>, at: Moment) {
        let chat = &mut self.chats[chat];
        chat.decisions.extend(head.clone().map(|head| Decided {
            pin: chat.history.len(),
            decision,
            head,
            at,
        }));
        chat.declined = head.filter(|_| decision == Decision::Decline);
    }

    pub fn undecline(&mut self, chat: usize, head: Seen, at: Moment) -> Answer {
        if let Some(refused) = self.demand(chat, Some(head), Seen::Any) {
            return refused;
        }
        let drift = self.drift_of(&self.chats[chat]);
        if drift.is_some_and(|drift| drift.is_declined) {
            let head = self.head_of(&self.chats[chat]).cloned();
            self.decide(chat, Decision::Undecline, head, at);
        }
        Answer::Done
    }
}
