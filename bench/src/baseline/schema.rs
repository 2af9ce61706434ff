//! The tables of the baseline. Types are each database's own, as in the product.

/// The tables, with `ID`, `BYTES`, `TEXT`, `TIME` and `END` in place of the parts that differ.
const TABLES: &str = "
create table agents (
    id ID primary key,
    hash BYTES,
    pushed_at TIME
) END;
create table agent_resources (
    agent_id ID not null references agents (id) on delete cascade,
    source TEXT not null,
    kind TEXT not null,
    status TEXT not null,
    hash BYTES not null,
    body BYTES not null,
    size NUMBER not null,
    primary key (agent_id, source)
) END;
create table chats (
    id ID primary key,
    agent_id ID references agents (id) on delete set null,
    pinned_hash BYTES,
    dirty_since TIME,
    created_at TIME not null,
    updated_at TIME not null
) END;
create index chats_agent on chats (agent_id, id);
create index chats_unpinned on chats (agent_id, id) where pinned_hash is null;
create table chat_resources (
    chat_id ID not null references chats (id) on delete cascade,
    source TEXT not null,
    kind TEXT not null,
    status TEXT not null,
    hash BYTES not null,
    body BYTES not null,
    size NUMBER not null,
    primary key (chat_id, source)
) END;
";

/// Returns the statements that create the tables.
pub fn statements(is_postgres: bool) -> String {
    let types = if is_postgres {
        [
            ("ID", "uuid"),
            ("BYTES", "bytea"),
            ("TEXT", "text collate \"C\""),
            ("TIME", "timestamptz"),
            ("NUMBER", "bigint"),
            ("END", ""),
        ]
    } else {
        [
            ("ID", "blob"),
            ("BYTES", "blob"),
            ("TEXT", "text"),
            ("TIME", "text"),
            ("NUMBER", "integer"),
            ("END", "strict"),
        ]
    };
    let mut text = TABLES.to_owned();
    for (word, ours) in types {
        text = text.replace(word, ours);
    }
    text
}
