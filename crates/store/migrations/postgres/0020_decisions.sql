-- The decisions about a head that left the pin of a chat where it was: a decline, or that it was taken back. The seq counts
-- over all pins of the chat.
create table chat_decisions (
    chat_id uuid not null references chats (id) on delete cascade,
    seq bigint not null,
    pin_seq bigint not null,
    head_snapshot bytea not null references snapshots (id),
    decline boolean not null,
    actor_kind text collate "C" not null,
    actor_id uuid,
    door text collate "C" not null,
    decided_at timestamptz not null,
    primary key (chat_id, seq)
);
create index chat_decisions_head on chat_decisions (head_snapshot);
