-- The contents of which the rows of a turn say that its requests had no text, by their hash. Rows from before this migration
-- say nothing here.
create table turn_evidence_lacks (
    chat_id blob not null references chats (id) on delete cascade,
    name blob not null check (length(name) = 32),
    turn integer not null,
    primary key (chat_id, name, turn)
) strict, without rowid;
