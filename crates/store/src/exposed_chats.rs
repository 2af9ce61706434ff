//! Exposures by chat: the chats that had a content, a context or a snapshot in force, each with its periods and its
//! turns. A hash names one of the three, so a statement looks for all of them.

use std::collections::HashMap;

use ctxpin_model::evidence::Verdict;
use ctxpin_model::evidence_key::ForeignName;
use ctxpin_model::exposure::{
    ChatExposure, ExposedPeriod, ExposedPlace, ExposedTurns, HashKind, KnownHash, joined,
};
use ctxpin_model::hash::{AnyHash, HashBeginning};
use ctxpin_model::id::{ChatId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page, PageRequest};

use crate::database::Transaction;
use crate::error::Result;
use crate::exposure::{PLACES, PLACES_IN_NAMED};
use crate::grant::{Granted, object::Account};
use crate::query::Query;
use crate::values::{Row, columns};

/// The most hashes that one beginning finds. More digits find fewer.
pub const KNOWN_HASHES_MAX: i64 = 20;

/// The most moves of one chat that are read for its periods, the newest ones.
const MOVES_OF_CHAT_MAX: i64 = 100;

columns! {
    PERIOD of ExposedPeriod {
        place: "x.kind, x.source, x.path",
        from_seq: "p.seq",
        from: "p.pinned_at",
        until: "n.pinned_at",
    }
}

impl crate::values::Columns for Option<ExposedPlace> {
    fn take(row: &mut Row) -> Result<Self> {
        let kind = row.take()?;
        let source: Option<String> = row.take()?;
        let path = row.take()?;
        let place = |(kind, source)| ExposedPlace { kind, source, path };
        Ok(Option::zip(kind, source).map(place))
    }
}

/// The pins of the chats in `own`, what their turns had in force, and the snapshots of both with their contexts.
const OWN_SNAPSHOTS: &str = ", stays as materialized (select p.chat_id, p.seq, p.snapshot_id, p.pinned_at from own \
       cross join chat_pins p where p.chat_id = own.id and p.snapshot_id is not null), \
     taken as materialized (select distinct t.chat_id, t.snapshot_id, t.tools_snapshot from own \
       cross join turns t where t.chat_id = own.id), \
     named as materialized (select snapshot_id from stays \
       union select snapshot_id from taken where snapshot_id is not null \
       union select tools_snapshot from taken where tools_snapshot is not null), \
     contexts as materialized (select s.id as snapshot_id, s.context_hash from named n \
       cross join snapshots s where s.id = n.snapshot_id), ";

/// The snapshots of `contexts` that the hash names as a whole.
const WHOLE_IN_NAMED: &str = ", whole as materialized (select snapshot_id from contexts \
       where snapshot_id = $1 or context_hash = $1)";

/// The snapshots of all users that the hash names as a whole.
const WHOLE: &str = ", whole as materialized (select id as snapshot_id from snapshots \
       where id = $1 or context_hash = $1)";

/// The snapshots that a pin gives to a model with the hash, those that hold it at all, and those that give it
/// through their tools.
const GIVEN: &str = ", given as materialized (select snapshot_id from places \
         where kind in ('instruction_file', 'skill') union select snapshot_id from whole), \
     held_by as materialized (select snapshot_id from places union select snapshot_id from whole), \
     tooled as materialized (select snapshot_id from places where kind in ('mcp_config', 'mcp_server'))";

/// The chats of `own` that had the hash in force.
const OWN_EXPOSED: &str = "select p.chat_id from stays p \
       where p.snapshot_id in (select snapshot_id from held_by) \
     union select t.chat_id from taken t where t.tools_snapshot in (select snapshot_id from tooled)";

/// The chats of all users that had the hash in force.
const EXPOSED: &str = "select p.chat_id from held_by g join chat_pins p on p.snapshot_id = g.snapshot_id \
     union select t.chat_id from tooled g join turns t on t.tools_snapshot = g.snapshot_id";

