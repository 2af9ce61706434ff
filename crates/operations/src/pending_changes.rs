//! Pending changes: what drifted chats have not taken yet. Equal changes of several chats are one item, so that
//! their owner decides once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::diff::changes;
use ctxpin_model::diff::lines::LineCounts;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::mode::Mode;
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page, PageRequest};
use ctxpin_model::pending_change::{
    Comparison, PendingChange, PendingChangeCursor, PendingChangeId, PendingChanges, Place,
};
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_store::kept::LineCountCache;
pub use ctxpin_store::pending_changes::DriftedChat;
use ctxpin_store::pending_changes::RecentHead;

use crate::contexts::renderer_of;
use crate::error::{Error, Result};
use crate::line_counts::{COUNTING_TIME_MAX, ChangedTexts, Counting};
use crate::portions::portions;
use crate::prompts::weight;
use crate::service::Service;
use crate::workshop::{Watch, is_light};

/// The most drifted chats that one request compares, newest first.
const CHATS_MAX: usize = 10_000;

/// The most groups that one request compares. A group is all chats of one pin and one head.
const GROUPS_MAX: usize = 2_000;

/// The most chats of an item in a list. [`chats`] returns the others.
const CHATS_TOLD_MAX: usize = 20;

/// The most heads of an agent in which a list looks for the beginning of a change.
const HEADS_MAX: i64 = 16;

/// The most resources and files of these heads, of all agents together.
const HEAD_ENTRIES_MAX: u64 = 20_000;

/// The longest comparison of the snapshots that are in memory at a time.
const COMPARING_TIME_MAX: Duration = Duration::from_secs(5);

/// A page of pending changes.
#[derive(Debug, Clone)]
pub struct PendingList {
    pub page: Page<PendingItem, PendingChangeCursor>,
    /// The number of drifted chats.
    pub chat_count: usize,
    /// Whether all drifted chats were compared. Otherwise, only the newest were.
    pub is_complete: bool,
}

/// A pending change with some of its chats.
#[derive(Debug, Clone)]
pub struct PendingItem {
    pub change: PendingChange,
    /// When the first of its chats began to drift.
    pub since: Moment,
    pub chat_count: usize,
    /// How many of the chats are observed. Their clients take the change, and no request.
    pub observed_count: usize,
    /// The number of agents that the chats are bound to.
    pub workspace_count: usize,
    /// The number of changes that these chats have not taken, this one included. A chat that declines one declines
    /// all of them.
    pub change_count: usize,
    /// The number of lines that differ. `None` if the caller may not read texts of these chats, or if there is too
    /// much to compare at once.
    pub lines: Option<LineCounts>,
    /// The newest chats.
    pub chats: Vec<PendingChat>,
}

/// Some pending changes with the chats that have not taken them.
#[derive(Debug, Clone)]
pub struct PendingChoice {
    /// Leaves out changes that no chat waits for any more.
    pub changes: Vec<PendingChange>,
    /// Each chat once and with one of its places, newest first.
    pub chats: Vec<PendingChat>,
}

/// A chat that has not taken a pending change.
#[derive(Debug, Clone)]
pub struct PendingChat {
    pub drifted: DriftedChat,
    pub place: Place,
}

/// Returns a page of the pending changes of all chats that the caller may read, or with `own` of the caller's
/// chats only. The changes are in the order of the time at which their first chat drifted, newest first.
/// Archived chats and chats that declined the head have none.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already.
pub async fn list(
    service: &Service,
    credential: Credential,
    own: bool,
    page: &PageRequest<PendingChangeCursor>,
) -> Result<PendingList> {
    let collected = Collected::collect(service, credential, own).await?;
    let mut cursors: Vec<_> = collected
        .found
        .all()
        .filter_map(|change| {
            let since = collected.since(change)?;
            let id = change.id;
            Some(PendingChangeCursor { since, id })
        })
        .collect();
    cursors.sort_unstable_by(|a, b| b.cmp(a));
    let cursors = Page::of(page.of_sorted(cursors, |cursor| *cursor), page, |cursor| {
        *cursor
    });
    let items = cursors.items.iter();
    let items = items.filter_map(|cursor| collected.item(*cursor));
    let mut items: Vec<_> = items.collect();
    count_lines(service, credential, &mut items).await?;
    Ok(PendingList {
        page: cursors.with(items),
        chat_count: collected.groups.iter().map(|group| group.chats.len()).sum(),
        is_complete: collected.is_complete,
    })
}

