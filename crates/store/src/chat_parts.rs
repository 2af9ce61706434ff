//! Parts of the list of chats, for a person who goes through it both ways.

use std::collections::{BTreeMap, BTreeSet};

use ctxpin_model::chat::{ChatFilter, ChatPlace, ChatSummary, ChatsPart};
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::page::ListPart;

use crate::chat_times::{first_other_at, made_at};
use crate::chats::{JOINS, conditions, of_ids, select_summary};
use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, object::Account};
use crate::query::Query;

/// Adds the row of a place after `words`.
fn beside<'q>(query: Query<'q>, words: &'static str, place: ChatPlace) -> Query<'q> {
    let query = query
        .push(words)
        .value_optional(place.drifted_since.as_ref());
    query.push(", ").value(&place.chat).push(")")
}

/// Reads the ids of a part of the drifted chats, the longest drifted first, each with its number in the list. The part
/// before a place comes in the reverse order.
async fn part_by_drift(
    transaction: &mut Transaction,
    owner: Option<&UserId>,
    filter: &ChatFilter,
    part: ListPart<ChatPlace>,
    limit: i64,
) -> Result<Vec<(ChatId, u64)>> {
    let query = transaction.query(
        "select w.id, w.place from (select v.id, v.since, row_number() over (order by v.since, v.id) as place \
         from (select c.id as id, coalesce(",
    );
    let query = query
        .push(first_other_at!())
        .push(", ")
        .push(made_at!())
        .push(") as since from chats c")
        .push(JOINS);
    let query = conditions(query, owner, filter).push(") v) w");
    let query = match part {
        ListPart::First => query.push(" order by w.place"),
        ListPart::After(place) => {
            beside(query, " where (w.since, w.id) > (", place).push(" order by w.place")
        }
        ListPart::Before(place) => {
            beside(query, " where (w.since, w.id) < (", place).push(" order by w.place desc")
        }
    };
    let query = query.push(" limit ").value(&limit);
    query.all(|row| Ok((row.take()?, row.take()?))).await
}

/// Reads the ids of a part of the chats, the newest first.
async fn part_by_id(
    transaction: &mut Transaction,
    owner: Option<&UserId>,
    filter: &ChatFilter,
    part: ListPart<ChatPlace>,
    limit: i64,
) -> Result<Vec<ChatId>> {
    let query = transaction.query("select c.id from chats c").push(JOINS);
    let query = conditions(query, owner, filter);
    let query = match part {
        ListPart::First => query.push(" order by c.id desc"),
        ListPart::After(place) => {
            let query = query.push(" and c.id < ").value(&place.chat);
            query.push(" order by c.id desc")
        }
        ListPart::Before(place) => {
            let query = query.push(" and c.id > ").value(&place.chat);
            query.push(" order by c.id")
        }
    };
    query
        .push(" limit ")
        .value(&limit)
        .all(|row| row.take())
        .await
}

/// Returns how many chats of a filter are newer than a chat.
async fn newer_count(
    transaction: &mut Transaction,
    owner: Option<&UserId>,
    filter: &ChatFilter,
    chat: ChatId,
) -> Result<u64> {
    let query = transaction
        .query("select cast(count(*) as bigint) from chats c")
        .push(JOINS);
    let query = conditions(query, owner, filter).push(" and c.id > ");
    query.value(&chat).one(|row| row.take()).await
}

/// Returns how many chats of a filter are bound to each of these agents, and how many to none.
async fn count_by_agent(
    transaction: &mut Transaction,
    owner: Option<&UserId>,
    filter: &ChatFilter,
    agents: &BTreeSet<AgentId>,
) -> Result<BTreeMap<Option<AgentId>, u64>> {
    let query = transaction
        .query("select c.agent_id, cast(count(*) as bigint) from chats c")
        .push(JOINS);
    let mut query = conditions(query, owner, filter).push(" and (c.agent_id is null");
    if !agents.is_empty() {
        query = query.push(" or c.agent_id in ").list(agents);
    }
    let query = query.push(") group by c.agent_id");
    let counts = query.all(|row| Ok((row.take()?, row.take()?))).await?;
    Ok(counts.into_iter().collect())
}

impl<R> Granted<Account, R> {
    /// Returns a part of the chats that the caller may read, in the order of [`ChatPlace`].
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chats_part(
        &self,
        transaction: &mut Transaction,
        filter: &ChatFilter,
        part: ListPart<ChatPlace>,
        limit: usize,
    ) -> Result<ChatsPart> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        let owner = owner.as_ref();
        let read_max = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let (mut ids, mut before) = match ChatPlace::is_by_drift(filter.state) {
            true => {
                let found = part_by_drift(transaction, owner, filter, part, read_max).await?;
                let first = found.iter().map(|(_, number)| *number).min();
                let ids: Vec<_> = found.into_iter().map(|(id, _)| id).collect();
                (ids, first.map_or(0, |first| first.saturating_sub(1)))
            }
            false => {
                let ids = part_by_id(transaction, owner, filter, part, read_max).await?;
                (ids, 0)
            }
        };
        let mut has_more = ids.len() > limit;
        if matches!(part, ListPart::Before(_)) {
            // The one that was read beyond the part is the farthest from its end.
            before += u64::from(has_more);
            has_more = true;
            ids.truncate(limit);
            ids.reverse();
        }
        ids.truncate(limit);
        if !ChatPlace::is_by_drift(filter.state)
            && part != ListPart::First
            && let Some(first) = ids.first()
        {
            before = newer_count(transaction, owner, filter, *first).await?;
        }
        let mut chats: Vec<ChatSummary> = of_ids(select_summary(transaction), &ids).await?;
        let places: BTreeMap<_, _> = ids.iter().zip(0..).collect();
        chats.sort_by_key(|line| places.get(&line.chat.id).copied().unwrap_or(usize::MAX));
        let agents = chats.iter().filter_map(|line| line.chat.agent).collect();
        let by_agent = match ChatPlace::is_by_drift(filter.state) {
            true => BTreeMap::new(),
            false => count_by_agent(transaction, owner, filter, &agents).await?,
        };
        Ok(ChatsPart {
            by_agent,
            chats,
            before,
            has_more,
        })
    }
}
