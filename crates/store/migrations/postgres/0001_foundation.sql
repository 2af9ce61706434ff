-- Texts are compared byte by byte: an ICU collation would sort paths and names differently from
-- SQLite.

create table users (
    id uuid primary key,
    name text collate "C" not null unique,
    roles text not null,
    disabled boolean not null default false,
    created_at timestamptz not null
);

-- Content addresses: bytes by their SHA-256.
create table blobs (
    hash bytea primary key check (octet_length(hash) = 32),
    size bigint not null,
    bytes bytea not null
);
-- What is written and read most is compressed: by lz4 in a tenth of the time, where PostgreSQL was
-- built with it.
do $$ begin
    alter table blobs alter column bytes set compression lz4;
exception when feature_not_supported then
    null;
end $$;

create table snapshots (
    id bytea primary key check (octet_length(id) = 32),
    context_hash bytea not null,
    tools_hash bytea not null,
    os text,
    directory text,
    error text,
    resource_count bigint not null,
    total_bytes bigint not null,
    created_at timestamptz not null
);

-- That a kind and source occur once is seen to before, for the snapshot is hashed as a whole: a third
-- index would be a third of what a push writes.
create table snapshot_resources (
    snapshot_id bytea not null references snapshots (id) on delete cascade,
    ordinal bigint not null,
    kind text collate "C" not null,
    source text collate "C" not null,
    status text collate "C" not null,
    error text,
    body bytea references blobs (hash),
    claimed bytea,
    size bigint not null,
    name text,
    description text,
    root text,
    detail bytea references blobs (hash),
    primary key (snapshot_id, ordinal)
);
create index snapshot_resources_body on snapshot_resources (body) where body is not null;
create index snapshot_resources_detail on snapshot_resources (detail) where detail is not null;

create table skill_files (
    snapshot_id bytea not null,
    ordinal bigint not null,
    path text collate "C" not null,
    body bytea references blobs (hash),
    claimed bytea,
    size bigint not null,
    executable boolean not null,
    error text,
    primary key (snapshot_id, ordinal, path),
    foreign key (snapshot_id, ordinal) references snapshot_resources (snapshot_id, ordinal) on delete cascade
);
create index skill_files_body on skill_files (body);

create table prompts (
    context_hash bytea not null,
    renderer bigint not null,
    prompt bytea not null references blobs (hash),
    primary key (context_hash, renderer)
);
create index prompts_prompt on prompts (prompt);

create table agents (
    id uuid primary key,
    owner_id uuid not null references users (id),
    workspace text collate "C" not null,
    name text collate "C" not null,
    may_refresh boolean not null,
    replaces_id uuid references agents (id) on delete set null,
    replaced_by uuid references agents (id) on delete set null,
    epoch bigint not null default 0,
    version bigint not null default 0,
    head_seq bigint not null default 0,
    head_snapshot bytea references snapshots (id),
    mcp_settled boolean not null default false,
    last_push_at timestamptz,
    last_seen_at timestamptz,
    created_at timestamptz not null
);
create index agents_owner on agents (owner_id, id);
create index agents_replaces on agents (replaces_id);
create index agents_replaced_by on agents (replaced_by);
create index agents_head_snapshot on agents (head_snapshot);

-- One row for each process that opened a session: a process that was replaced is recognised for
-- good, also when its request is repeated late.
create table agent_sessions (
    agent_id uuid not null references agents (id) on delete cascade,
    epoch bigint not null,
    process uuid not null,
    opened_at timestamptz not null,
    primary key (agent_id, epoch),
    unique (agent_id, process)
);

-- The timeline of a workspace's context.
create table agent_heads (
    agent_id uuid not null references agents (id) on delete cascade,
    seq bigint not null,
    snapshot_id bytea not null references snapshots (id),
    context_hash bytea not null,
    tools_hash bytea not null,
    received_at timestamptz not null,
    primary key (agent_id, seq)
);
create index agent_heads_context on agent_heads (agent_id, context_hash, seq);
create index agent_heads_snapshot on agent_heads (snapshot_id);

-- Bytes that an agent sent ahead of a push, and so has proved to have.
create table agent_uploads (
    agent_id uuid not null references agents (id) on delete cascade,
    hash bytea not null references blobs (hash),
    uploaded_at timestamptz not null,
    primary key (agent_id, hash)
);
create index agent_uploads_hash on agent_uploads (hash);

-- A token belongs to a user or to an agent. Its secret is never stored, only SHA-256 of it.
create table tokens (
    id uuid primary key,
    user_id uuid references users (id),
    agent_id uuid references agents (id) on delete cascade,
    label text,
    scopes text not null,
    secret_hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    check ((user_id is null) <> (agent_id is null))
);
create index tokens_user on tokens (user_id, id);
create index tokens_agent on tokens (agent_id);

-- The pin is told again by the row of chat_pins with its seq, whose keys keep what it names: the same
-- keys here would be checked and indexed twice for each move.
create table chats (
    id uuid primary key,
    owner_id uuid not null references users (id),
    client text collate "C",
    reference text collate "C",
    title text,
    agent_id uuid references agents (id) on delete set null,
    parent_id uuid references chats (id) on delete set null,
    archived_at timestamptz,
    policy text collate "C" not null,
    tools text collate "C" not null,
    declined_context bytea,
    declined_tools bytea,
    pin_seq bigint not null default 0,
    pin_snapshot bytea,
    pin_prompt bytea,
    pinned_at timestamptz,
    turn_count bigint not null default 0,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (owner_id, client, reference),
    check ((pin_snapshot is null) = (pin_prompt is null)),
    check ((pin_snapshot is null) = (pinned_at is null))
);
create index chats_owner on chats (owner_id, id);
create index chats_agent on chats (agent_id, id);
create index chats_parent on chats (parent_id) where parent_id is not null;
-- The chats that a push hydrates.
create index chats_unpinned on chats (agent_id, id) where pin_snapshot is null and archived_at is null;

-- Every move of every pin. The agent is told, not referred to: a pin outlives its agent.
create table chat_pins (
    chat_id uuid not null references chats (id) on delete cascade,
    seq bigint not null,
    snapshot_id bytea references snapshots (id),
    prompt bytea references blobs (hash),
    agent_id uuid,
    reason text collate "C" not null,
    mcp_settled boolean not null,
    actor_kind text collate "C" not null,
    actor_id uuid,
    door text collate "C" not null,
    pinned_at timestamptz not null,
    primary key (chat_id, seq)
);
create index chat_pins_snapshot on chat_pins (snapshot_id);
create index chat_pins_prompt on chat_pins (prompt);

create table turns (
    chat_id uuid not null references chats (id) on delete cascade,
    number bigint not null,
    snapshot_id bytea references snapshots (id),
    prompt bytea references blobs (hash),
    tools_snapshot bytea references snapshots (id),
    delivery text collate "C" not null,
    reference text collate "C",
    started_at timestamptz not null,
    primary key (chat_id, number),
    unique (chat_id, reference)
);
create index turns_snapshot on turns (snapshot_id);
create index turns_prompt on turns (prompt);
create index turns_tools_snapshot on turns (tools_snapshot);

-- Who did what. Objects are told, not referred to: the row outlives them.
create table audit_log (
    id uuid primary key,
    actor_kind text collate "C" not null,
    actor_id uuid,
    action text collate "C" not null,
    object_kind text collate "C",
    object_id uuid,
    outcome text collate "C" not null,
    at timestamptz not null
);