/// A pending change with the newest of the chats that have not taken it.
pub type ChangeWithChats<'c> = (&'c PendingChange, &'c [PendingChat]);

/// Returns when each change came to the first of the workspaces of its 20 newest chats. `None` stands for a change of
/// which the newest heads of these workspaces do not tell.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn dates(
    service: &Service,
    credential: Credential,
    changes: &[ChangeWithChats<'_>],
) -> Result<Vec<Option<Moment>>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let newest = |chats: &&[PendingChat]| chats.len().min(CHATS_TOLD_MAX);
    let changes = changes.iter();
    let changes = changes.map(|(change, chats)| (*change, &chats[..newest(chats)]));
    let changes: Vec<_> = changes.collect();
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account = transaction
        .grant_account_within(&caller, Operation::PendingChangeList)
        .await?;
    let chats = changes.iter().flat_map(|(_, chats)| *chats);
    let chats = chats.map(|chat| &chat.drifted);
    let mut heads = account
        .recent_heads(&mut transaction, chats, HEADS_MAX)
        .await?;
    let ids = heads.iter().map(|head| head.snapshot).collect();
    let entries = account
        .snapshot_entry_counts(&mut transaction, &ids)
        .await?;
    let mut left = HEAD_ENTRIES_MAX;
    let fitting = heads.iter().take_while(|head| {
        let entries = entries.get(&head.snapshot).copied().unwrap_or_default();
        left = left.saturating_sub(1 + entries);
        left > 0
    });
    heads.truncate(fitting.count());
    let snapshots = account.snapshots_of_heads(&mut transaction, &heads).await?;
    drop(transaction);
    Ok(snapshots.disclose(|snapshots| {
        let dates = changes.iter().map(|(change, chats)| {
            let mut agents = BTreeSet::new();
            let dates = chats.iter().filter_map(|chat| {
                let agent = chat
                    .drifted
                    .chat
                    .agent
                    .filter(|agent| agents.insert(*agent))?;
                let heads = heads.iter().filter(|head| head.agent == agent);
                came_at(change, &chat.place, heads, snapshots)
            });
            dates.min()
        });
        dates.collect()
    }))
}

/// The chats that have not taken a pending change.
#[derive(Debug, Clone)]
pub struct ChatsOfChange {
    /// `None` if no chat has the change any more.
    pub change: Option<PendingChange>,
    pub page: Page<PendingChat, IdCursor>,
}

/// Returns a pending change with a page of the chats that have not taken it, newest first.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already.
pub async fn chats(
    service: &Service,
    credential: Credential,
    own: bool,
    id: PendingChangeId,
    page: &PageRequest<IdCursor>,
) -> Result<ChatsOfChange> {
    let collected = Collected::collect(service, credential, own).await?;
    let change = collected.found.get(id);
    let chats = change.map_or_else(Vec::new, |change| collected.chats(&change.places));
    let chats = page.of_sorted(chats, |(drifted, _)| drifted.chat.id.uuid());
    let chats = chats.into_iter().map(pending_chat).collect();
    let cursor = |chat: &PendingChat| chat.drifted.chat.id.uuid();
    Ok(ChatsOfChange {
        change: change.map(without_places),
        page: Page::of(chats, page, cursor),
    })
}

/// Returns some of the pending changes, and the newest chats that have not taken one of them, at most `limit`.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already.
pub async fn chats_of_any(
    service: &Service,
    credential: Credential,
    own: bool,
    ids: &[PendingChangeId],
    limit: usize,
) -> Result<PendingChoice> {
    let collected = Collected::collect(service, credential, own).await?;
    let changes = ids.iter().filter_map(|id| collected.found.get(*id));
    let changes: Vec<_> = changes.collect();
    let chats = collected.chats(changes.iter().flat_map(|change| &change.places));
    Ok(PendingChoice {
        chats: chats.into_iter().take(limit).map(pending_chat).collect(),
        changes: changes.into_iter().map(without_places).collect(),
    })
}

