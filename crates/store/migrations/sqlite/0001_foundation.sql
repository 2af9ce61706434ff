-- The same tables as for PostgreSQL, in STRICT form. Ids are blobs of 16 bytes, times are texts in
-- RFC 3339 with an offset, which sort by time.

create table users (
    id blob primary key,
    name text not null unique,
    roles text not null,
    disabled integer not null default 0,
    created_at text not null
) strict;

-- Content addresses: bytes by their SHA-256.
create table blobs (
    hash blob primary key check (length(hash) = 32),
    size integer not null,
    bytes blob not null
) strict;

create table snapshots (
    id blob primary key check (length(id) = 32),
    context_hash blob not null,
    tools_hash blob not null,
    os text,
    directory text,
    error text,
    resource_count integer not null,
    total_bytes integer not null,
    created_at text not null
) strict;

-- That a kind and source occur once is seen to before, for the snapshot is hashed as a whole: a third
-- index would be a third of what a push writes.
create table snapshot_resources (
    snapshot_id blob not null references snapshots (id) on delete cascade,
    ordinal integer not null,
    kind text not null,
    source text not null,
    status text not null,
    error text,
    body blob references blobs (hash),
    claimed blob,
    size integer not null,
    name text,
    description text,
    root text,
    detail blob references blobs (hash),
    primary key (snapshot_id, ordinal)
) strict, without rowid;
create index snapshot_resources_body on snapshot_resources (body) where body is not null;
create index snapshot_resources_detail on snapshot_resources (detail) where detail is not null;

create table skill_files (
    snapshot_id blob not null,
    ordinal integer not null,
    path text not null,
    body blob references blobs (hash),
    claimed blob,
    size integer not null,
    executable integer not null,
    error text,
    primary key (snapshot_id, ordinal, path),
    foreign key (snapshot_id, ordinal) references snapshot_resources (snapshot_id, ordinal) on delete cascade
) strict;
create index skill_files_body on skill_files (body);

create table prompts (
    context_hash blob not null,
    renderer integer not null,
    prompt blob not null references blobs (hash),
    primary key (context_hash, renderer)
) strict;
create index prompts_prompt on prompts (prompt);

create table agents (
    id blob primary key,
    owner_id blob not null references users (id),
    workspace text not null,
    name text not null,
    may_refresh integer not null,
    replaces_id blob references agents (id) on delete set null,
    replaced_by blob references agents (id) on delete set null,
    epoch integer not null default 0,
    version integer not null default 0,
    head_seq integer not null default 0,
    head_snapshot blob references snapshots (id),
    mcp_settled integer not null default 0,
    last_push_at text,
    last_seen_at text,
    created_at text not null
) strict;
create index agents_owner on agents (owner_id, id);
create index agents_replaces on agents (replaces_id);
create index agents_replaced_by on agents (replaced_by);
create index agents_head_snapshot on agents (head_snapshot);

-- One row for each process that opened a session: a process that was replaced is recognised for
-- good, also when its request is repeated late.
create table agent_sessions (
    agent_id blob not null references agents (id) on delete cascade,
    epoch integer not null,
    process blob not null,
    opened_at text not null,
    primary key (agent_id, epoch),
    unique (agent_id, process)
) strict;

-- The timeline of a workspace's context.
create table agent_heads (
    agent_id blob not null references agents (id) on delete cascade,
    seq integer not null,
    snapshot_id blob not null references snapshots (id),
    context_hash blob not null,
    tools_hash blob not null,
    received_at text not null,
    primary key (agent_id, seq)
) strict, without rowid;
create index agent_heads_context on agent_heads (agent_id, context_hash, seq);
create index agent_heads_snapshot on agent_heads (snapshot_id);

-- Bytes that an agent sent ahead of a push, and so has proved to have.
create table agent_uploads (
    agent_id blob not null references agents (id) on delete cascade,
    hash blob not null references blobs (hash),
    uploaded_at text not null,
    primary key (agent_id, hash)
) strict;
create index agent_uploads_hash on agent_uploads (hash);

-- A token belongs to a user or to an agent. Its secret is never stored, only SHA-256 of it.
create table tokens (
    id blob primary key,
    user_id blob references users (id),
    agent_id blob references agents (id) on delete cascade,
    label text,
    scopes text not null,
    secret_hash blob not null,
    created_at text not null,
    expires_at text,
    last_used_at text,
    revoked_at text,
    check ((user_id is null) <> (agent_id is null))
) strict;
create index tokens_user on tokens (user_id, id);
create index tokens_agent on tokens (agent_id);

-- The pin is told again by the row of chat_pins with its seq, whose keys keep what it names: the same
-- keys here would be checked and indexed twice for each move.
create table chats (
    id blob primary key,
    owner_id blob not null references users (id),
    client text,
    reference text,
    title text,
    agent_id blob references agents (id) on delete set null,
    parent_id blob references chats (id) on delete set null,
    archived_at text,
    policy text not null,
    tools text not null,
    declined_context blob,
    declined_tools blob,
    pin_seq integer not null default 0,
    pin_snapshot blob,
    pin_prompt blob,
    pinned_at text,
    turn_count integer not null default 0,
    created_at text not null,
    updated_at text not null,
    unique (owner_id, client, reference),
    check ((pin_snapshot is null) = (pin_prompt is null)),
    check ((pin_snapshot is null) = (pinned_at is null))
) strict;
create index chats_owner on chats (owner_id, id);
create index chats_agent on chats (agent_id, id);
create index chats_parent on chats (parent_id) where parent_id is not null;
-- The chats that a push hydrates.
create index chats_unpinned on chats (agent_id, id) where pin_snapshot is null and archived_at is null;

-- Every move of every pin. The agent is told, not referred to: a pin outlives its agent.
create table chat_pins (
    chat_id blob not null references chats (id) on delete cascade,
    seq integer not null,
    snapshot_id blob references snapshots (id),
    prompt blob references blobs (hash),
    agent_id blob,
    reason text not null,
    mcp_settled integer not null,
    actor_kind text not null,
    actor_id blob,
    door text not null,
    pinned_at text not null,
    primary key (chat_id, seq)
) strict, without rowid;
create index chat_pins_snapshot on chat_pins (snapshot_id);
create index chat_pins_prompt on chat_pins (prompt);

create table turns (
    chat_id blob not null references chats (id) on delete cascade,
    number integer not null,
    snapshot_id blob references snapshots (id),
    prompt blob references blobs (hash),
    tools_snapshot blob references snapshots (id),
    delivery text not null,
    reference text,
    started_at text not null,
    primary key (chat_id, number),
    unique (chat_id, reference)
) strict, without rowid;
create index turns_snapshot on turns (snapshot_id);
create index turns_prompt on turns (prompt);
create index turns_tools_snapshot on turns (tools_snapshot);

-- Who did what. Objects are told, not referred to: the row outlives them.
create table audit_log (
    id blob primary key,
    actor_kind text not null,
    actor_id blob,
    action text not null,
    object_kind text,
    object_id blob,
    outcome text not null,
    at text not null
) strict, without rowid;
