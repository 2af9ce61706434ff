//! Chats, as their owner moves and reads them.

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::chat::{ChatChange, ChatCreate};
use ctxpin_model::client_event::{ClientEvent, ClientMessage};
use ctxpin_model::compose::Selector;
use ctxpin_model::context::ContextView;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::history::{HistoryEntry, HistoryRequest, PinRecord};
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::mode::Mode;
use ctxpin_model::page::{PAGE_ITEMS_MAX, PageRequest};
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::policy::Policy;
use ctxpin_model::token::Credential;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_model::turn::TurnRecord;
use ctxpin_model::turn::TurnRequest;
use ctxpin_model::turn::{TurnBegun, TurnContext};
use ctxpin_operations::chats;
use ctxpin_operations::contexts;
use ctxpin_operations::error::Error;
use ctxpin_operations::history;
use ctxpin_operations::pins;
use ctxpin_operations::prompts;
use ctxpin_operations::service::Service;
use ctxpin_operations::starts;
use ctxpin_operations::turns;

/// Returns a request for a chat that is bound to an agent.
pub fn bound_to(agent: AgentId) -> ChatCreate {
    ChatCreate {
        agent: Some(agent),
        ..ChatCreate::default()
    }
}

/// A chat in the hands of its owner.
#[derive(Clone)]
pub struct TestChat {
    /// The service of the chat.
    pub service: Service,
    /// The token of the requests.
    pub owner: Credential,
    pub id: ChatId,
}

/// Returns the context that a turn gives to a caller who may read it.
pub fn given(view: &TurnBegun) -> &TurnContext {
    view.given.as_ref().expect("the token may read")
}

impl TestChat {
    /// Creates a chat.
    pub async fn create(
        service: &Service,
        owner: Credential,
        request: &ChatCreate,
    ) -> Result<Self, Error> {
        let (chat, _) = chats::create(service, owner, request).await?;
        Ok(Self {
            service: service.clone(),
            owner,
            id: chat.id,
        })
    }

    /// Creates a chat that is bound to an agent.
    pub async fn bound(service: &Service, owner: Credential, agent: AgentId) -> Self {
        Self::create(service, owner, &bound_to(agent))
            .await
            .expect("a chat")
    }

    /// Returns the chat as it is now.
    pub async fn record(&self) -> ChatRecord {
        let read = chats::read(&self.service, self.owner, self.id).await;
        read.expect("the chat is there")
    }

    /// Returns the chat's pin and its drift.
    pub async fn context(&self) -> ContextView {
        let read = contexts::read(&self.service, self.owner, self.id).await;
        read.expect("the chat is there")
    }

    /// Returns the pinned snapshot.
    pub async fn snapshot(&self) -> Option<SnapshotId> {
        self.record().await.pin.map(|pin| pin.pin.snapshot)
    }

    /// Returns the hash of the pinned prompt.
    pub async fn prompt_hash(&self) -> Option<BlobHash> {
        self.record().await.pin.map(|pin| pin.pin.prompt.prompt)
    }

    /// Returns the pinned prompt. It is empty if the chat is unpinned.
    pub async fn prompt(&self) -> String {
        let read = prompts::prompt(&self.service, self.owner, self.id, None).await;
        let bytes = read.expect("the chat is there").bytes.unwrap_or_default();
        String::from_utf8(bytes.into()).expect("a prompt is text")
    }

    /// Returns whether the chat has drifted.
    pub async fn is_dirty(&self) -> bool {
        self.record().await.drift().is_some()
    }

    /// Returns every entry of the chat's history, oldest first.
    pub async fn entries(&self) -> Vec<HistoryEntry> {
        let mut request = HistoryRequest::newest(PAGE_ITEMS_MAX);
        let mut entries = Vec::new();
        loop {
            let read = history::list(&self.service, self.owner, self.id, request).await;
            let read = read.expect("the chat is there");
            entries.extend(read.items);
            match read.next {
                Some(next) => request.page = request.page.on(next),
                None => break,
            }
        }
        entries.reverse();
        entries
    }

    /// Returns every move of the chat's history, oldest first.
    pub async fn history(&self) -> Vec<PinRecord> {
        let entries = self.entries().await.into_iter();
        entries.filter_map(HistoryEntry::into_move).collect()
    }

    /// Returns the reasons in the chat's history, oldest first, with blanks between them.
    pub async fn reasons(&self) -> String {
        let history = self.history().await;
        let reasons: Vec<_> = history.iter().map(|pin| pin.reason.as_str()).collect();
        reasons.join(" ")
    }