/// Adds the chats of `owner`, as `own`.
fn of_owner<'q>(query: Query<'q>, owner: &UserId) -> Query<'q> {
    query
        .push("with own as materialized (select id, title, agent_id, archived_at from chats where owner_id = ")
        .value(owner)
        .push(")")
}

/// Adds what the chats in `own` had in force of the hash `$1`.
fn in_own(query: Query<'_>) -> Query<'_> {
    query.push_all([OWN_SNAPSHOTS, PLACES_IN_NAMED, WHOLE_IN_NAMED, GIVEN])
}

/// Adds the turns whose requests had the hash `$1` by their evidence, or a text that no snapshot has under this name.
/// `texts` are the names of the texts in such requests.
fn proved<'q>(query: Query<'q>, texts: &'static str, foreign: Option<&ForeignName>) -> Query<'q> {
    let query = query
        .push(", proved as materialized (select e.chat_id, e.turn from ")
        .push(texts)
        .push(" e.name in ($1");
    let query = match foreign {
        Some(name) => query.push(", ").value(name),
        None => query,
    };
    query.push("))")
}

/// The texts in requests of the chats in `own`.
const OWN_TEXTS: &str = "own cross join turn_evidence_texts e where e.chat_id = own.id and";

/// The texts in requests of all users' chats.
const TEXTS: &str = "turn_evidence_texts e where";

/// Adds the statement that finds chats by the hash `$1`, or by the name of a foreign text, among those of an owner or of
/// all users.
fn chats<'q>(
    query: Query<'q>,
    owner: Option<&UserId>,
    foreign: Option<&ForeignName>,
    page: &PageRequest<IdCursor>,
) -> Query<'q> {
    let (query, texts, exposed, readable) = match owner {
        Some(owner) => (
            in_own(of_owner(query, owner)),
            OWN_TEXTS,
            OWN_EXPOSED,
            "own",
        ),
        None => {
            let query = query.push_all(["with ", PLACES, WHOLE, GIVEN]);
            (query, TEXTS, EXPOSED, "chats")
        }
    };
    let query = proved(query, texts, foreign);
    query
        .push(
            " select c.id, c.title, (select a.workspace from agents a where a.id = c.agent_id), \
              c.archived_at from (",
        )
        .push(exposed)
        .push(" union select chat_id from proved) e join ")
        .push(readable)
        .push(" c on c.id = e.chat_id where true")
        .page("c.id", page)
}

/// Adds these chats, as `own`.
fn of_chats<'q>(query: Query<'q>, chats: &[ChatId]) -> Query<'q> {
    query
        .push("with own as materialized (select id from chats where id in ")
        .list(chats)
        .push(")")
}

/// Adds the statement that finds hashes by their beginning, among those of an owner's chats and agents or of all
/// users.
fn hashes<'q>(query: Query<'q>, owner: Option<&UserId>, beginning: &HashBeginning) -> Query<'q> {
    let [least, greatest] = &beginning.range();
    let between = |query: Query<'q>| query.value(least).push(" and ").value(greatest);
    let contents =
        " select kind, hash from (select 'content' as kind, hash from user_contents where ";
    let (query, snapshots) = match owner {
        Some(owner) => {
            let query =
                of_owner(query, owner).push_all([OWN_SNAPSHOTS, "asked as (select 1)", contents]);
            let query = query.push("user_id = ").value(owner).push(" and ");
            (
                query,
                "(select snapshot_id as id, context_hash from contexts) s",
            )
        }
        None => (query.push(contents), "snapshots s"),
    };
    let query = between(query.push("hash between "));
    let query = query
        .push(" union select 'context', s.context_hash from ")
        .push(snapshots);
    let query = between(query.push(" where s.context_hash between "));
    let query = query
        .push(" union select 'snapshot', s.id from ")
        .push(snapshots);
    let query = between(query.push(" where s.id between "));
    let query = query.push(") k order by kind, hash limit ");
    query.value(&(KNOWN_HASHES_MAX + 1))
}

