//! Lists of an owner's agents and chats, read once for all watchers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, UserId};
use ctxpin_model::page::{IdCursor, Page};
use tokio::time::Instant;

use crate::error::Result;

/// The most cached pages of a list. Watchers read about the same pages at about the same time.
const PAGES_KEPT: usize = 8;

/// The lists of the owners who have watchers.
#[derive(Default)]
pub(super) struct Lists(Mutex<HashMap<UserId, Weak<OwnLists>>>);

/// The lists of one owner.
pub(crate) struct OwnLists {
    /// When the first watcher came. The reads without a hint are scheduled from here, so all watchers read at
    /// the same moments.
    pub since: Instant,
    pub agents: Pages<AgentRecord>,
    /// The unarchived chats.
    pub chats: Pages<ChatRecord>,
}

/// The most recently read pages of a list.
pub(crate) struct Pages<T>(tokio::sync::Mutex<VecDeque<Kept<T>>>);

/// The place of a page: the agent whose chats are listed (`None` for all), and the cursor.
type Place = (Option<AgentId>, Option<IdCursor>);

struct Kept<T> {
    place: Place,
    read_at: Instant,
    page: Arc<Page<T, IdCursor>>,
}

impl Lists {
    /// Returns the lists of an owner, which live as long as a watcher holds them.
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
    /// Returns a page as of `since` or later, and whether `read` was used to get it. One watcher reads at a
    /// time, and the others wait for its result.
    ///
    /// # Errors
    ///
    /// Returns the errors of `read`.
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
