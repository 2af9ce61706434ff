//! Exposures: the chats and turns that had a content in force.

use ctxpin_model::exposure::{PinnedExposure, TurnExposure};
use ctxpin_model::hash::BlobHash;

use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, object::Account};
use crate::values::{Columns, columns};

/// The most chats, and the most turns, in one response.
pub const EXPOSURES_MAX: i64 = 1_000;

columns! {
    PINNED of PinnedExposure {
        chat: "p.chat_id",
        kind: "x.kind",
        source: "x.source",
        path: "x.path",
        from_seq: "p.seq",
        from: "p.pinned_at",
        until: "n.pinned_at",
    }
}

columns! {
    TURN of TurnExposure {
        chat: "t.chat_id",
        number: "t.number",
        started_at: "t.started_at",
    }
    then { by_tools }
}

/// The places of a content in all snapshots: bodies and details of resources, and files of skills. `$1` is
/// its hash.
pub(crate) const PLACES: &str = "places as (select snapshot_id, kind, source, null as path from snapshot_resources \
       where body = $1 or detail = $1 \
     union all \
     select f.snapshot_id, r.kind, r.source, f.path from skill_files f \
       join snapshot_resources r on r.snapshot_id = f.snapshot_id and r.ordinal = f.ordinal \
       where f.body = $1)";

/// The places of a content in the snapshots of `named`. The time that this takes must not reveal whether
/// another user holds the content. So the statement first looks into each named snapshot, by a union that
/// no planner turns into a search from the content, and then compares what the snapshots that hold it list.
/// `cross join` keeps SQLite from starting with the rows of all users.
pub(crate) const PLACES_IN_NAMED: &str = "held as materialized (select n.snapshot_id from named n where exists ( \
       select 1 from snapshot_resources r where r.snapshot_id = n.snapshot_id and r.body = $1 \
       union all \
       select 1 from snapshot_resources r where r.snapshot_id = n.snapshot_id and r.detail = $1 \
       union all \
       select 1 from skill_files f where f.snapshot_id = n.snapshot_id and f.body = $1)), \
     listed as materialized ( \
       select r.snapshot_id, r.kind, r.source, null as path, r.body, r.detail from held h \
         cross join snapshot_resources r where r.snapshot_id = h.snapshot_id \
       union all \
       select r.snapshot_id, r.kind, r.source, f.path, f.body, null from held h \
         cross join snapshot_resources r cross join skill_files f \
         where r.snapshot_id = h.snapshot_id \
           and f.snapshot_id = r.snapshot_id and f.ordinal = r.ordinal), \
     places as materialized (select snapshot_id, kind, source, path from listed \
       where body = $1 or detail = $1)";

/// The chats of the owner `$3`.
const OWN_CHATS: &str = "own as materialized (select id from chats where owner_id = $3)";

/// The rows of their histories that have a snapshot, and these snapshots.
const OWN_STAYS: &str = ", stays as materialized (select p.chat_id, p.seq, p.snapshot_id, p.pinned_at from own \
       cross join chat_pins p where p.chat_id = own.id and p.snapshot_id is not null), \
     named as materialized (select distinct snapshot_id from stays), ";

/// The snapshots that their turns had in force.
const OWN_TURNS: &str = ", taken as materialized (select distinct t.snapshot_id, t.tools_snapshot from own \
       cross join turns t where t.chat_id = own.id), \
     named as materialized (select snapshot_id from taken where snapshot_id is not null \
       union select tools_snapshot from taken where tools_snapshot is not null), ";

/// The condition that the pin of a turn had the content. Instruction files and skills reach a model through
/// the pin.
const BY_PIN: &str = "exists (select 1 from places x where x.snapshot_id = t.snapshot_id \
     and x.kind in ('instruction_file', 'skill'))";

/// The condition that the tools of a turn had the content. They come from the turn's tools snapshot.
const BY_TOOLS: &str = "exists (select 1 from places x where x.snapshot_id = t.tools_snapshot \
     and x.kind in ('mcp_config', 'mcp_server'))";