impl<R> Granted<Account, R> {
    /// Returns the contents, contexts and snapshots whose hashes begin so, of the chats whose metadata the caller may
    /// read and of their agents. Returns at most [`KNOWN_HASHES_MAX`], and one more if there are more.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn known_hashes(
        &self,
        transaction: &mut Transaction,
        beginning: &HashBeginning,
    ) -> Result<Vec<KnownHash>> {
        let owner = self.reads_of();
        let query = self.within(transaction)?.query("");
        let read = |row: &mut Row| {
            let kind: HashKind = row.take()?;
            let hash = row.take()?;
            Ok(KnownHash { kind, hash })
        };
        hashes(query, owner.as_ref(), beginning).all(read).await
    }

    /// Returns a page of the chats that had a content, a context or a snapshot in force, or whose requests had it by their
    /// evidence, among those whose metadata the caller may read, newest chat first. `foreign` is the name of the content
    /// under the caller's key.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn exposed_chats(
        &self,
        transaction: &mut Transaction,
        hash: AnyHash,
        foreign: Option<ForeignName>,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<ChatExposure, IdCursor>> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        let query = transaction.query("").bind(&hash);
        let read = |row: &mut Row| {
            Ok(ChatExposure {
                chat: row.take()?,
                title: row.take()?,
                workspace: row.take()?,
                is_archived: row.take::<Option<Moment>>()?.is_some(),
                periods: Vec::new(),
                turns: None,
                given: None,
                unlisted: None,
            })
        };
        let found = chats(query, owner.as_ref(), foreign.as_ref(), page);
        let found = found.all(read).await?;
        let mut found = Page::of(found, page, |exposed: &ChatExposure| exposed.chat.uuid());
        let ids: Vec<_> = found.items.iter().map(|exposed| exposed.chat).collect();
        if ids.is_empty() {
            return Ok(found);
        }
        let mut periods = periods(transaction, hash, &ids).await?;
        let turns = turns(transaction, hash, &ids).await?;
        let given = turns_given(transaction, hash, foreign.as_ref(), &ids).await?;
        for exposed in &mut found.items {
            exposed.periods = joined(periods.remove(&exposed.chat).unwrap_or_default());
            let turns = turns.get(&exposed.chat).copied();
            exposed.turns = turns.map(|turns| turns.in_force);
            exposed.unlisted = turns.and_then(|turns| turns.unlisted);
            exposed.given = given.get(&exposed.chat).copied();
        }
        Ok(found)
    }
}

/// Reads in which moves of these chats the pin held the hash, the newest move of each chat first.
async fn periods(
    transaction: &mut Transaction,
    hash: AnyHash,
    ids: &[ChatId],
) -> Result<HashMap<ChatId, Vec<ExposedPeriod>>> {
    let query = in_own(of_chats(transaction.query("").bind(&hash), ids));
    let query = query
        .push(
            ", ranked as (select p.chat_id, p.seq, p.snapshot_id, p.pinned_at, \
               row_number() over (partition by p.chat_id order by p.seq desc) as rank \
               from stays p where p.snapshot_id in (select snapshot_id from held_by)) \
             select p.chat_id, ",
        )
        .push(PERIOD)
        .push(
            " from (select snapshot_id, kind, source, path from places \
                union all select snapshot_id, null, null, null from whole) x \
             join ranked p on p.snapshot_id = x.snapshot_id \
             left join chat_pins n on n.chat_id = p.chat_id and n.seq = p.seq + 1 where p.rank <= ",
        )
        .value(&MOVES_OF_CHAT_MAX)
        .push(" order by p.chat_id, p.seq desc, x.source, x.path");
    let rows = query.all(|row| Ok((row.take()?, row.take()?))).await?;
    let mut periods: HashMap<_, Vec<_>> = HashMap::new();
    for (chat, period) in rows {
        periods.entry(chat).or_default().push(period);
    }
    Ok(periods)
}