/// Returns a change as others than this module see it: the numbers of the groups mean nothing to them.
fn without_places(change: &PendingChange) -> PendingChange {
    PendingChange {
        places: Vec::new(),
        ..change.clone()
    }
}

fn pending_chat((drifted, place): (&DriftedChat, &Place)) -> PendingChat {
    PendingChat {
        drifted: drifted.clone(),
        place: place.clone(),
    }
}

/// The chats of one pin and one head, which are compared once.
struct Group {
    comparison: GroupKey,
    chats: Vec<DriftedChat>,
    /// When the first of them began to drift.
    since: Moment,
}

/// What the chats of a group have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey {
    pin: SnapshotId,
    head: SnapshotId,
    with_tools: bool,
    renderer: i64,
    mode: Mode,
}

impl GroupKey {
    fn sides(&self) -> [SnapshotId; 2] {
        [self.pin, self.head]
    }

    fn of(drifted: &DriftedChat) -> Option<Self> {
        let [pin, head] = drifted.snapshots()?;
        Some(Self {
            pin,
            head,
            with_tools: drifted.chat.tools.pins_tools(),
            renderer: renderer_of(&drifted.chat),
            mode: drifted.chat.mode,
        })
    }
}

/// Returns the groups of chats, in the order of their newest chats.
fn grouped(chats: Vec<DriftedChat>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<GroupKey, usize> = BTreeMap::new();
    for drifted in chats {
        let (Some(key), Some(drift)) = (GroupKey::of(&drifted), drifted.chat.drift()) else {
            continue;
        };
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Group {
                comparison: key,
                chats: Vec::new(),
                since: drift.since,
            });
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.since = group.since.min(drift.since);
        group.chats.push(drifted);
    }
    groups
}

type Snapshots = BTreeMap<SnapshotId, Arc<TreatedSnapshot>>;

/// The pending changes of all drifted chats.
struct Collected {
    groups: Arc<[Group]>,
    found: PendingChanges,
    is_complete: bool,
}

impl Collected {
    /// Reads the drifted chats and compares their pins with their heads. No transaction is open during a
    /// comparison. Each user collects once at a time.
    async fn collect(service: &Service, credential: Credential, own: bool) -> Result<Self> {
        let operation = Operation::PendingChangeList;
        let caller = service.caller(credential);
        let identified = service.database.identify(&caller, Some(operation)).await?;
        let user = identified.user().ok_or(Error::NotFound("account"))?;
        let slot = service.workshop.enter(user).await?;
        let mut transaction = service.database.read().await?;
        let mut account = transaction.grant_account_within(&caller, operation).await?;
        let limit = CHATS_MAX as i64 + 1;
        let mut chats = account.drifted_chats(&mut transaction, own, limit).await?;
        let mut is_complete = chats.len() <= CHATS_MAX;
        chats.truncate(CHATS_MAX);
        let mut groups = grouped(chats);
        is_complete &= groups.len() <= GROUPS_MAX;
        groups.truncate(GROUPS_MAX);
        let groups: Arc<[Group]> = groups.into();
        let mut found = PendingChanges::default();
        let sides = || groups.iter().map(|group| group.comparison.sides());
        let ids = sides().flatten().collect();
        let entries = account
            .snapshot_entry_counts(&mut transaction, &ids)
            .await?;
        let mut portions = portions(sides(), &entries).into_iter();
        while let Some(range) = portions.next() {
            let chats = groups[range.clone()].iter().map(|group| &group.chats[0]);
            let snapshots = account.snapshots_of(&mut transaction, chats).await?;
            drop(transaction);
            let bytes = snapshots.disclose(|snapshots| {
                let weights = snapshots.values().map(|snapshot| weight(snapshot));
                weights.sum::<u64>()
            });
            let compared = Arc::clone(&groups);
            let compare = move || snapshots.disclose(|all| compare(found, &compared, range, all));
            found = match is_light(bytes) {
                true => compare(),
                false => slot.run(COMPARING_TIME_MAX, |_| compare()).await?,
            };
            is_complete &= !found.is_full();
            if portions.len() == 0 || found.is_full() {
                break;
            }
            transaction = service.database.read().await?;
            account = transaction.grant_account_within(&caller, operation).await?;
        }
        Ok(Self {
            groups,
            found,
            is_complete,
        })
    }