/// Returns the parts of the statement that searches the pins of one owner or of all users.
fn pinned_statement(of_owner: bool) -> Vec<&'static str> {
    let stays = match of_owner {
        true => vec!["with ", OWN_CHATS, OWN_STAYS, PLACES_IN_NAMED],
        false => vec![
            "with stays as (select chat_id, seq, snapshot_id, pinned_at from chat_pins), ",
            PLACES,
        ],
    };
    let from = " from places x join stays p on p.snapshot_id = x.snapshot_id \
         left join chat_pins n on n.chat_id = p.chat_id and n.seq = p.seq + 1 \
         order by p.pinned_at desc, p.chat_id, p.seq desc, x.source limit $2";
    let select = [" select ", PINNED, from];
    stays.into_iter().chain(select).collect()
}

/// Returns the parts of the statement that searches the turns of one owner or of all users.
fn turn_statement(of_owner: bool) -> Vec<&'static str> {
    let (places, turns) = match of_owner {
        true => (
            vec!["with ", OWN_CHATS, OWN_TURNS, PLACES_IN_NAMED],
            "own cross join turns t where t.chat_id = own.id and",
        ),
        false => (vec!["with ", PLACES], "turns t where"),
    };
    let select = [
        " select ",
        TURN,
        ", not ",
        BY_PIN,
        " from ",
        turns,
        " exists (select 1 from places) and (",
        BY_PIN,
        " or ",
        BY_TOOLS,
        ") order by t.started_at desc, t.chat_id, t.number desc limit $2",
    ];
    places.into_iter().chain(select).collect()
}

impl<R> Granted<Account, R> {
    /// Returns the pins that had a content, of the chats whose metadata the caller may read, newest first,
    /// at most [`EXPOSURES_MAX`].
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn pinned_exposures(
        &self,
        transaction: &mut Transaction,
        content: BlobHash,
    ) -> Result<Vec<PinnedExposure>> {
        self.exposures(transaction, content, pinned_statement).await
    }

    /// Returns the turns that had a content in force, of the chats whose metadata the caller may read,
    /// newest first, at most [`EXPOSURES_MAX`].
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn turn_exposures(
        &self,
        transaction: &mut Transaction,
        content: BlobHash,
    ) -> Result<Vec<TurnExposure>> {
        self.exposures(transaction, content, turn_statement).await
    }

    async fn exposures<E: Columns>(
        &self,
        transaction: &mut Transaction,
        content: BlobHash,
        statement: fn(of_owner: bool) -> Vec<&'static str>,
    ) -> Result<Vec<E>> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        let mut query = transaction
            .query("")
            .push_all(statement(owner.is_some()))
            .bind(&content)
            .bind(&EXPOSURES_MAX);
        if let Some(owner) = &owner {
            query = query.bind(owner);
        }
        query.all(E::take).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use ctxpin_model::delivery::Delivery;
    use ctxpin_model::token::Credential;
    use ctxpin_model::turn::TurnRequest;
    use ctxpin_operations::service::Storage;
    use ctxpin_operations::turns;
    use ctxpin_testing::databases::TestService;
    use ctxpin_testing::people::{TestAgent, chat, first_admin, member, user};
    use ctxpin_testing::workspace::Workspace;
    use sqlx::types::JsonValue;
    use sqlx::{Connection as _, PgConnection, SqliteConnection};
    use uuid::Uuid;

    use super::*;
    use crate::exposed_chats::tests::own_chats_statement;

    ctxpin_testing::on_both_databases!(
        finding_17_the_work_for_a_reader_without_the_content_is_constant,
        finding_17_the_work_for_a_reader_with_the_content_is_constant,
    );

    /// How many agents and chats of another user hold the content.
    const HOLDERS: usize = 40;

    /// The most steps of SQLite's machine that one more index lookup takes. A statement takes hundreds.
    const LOOKUP_STEPS_MAX: u64 = 4;

    #[expect(clippy::disallowed_methods, reason = "the text is this file's own")]
    fn safe(sql: String) -> sqlx::AssertSqlSafe<String> {
        sqlx::AssertSqlSafe(sql)
    }

