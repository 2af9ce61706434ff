-- The decisions about a head that left the pin of a chat where it was: a decline, or that it was taken back. The seq counts
-- over all pins of the chat.
create table chat_decisions (
    chat_id blob not null references chats (id) on delete cascade,
    seq integer not null,
    pin_seq integer not null,
    head_snapshot blob not null references snapshots (id),
    decline integer not null,
    actor_kind text not null,
    actor_id blob,
    door text not null,
    decided_at text not null,
    primary key (chat_id, seq)
) strict, without rowid;
create index chat_decisions_head on chat_decisions (head_snapshot);