    /// Returns when the first chat of a change began to drift.
    fn since(&self, change: &PendingChange) -> Option<Moment> {
        let groups = change.places.iter().map(|place| &self.groups[place.group]);
        groups.map(|group| group.since).min()
    }

    /// Returns the chats at these places, newest first. A chat at two of them occurs once, with the first.
    fn chats<'c>(
        &'c self,
        places: impl IntoIterator<Item = &'c Place>,
    ) -> Vec<(&'c DriftedChat, &'c Place)> {
        let mut groups = BTreeSet::new();
        let places = places.into_iter();
        let places = places.filter(|place| groups.insert(place.group));
        let mut chats: Vec<_> = places
            .flat_map(|place| {
                let chats = self.groups[place.group].chats.iter();
                chats.map(move |drifted| (drifted, place))
            })
            .collect();
        chats.sort_unstable_by_key(|(drifted, _)| std::cmp::Reverse(drifted.chat.id));
        chats
    }

    /// Returns how many changes the chats at these places have not taken.
    fn change_count(&self, places: &[Place]) -> usize {
        let groups: BTreeSet<_> = places.iter().map(|place| place.group).collect();
        let changes = self.found.all();
        let of_groups = changes.filter(|change| {
            let mut places = change.places.iter();
            places.any(|place| groups.contains(&place.group))
        });
        of_groups.count()
    }

    fn item(&self, cursor: PendingChangeCursor) -> Option<PendingItem> {
        let change = self.found.get(cursor.id)?;
        let chats = self.chats(&change.places);
        let workspaces: BTreeSet<_> = chats.iter().map(|(chat, _)| chat.chat.agent).collect();
        Some(PendingItem {
            since: cursor.since,
            chat_count: chats.len(),
            observed_count: chats
                .iter()
                .filter(|(chat, _)| chat.chat.mode.is_observed())
                .count(),
            workspace_count: workspaces.len(),
            change_count: self.change_count(&change.places),
            lines: None,
            chats: chats
                .into_iter()
                .take(CHATS_TOLD_MAX)
                .map(pending_chat)
                .collect(),
            change: without_places(change),
        })
    }
}

/// Returns when a change came to a workspace with these heads, the newest first: with the head since which the
/// workspace holds the same at the place of the change. `None` if that was before these heads.
fn came_at<'h>(
    change: &PendingChange,
    place: &Place,
    heads: impl IntoIterator<Item = &'h RecentHead>,
    snapshots: &Snapshots,
) -> Option<Moment> {
    let mut heads = heads.into_iter();
    let newest = heads.next()?;
    let mut first = newest;
    let newest = snapshots.get(&newest.snapshot)?;
    for head in heads {
        let snapshot = snapshots.get(&head.snapshot)?;
        if !change.is_same_at(place, newest, snapshot) {
            return Some(first.received_at);
        }
        first = head;
    }
    // No head is before the first one.
    (first.seq == 1).then_some(first.received_at)
}

/// An item of a list with the chat whose texts are counted, which is the caller's own.
type Counted<'i> = (&'i mut PendingItem, PendingChat);

