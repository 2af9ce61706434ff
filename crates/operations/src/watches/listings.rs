//! The lists of an owner's things, read once for all who watch them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, UserId};
use ctxpin_model::page::{IdCursor, Page};
use tokio::time::Instant;

use crate::error::Result;

/// Most pages that are kept of a list: watchers read about the same ones at about the same time.
const PAGES_KEPT: usize = 8;

/// The lists of those owners whose things are watched.
#[derive(Default)]
pub(crate) struct Listings(Mutex<HashMap<UserId, Weak<OwnLists>>>);

/// What an owner has.
pub(super) struct OwnLists {
    /// Since when this is kept: from here the looks without a hint are counted, so that all watchers look
    /// at the same moments.
    pub since: Instant,
    /// Their agents.
    pub agents: Pages<AgentRecord>,
    /// Their unarchived chats.
    pub chats: Pages<ChatRecord>,
}

/// Pages of a list that were read lately.
pub(super) struct Pages<T>(tokio::sync::Mutex<VecDeque<Kept<T>>>);

/// Which page: of the chats of one agent, or of all.
pub(super) type Place = (Option<AgentId>, Option<IdCursor>);

struct Kept<T> {
    place: Place,
    read_at: Instant,
    page: Arc<Page<T, IdCursor>>,
}

impl Listings {
    /// The lists of an owner, for as long as somebody has them.
    pub(super) fn of(&self, owner: UserId) -> Arc<OwnLists> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lists) = kept.get(&owner).and_then(Weak::upgrade) {
            return lists;
        }
        kept.retain(|_, lists| lists.strong_count() > 0);
        let lists = Arc::new(OwnLists {
            since: Instant::now(),
            agents: Pages(tokio::sync::Mutex::default()),
            chats: Pages(tokio::sync::Mutex::default()),
        });
        kept.insert(owner, Arc::downgrade(&lists));
        lists
    }
}

impl<T> Pages<T> {
    /// Returns a page as it was at `since` or later, and whether it was read for this. One watcher reads at a
    /// time; the others wait for what it finds.
    pub async fn page(
        &self,
        place: Place,
        since: Instant,
        read: impl Future<Output = Result<Page<T, IdCursor>>>,
    ) -> Result<(Arc<Page<T, IdCursor>>, bool)> {
        let mut kept = self.0.lock().await;
        let found = kept.iter().find(|kept| kept.place == place);
        if let Some(found) = found.filter(|found| found.read_at >= since) {
            return Ok((Arc::clone(&found.page), false));
        }
        let read_at = Instant::now();
        let page = Arc::new(read.await?);
        kept.retain(|kept| kept.place != place);
        kept.push_back(Kept {
            place,
            read_at,
            page: Arc::clone(&page),
        });
        if kept.len() > PAGES_KEPT {
            kept.pop_front();
        }
        Ok((page, true))
    }
}