    /// Executes `sql`, which searches for a content among the chats of an owner. Returns the number of
    /// steps that SQLite's machine takes, or of rows that PostgreSQL visits.
    async fn work(test: &TestService, sql: &str, content: &str, owner: Uuid) -> u64 {
        let hash = BlobHash::of(content.as_bytes()).bytes().to_vec();
        match &test.storage {
            Storage::Sqlite(path) => {
                let url = format!("sqlite://{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let steps = Arc::new(AtomicU64::new(0));
                let counted = Arc::clone(&steps);
                connection
                    .lock_handle()
                    .await
                    .unwrap()
                    .set_progress_handler(1, move || {
                        counted.fetch_add(1, Ordering::Relaxed);
                        true
                    });
                let query = sqlx::query(safe(sql.to_owned()));
                let query = query.bind(hash).bind(EXPOSURES_MAX).bind(owner);
                query.fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                steps.load(Ordering::Relaxed)
            }
            Storage::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                // PostgreSQL would scan tables as small as these.
                for setting in ["analyze", "set enable_seqscan = off"] {
                    sqlx::query(setting).execute(&mut connection).await.unwrap();
                }
                let explain =
                    format!("explain (analyze, timing off, summary off, format json) {sql}");
                let query = sqlx::query_scalar(safe(explain));
                let query = query.bind(hash).bind(EXPOSURES_MAX).bind(owner);
                let explained: JsonValue = query.fetch_one(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows(&explained[0]["Plan"])
            }
        }
    }

    /// Returns the rows that a node of a plan of PostgreSQL and its children visited, with those that they
    /// filtered out.
    fn rows(plan: &JsonValue) -> u64 {
        let number = |name: &str| plan[name].as_f64().unwrap_or_default();
        let seen = number("Actual Rows")
            + number("Rows Removed by Filter")
            + number("Rows Removed by Join Filter")
            + number("Rows Removed by Index Recheck");
        let own = (seen * number("Actual Loops")).round() as u64;
        let parts = plan["Plans"].as_array();
        own + parts.map_or(0, |parts| parts.iter().map(rows).sum())
    }

    /// Pushes a skill with a file of this text, pins the head, and begins a turn.
    async fn hold(test: &TestService, owner: Credential, directory: &str, text: &str) {
        let mut agent = TestAgent::create(&test.service, owner, directory).await;
        let workspace = Workspace::with_agents_md(directory, &format!("{directory}\n")).skill(
            "pdf",
            "Reads.",
            &[("run.sh", text)],
        );
        agent.push(&test.service, &workspace).await.unwrap();
        let chat = chat(&test.service, owner, Some(agent.id)).await;
        let request = TurnRequest {
            reference: None,
            delivery: Some(Delivery::Delivered),
        };
        turns::begin(&test.service, owner, chat.id, &request)
            .await
            .unwrap();
    }

    /// Checks that a search for what others hold takes a reader as much work as a search for what they do
    /// not hold.
    async fn check(test: &TestService, held_by_others: &str, not_held: &str, reader: Uuid) {
        // The third statement reads the reader's own rows several times, in an order that depends on their ids.
        for (sql, steps_max, rows_max) in [
            (pinned_statement(true).concat(), LOOKUP_STEPS_MAX, 0),
            (turn_statement(true).concat(), LOOKUP_STEPS_MAX, 0),
            (own_chats_statement(), HOLDERS as u64, 4),
        ] {
            let held = work(test, &sql, held_by_others, reader).await;
            let not_held = work(test, &sql, not_held, reader).await;
            let difference = held.abs_diff(not_held);
            match &test.storage {
                Storage::Sqlite(_) => assert!(
                    difference <= steps_max,
                    "{held} steps against {not_held}: {sql}"
                ),
                Storage::Postgres { .. } => assert!(
                    difference <= rows_max,
                    "{held} rows against {not_held}: {sql}"
                ),
            }
        }
    }

    async fn finding_17_the_work_for_a_reader_without_the_content_is_constant(test: &TestService) {
        let admin = first_admin(&test.service).await;
        let other = member(&test.service, admin, "other").await;
        for number in 0..HOLDERS {
            hold(test, other, &format!("/other/{number}"), "secret").await;
        }
        let (id, reader) = user(&test.service, admin, "reader", "member", "read write").await;
        hold(test, reader, "/reader", "own").await;
        check(test, "secret", "nobody's", id.uuid()).await;
    }

    async fn finding_17_the_work_for_a_reader_with_the_content_is_constant(test: &TestService) {
        let admin = first_admin(&test.service).await;
        let other = member(&test.service, admin, "other").await;
        for number in 0..HOLDERS {
            hold(test, other, &format!("/other/{number}"), "widespread").await;
        }
        let (id, reader) = user(&test.service, admin, "reader", "member", "read write").await;
        hold(test, reader, "/reader/1", "widespread").await;
        hold(test, reader, "/reader/2", "rare").await;
        check(test, "widespread", "rare", id.uuid()).await;
    }
}