    /// Moves the pin.
    pub async fn move_to(&self, request: PinMove) -> Result<ContextView, Error> {
        pins::pin_move(&self.service, self.owner, self.id, &request, None).await
    }

    /// Moves the pin to the present head.
    pub async fn refresh(&self) -> Result<ContextView, Error> {
        self.move_to(PinMove::Refresh { head: None }).await
    }

    /// Takes these sources, of any kind, from the head.
    pub async fn take(&self, sources: &[&str]) -> Result<ContextView, Error> {
        let selectors = sources.iter().map(|source| Selector {
            subject: None,
            source: (*source).into(),
        });
        self.take_selected(selectors.collect()).await
    }

    /// Takes the selected resources from the head.
    pub async fn take_selected(&self, selectors: Vec<Selector>) -> Result<ContextView, Error> {
        let head = None;
        self.move_to(PinMove::Sources { selectors, head }).await
    }

    /// Declines the present head.
    pub async fn decline(&self) -> Result<ContextView, Error> {
        let head = self.record().await.head.expect("there is a head");
        self.move_to(PinMove::Decline(head.snapshot)).await
    }

    /// Takes back that the present head was declined.
    pub async fn undecline(&self) -> Result<ContextView, Error> {
        let head = self.record().await.head.expect("there is a head");
        self.move_to(PinMove::Undecline(head.snapshot)).await
    }

    /// Rolls back to a snapshot of the history.
    pub async fn rollback(&self, snapshot: SnapshotId) -> Result<ContextView, Error> {
        self.move_to(PinMove::Rollback(snapshot)).await
    }

    /// Clears the pin.
    pub async fn clear(&self) -> Result<ContextView, Error> {
        pins::pin_clear(&self.service, self.owner, self.id, None).await
    }

    /// Changes the chat.
    pub async fn change(&self, change: ChatChange) -> Result<ChatRecord, Error> {
        chats::change(&self.service, self.owner, self.id, &change).await
    }

    /// Binds the chat to an agent, or to none.
    pub async fn bind(&self, agent: Option<AgentId>) -> Result<ChatRecord, Error> {
        self.change(ChatChange {
            agent: Some(agent),
            ..ChatChange::default()
        })
        .await
    }

    /// Archives the chat, or unarchives it.
    pub async fn archive(&self, archived: bool) -> Result<ChatRecord, Error> {
        self.change(ChatChange {
            archived: Some(archived),
            ..ChatChange::default()
        })
        .await
    }

    /// Changes the chat's policy.
    pub async fn policy(&self, policy: Policy) -> Result<ChatRecord, Error> {
        self.change(ChatChange {
            policy: Some(policy),
            ..ChatChange::default()
        })
        .await
    }

    /// Changes the chat's tools mode.
    pub async fn tools(&self, tools: ToolsMode) -> Result<ChatRecord, Error> {
        self.change(ChatChange {
            tools: Some(tools),
            ..ChatChange::default()
        })
        .await
    }

    /// Changes the chat's mode.
    pub async fn mode(&self, mode: Mode) -> Result<ChatRecord, Error> {
        self.change(ChatChange {
            mode: Some(mode),
            ..ChatChange::default()
        })
        .await
    }

    /// Tells of an event in the chat's client, with the head of a scan that was awaited for it.
    pub async fn start(
        &self,
        event: ClientEvent,
        head: Option<SnapshotId>,
    ) -> Result<ChatRecord, Error> {
        let message = ClientMessage { event, head };
        starts::start(&self.service, self.owner, self.id, message).await
    }

    /// Begins a turn. Its delivery is what the chat's mode says.
    pub async fn turn(&self) -> Result<TurnBegun, Error> {
        let request = TurnRequest {
            reference: None,
            delivery: None,
        };
        turns::begin(&self.service, self.owner, self.id, &request).await
    }

    /// Begins a turn with a reference and a delivery.
    pub async fn turn_as(
        &self,
        reference: Option<&str>,
        delivery: Delivery,
    ) -> Result<TurnBegun, Error> {
        let request = TurnRequest {
            reference: reference.map(Into::into),
            delivery: Some(delivery),
        };
        turns::begin(&self.service, self.owner, self.id, &request).await
    }

    /// Returns the chat's turns, oldest first.
    pub async fn turns(&self) -> Vec<TurnRecord> {
        let page = PageRequest::newest(PAGE_ITEMS_MAX);
        let read = turns::list(&self.service, self.owner, self.id, &page).await;
        let mut turns = read.expect("the chat is there").items;
        turns.reverse();
        turns
    }

    /// Deletes the chat.
    pub async fn delete(&self) -> Result<(), Error> {
        chats::delete(&self.service, self.owner, self.id).await
    }
}