/// Counts the lines that the changes add and remove, where one of the newest chats is the caller's own.
async fn count_lines(
    service: &Service,
    credential: Credential,
    items: &mut [PendingItem],
) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let operation = Operation::DiffRead;
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let mut account = transaction.grant_own_bodies(&caller, operation).await?;
    let user = account.owner();
    let mut own: Vec<Counted<'_>> = items
        .iter_mut()
        .filter_map(|item| {
            let mut chats = item.chats.iter();
            let chat = chats
                .find(|chat| chat.drifted.chat.owner == user)
                .cloned()?;
            Some((item, chat))
        })
        .collect();
    let sides = || {
        let sides = own.iter().map(|(_, chat)| chat.drifted.snapshots());
        sides.map(|sides| sides.into_iter().flatten())
    };
    let ids = sides().flatten().collect();
    let entries = account
        .snapshot_entry_counts(&mut transaction, &ids)
        .await?;
    let mut portions = portions(sides(), &entries).into_iter();
    while let Some(range) = portions.next() {
        let own = &mut own[range];
        let drifted = own.iter().map(|(_, chat)| &chat.drifted);
        let snapshots = account.drifted_snapshots(&mut transaction, drifted).await?;
        let kept = account.line_counts(&mut transaction)?;
        drop(transaction);
        count_portion(service, credential, own, snapshots, kept).await?;
        if portions.len() == 0 {
            break;
        }
        transaction = service.database.read().await?;
        account = transaction.grant_own_bodies(&caller, operation).await?;
    }
    Ok(())
}

/// Counts the lines of changes between these snapshots.
async fn count_portion(
    service: &Service,
    credential: Credential,
    own: &mut [Counted<'_>],
    snapshots: Snapshots,
    kept: Arc<LineCountCache>,
) -> Result<()> {
    let Some(user) = own.first().map(|(_, chat)| chat.drifted.chat.owner) else {
        return Ok(());
    };
    let chats: Vec<_> = own.iter().map(|(_, chat)| chat.clone()).collect();
    let bytes = snapshots.values().map(|snapshot| weight(snapshot)).sum();
    let snapshots = Arc::new(snapshots);
    let compared = Arc::clone(&snapshots);
    let plan = move |watch: &Watch| {
        let texts = chats
            .iter()
            .map(|chat| changed_texts(chat, &compared, watch));
        Counting::of(kept, texts.collect())
    };
    let workshop = &service.workshop;
    let counting = workshop.work(user, bytes, COUNTING_TIME_MAX, plan).await?;
    let mut bodies = Bodies::new();
    if !counting.blobs().is_empty() {
        let caller = service.caller(credential);
        let mut transaction = service.database.read().await?;
        let account = transaction
            .grant_own_bodies(&caller, Operation::DiffRead)
            .await?;
        bodies = account
            .bodies_of_all(&mut transaction, &snapshots, counting.blobs())
            .await?;
    }
    let bytes = counting.bytes();
    let count = move |watch: &Watch| counting.counts(&bodies, watch);
    let counts = workshop.work(user, bytes, COUNTING_TIME_MAX, count).await?;
    for ((item, _), lines) in own.iter_mut().zip(counts) {
        item.lines = lines;
    }
    Ok(())
}

/// Returns the texts of a chat's pending change.
fn changed_texts(chat: &PendingChat, snapshots: &Snapshots, watch: &Watch) -> ChangedTexts {
    let sides = chat.drifted.snapshots();
    let sides = sides.map(|sides| sides.map(|id| snapshots.get(&id)));
    let Some([Some(pinned), Some(head)]) = sides else {
        return ChangedTexts::default();
    };
    let with_tools = chat.drifted.chat.tools.pins_tools();
    let changes = changes(pinned, head, with_tools);
    let of_place = changes.iter().filter(|change| {
        let resource = change.head.or(change.pinned).map(Resource::id);
        resource == chat.place.resource
    });
    ChangedTexts::of(of_place, watch.deadline())
}

/// Adds the changes of some groups.
fn compare(
    mut found: PendingChanges,
    groups: &[Group],
    range: Range<usize>,
    snapshots: &Snapshots,
) -> PendingChanges {
    for index in range {
        let key = groups[index].comparison;
        let sides = (snapshots.get(&key.pin), snapshots.get(&key.head));
        let (Some(pinned), Some(head)) = sides else {
            continue;
        };
        let comparison = Comparison {
            pinned,
            head,
            with_tools: key.with_tools,
            renderer: key.renderer,
            mode: key.mode,
        };
        found.add(index, comparison);
    }
    found
}