/// The turns of a chat that had a hash in force.
#[derive(Clone, Copy)]
struct TurnsInForce {
    in_force: ExposedTurns,
    /// Those that are `as-pinned` by evidence that says nothing of the hash.
    unlisted: Option<ExposedTurns>,
}

/// Reads which turns of these chats had the hash in force.
async fn turns(
    transaction: &mut Transaction,
    hash: AnyHash,
    ids: &[ChatId],
) -> Result<HashMap<ChatId, TurnsInForce>> {
    let query = in_own(of_chats(transaction.query("").bind(&hash), ids));
    let query = proved(query, OWN_TEXTS, None)
        .push(
            " select x.chat_id, cast(count(*) as bigint), cast(min(x.number) as bigint), \
               cast(max(x.number) as bigint), cast(count(x.unlisted) as bigint), \
               cast(min(x.unlisted) as bigint), cast(max(x.unlisted) as bigint) from (\
               select t.chat_id, t.number, case when p.turn is null \
                 and t.snapshot_id in (select snapshot_id from given) and t.evidence_verdict = ",
        )
        .value(&Verdict::AsPinned)
        .push(
            " and not exists (select 1 from turn_evidence_lacks l where l.chat_id = t.chat_id \
               and l.name = $1 and l.turn = t.number) \
               then t.number end as unlisted from own cross join turns t \
               left join proved p on p.chat_id = t.chat_id and p.turn = t.number \
               where t.chat_id = own.id and (t.snapshot_id in (select snapshot_id from given) \
                 or t.tools_snapshot in (select snapshot_id from tooled))) x group by x.chat_id",
        );
    let read = |row: &mut Row| {
        let (chat, in_force) = turns_of_chat(row)?;
        let count = row.take()?;
        let ends = Option::zip(row.take()?, row.take()?);
        let unlisted = ends.map(|(first, last)| ExposedTurns { count, first, last });
        Ok((chat, TurnsInForce { in_force, unlisted }))
    };
    Ok(query.all(read).await?.into_iter().collect())
}

/// Reads in which turns of these chats the requests had the hash, or a foreign text of this name, by their evidence.
async fn turns_given(
    transaction: &mut Transaction,
    hash: AnyHash,
    foreign: Option<&ForeignName>,
    ids: &[ChatId],
) -> Result<HashMap<ChatId, ExposedTurns>> {
    let query = of_chats(transaction.query("").bind(&hash), ids);
    let query = proved(query, OWN_TEXTS, foreign).push(
        " select chat_id, cast(count(distinct turn) as bigint), cast(min(turn) as bigint), \
           cast(max(turn) as bigint) from proved group by chat_id",
    );
    Ok(query.all(turns_of_chat).await?.into_iter().collect())
}

fn turns_of_chat(row: &mut Row) -> Result<(ChatId, ExposedTurns)> {
    let chat = row.take()?;
    let turns = ExposedTurns {
        count: row.take()?,
        first: row.take()?,
        last: row.take()?,
    };
    Ok((chat, turns))
}

#[cfg(test)]
pub(crate) mod tests {
    use ctxpin_model::hash::AnyHash;
    use uuid::Uuid;

    use super::*;
    use crate::query::tests::text;

    /// Returns the statement that finds the chats of an owner. `$1` is the hash, `$2` the limit and `$3` the owner.
    pub(crate) fn own_chats_statement() -> String {
        let newest = PageRequest::newest(50);
        let owner = Uuid::nil().into();
        let hash = AnyHash::of(b"");
        let sql = text(|query| chats(query.bind(&hash), Some(&owner), None, &newest));
        // The test of the other statements binds in another order.
        let sql = sql.replace("$2", "$owner").replace("$3", "$2");
        sql.replace("$owner", "$3")
    }
}
