-- What each user's agents have sent, each content once however often it came and whoever else sent it.
-- The key to blobs is looked at when the transaction ends: what is too much is refused before any bytes
-- are written.
create table user_contents (
    user_id uuid not null references users (id),
    hash bytea not null references blobs (hash) on delete cascade deferrable initially deferred,
    size bigint not null,
    primary key (user_id, hash)
);
create index user_contents_hash on user_contents (hash);

-- The sum of a user's contents and the number of their chats, kept by whoever writes these.
alter table users add column content_bytes bigint not null default 0;
alter table users add column chat_count bigint not null default 0;
-- What an admin has said of how much the user may have; null leaves the server's default.
alter table users add column content_bytes_quota bigint;
alter table users add column agents_quota bigint;
alter table users add column chats_quota bigint;
alter table users add column tokens_quota bigint;

-- Why and when what the agent sent last was refused; null once something was taken again.
alter table agents add column refused_limit text;
alter table agents add column refused_at timestamptz;

-- How often it was refused within the minute that the row tells of.
alter table audit_log add column count bigint not null default 1;

-- What is there already counts: everything that the heads of a user's agents hold, and what waits for a
-- push.
with pushed as (
    select distinct a.owner_id, h.snapshot_id
    from agents a join agent_heads h on h.agent_id = a.id
), sent as (
    select p.owner_id, r.body as hash
    from pushed p join snapshot_resources r on r.snapshot_id = p.snapshot_id
    union
    select p.owner_id, r.detail
    from pushed p join snapshot_resources r on r.snapshot_id = p.snapshot_id
    union
    select p.owner_id, f.body
    from pushed p join skill_files f on f.snapshot_id = p.snapshot_id
    union
    select a.owner_id, u.hash
    from agents a join agent_uploads u on u.agent_id = a.id
)
insert into user_contents (user_id, hash, size)
select s.owner_id, b.hash, b.size from sent s join blobs b on b.hash = s.hash;

update users set
    content_bytes = (select cast(coalesce(sum(c.size), 0) as bigint) from user_contents c where c.user_id = users.id),
    chat_count = (select count(*) from chats c where c.owner_id = users.id);
