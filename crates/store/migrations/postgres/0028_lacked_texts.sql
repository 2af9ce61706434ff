-- The contents of which the rows of a turn say that its requests had no text, by their hash. Rows from before this migration
-- say nothing here.
create table turn_evidence_lacks (
    chat_id uuid not null references chats (id) on delete cascade,
    name bytea not null check (length(name) = 32),
    turn bigint not null,
    primary key (chat_id, name, turn)
);
