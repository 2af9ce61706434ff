//! The schemas of the two databases are the same.

use std::collections::{BTreeMap, BTreeSet};

use ctxpin_store::database::{Database, Storage};
use ctxpin_testing::databases::create_postgres_database;
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

/// A table: its columns and whether they are required, its keys, and the columns of its indexes.
#[derive(Debug, Default, PartialEq)]
struct Table {
    columns: BTreeMap<String, (String, bool)>,
    primary_key: Vec<String>,
    unique: BTreeSet<Vec<String>>,
    foreign_keys: BTreeSet<(Vec<String>, String, String)>,
    indexes: BTreeSet<Vec<String>>,
}

type Schema = BTreeMap<String, Table>;

/// Returns a name that both databases share for a type of one of them.
fn shared_type(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "uuid" | "bytea" | "blob" => "bytes",
        "bigint" | "boolean" | "integer" => "integer",
        "text" | "timestamp with time zone" => "text",
        other => panic!("a type that is not expected: {other}"),
    }
}

async fn sqlite_schema(connection: &mut SqliteConnection) -> Schema {
    let tables: Vec<String> = sqlx::query_scalar(
        "select name from sqlite_schema where type = 'table' and name not like '\\_%' escape '\\' and name not like 'sqlite%'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let mut schema = Schema::new();
    for name in tables {
        let mut table = Table::default();
        let columns = sqlx::query(
            "select name, type, \"notnull\", pk from pragma_table_info($1) order by cid",
        )
        .bind(&name)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        let mut key: Vec<(i64, String)> = Vec::new();
        for column in columns {
            let (column_name, place): (String, i64) = (column.get(0), column.get(3));
            let is_needed = column.get::<i64, _>(2) == 1 || place > 0;
            let shared = shared_type(&column.get::<String, _>(1)).to_owned();
            table
                .columns
                .insert(column_name.clone(), (shared, is_needed));
            if place > 0 {
                key.push((place, column_name));
            }
        }
        key.sort();
        table.primary_key = key.into_iter().map(|(_, name)| name).collect();
        let indexes = sqlx::query("select name, \"unique\", origin from pragma_index_list($1)")
            .bind(&name)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        for index in indexes {
            let columns: Vec<String> =
                sqlx::query_scalar("select name from pragma_index_info($1) order by seqno")
                    .bind(index.get::<String, _>(0))
                    .fetch_all(&mut *connection)
                    .await
                    .unwrap();
            match index.get::<String, _>(2).as_str() {
                "pk" => {}
                "u" => drop(table.unique.insert(columns)),
                _ => drop(table.indexes.insert(columns)),
            }
        }
        let keys = sqlx::query(
            "select id, \"table\", \"from\", on_delete from pragma_foreign_key_list($1) order by id, seq",
        )
        .bind(&name)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        let mut by_id: BTreeMap<i64, (Vec<String>, String, String)> = BTreeMap::new();
        for key in keys {
            let entry = by_id.entry(key.get(0)).or_default();
            entry.0.push(key.get(2));
            entry.1 = key.get(1);
            entry.2 = key.get::<String, _>(3).to_ascii_lowercase();
        }
        table.foreign_keys = by_id.into_values().collect();
        schema.insert(name, table);
    }
    schema
}

async fn postgres_schema(connection: &mut PgConnection) -> Schema {
    let mut schema = Schema::new();
    let columns = sqlx::query(
        "select table_name::text, column_name::text, data_type::text, is_nullable::text \
         from information_schema.columns where table_schema = 'public' and table_name not like '\\_%'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for column in columns {
        let table = schema.entry(column.get(0)).or_default();
        let shared = shared_type(&column.get::<String, _>(2)).to_owned();
        table
            .columns
            .insert(column.get(1), (shared, column.get::<String, _>(3) == "NO"));
    }
    let constraints = sqlx::query(
        "select c.conrelid::regclass::text, c.contype::text, \
         (select array_agg(a.attname::text order by k.place) from unnest(c.conkey) with ordinality k (number, place) \
          join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number), \
         coalesce(c.confrelid::regclass::text, ''), \
         case c.confdeltype when 'c' then 'cascade' when 'n' then 'set null' else 'no action' end \
         from pg_constraint c where c.connamespace = 'public'::regnamespace and c.contype in ('p', 'u', 'f')",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for constraint in constraints {
        let Some(table) = schema.get_mut(constraint.get::<&str, _>(0)) else {
            continue;
        };
        let columns: Vec<String> = constraint.get(2);
        match constraint.get::<&str, _>(1) {
            "p" => table.primary_key = columns,
            "u" => drop(table.unique.insert(columns)),
            _ => drop(
                table
                    .foreign_keys
                    .insert((columns, constraint.get(3), constraint.get(4))),
            ),
        }
    }
    let indexes = sqlx::query(
        "select i.indrelid::regclass::text, \
         (select array_agg(a.attname::text order by k.place) from unnest(i.indkey::int2[]) with ordinality k (number, place) \
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number) \
         from pg_index i join pg_class c on c.oid = i.indrelid \
         where c.relnamespace = 'public'::regnamespace and not i.indisunique",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for index in indexes {
        if let Some(table) = schema.get_mut(index.get::<&str, _>(0)) {
            table.indexes.insert(index.get(1));
        }
    }
    schema
}

/// Migrates a new database of each kind and returns both schemas.
async fn both() -> (Schema, Schema) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ctxpin.sqlite");
    let database = Database::open(&Storage::Sqlite(path.clone()))
        .await
        .unwrap();
    database.close().await;
    let mut sqlite = SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .unwrap();
    let url = create_postgres_database().await;
    let storage = Storage::Postgres {
        url: url.clone(),
        connections_max: 2,
    };
    Database::open(&storage).await.unwrap().close().await;
    let mut postgres = PgConnection::connect(&url).await.unwrap();
    (
        sqlite_schema(&mut sqlite).await,
        postgres_schema(&mut postgres).await,
    )
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let (sqlite, postgres) = both().await;
    assert!(sqlite.len() > 10, "the tables were found");
    let names: BTreeSet<_> = sqlite.keys().chain(postgres.keys()).collect();
    for name in names {
        assert_eq!(sqlite.get(name), postgres.get(name), "table {name}");
    }
}

/// Without an index, deleting a referenced row reads the whole table.
#[tokio::test]
async fn every_foreign_key_has_an_index() {
    let (_, postgres) = both().await;
    for (name, table) in &postgres {
        for (columns, _, _) in &table.foreign_keys {
            let begins = |index: &Vec<String>| index.starts_with(columns);
            let is_indexed = begins(&table.primary_key)
                || table.unique.iter().any(begins)
                || table.indexes.iter().any(begins);
            assert!(is_indexed, "{name} {columns:?} has no index");
        }
    }
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::Sqlite(directory.path().join("ctxpin.sqlite"));
    for _ in 0..2 {
        Database::open(&storage).await.unwrap().close().await;
    }
    let url = create_postgres_database().await;
    let storage = Storage::Postgres {
        url,
        connections_max: 2,
    };
    // Replicas that start together migrate one after another.
    let (one, two) = tokio::join!(Database::open(&storage), Database::open(&storage));
    one.unwrap().close().await;
    two.unwrap().close().await;
}

#[tokio::test]
async fn the_error_of_an_unreachable_database_hides_the_password() {
    let storage = Storage::Postgres {
        url: "postgres://somebody:hunter2@127.0.0.1:1/ctxpin".into(),
        connections_max: 1,
    };
    let error = Database::open(&storage).await.err().unwrap().to_string();
    assert!(
        error.contains("127.0.0.1") && !error.contains("hunter2"),
        "{error}"
    );
    let storage = Storage::Postgres {
        url: "mysql://x".into(),
        connections_max: 1,
    };
    assert!(Database::open(&storage).await.is_err());
}
