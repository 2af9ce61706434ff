-- What clients' records show of the requests of a turn: one row for each reading. The row is canonical JSON.
create table turn_evidence (
    chat_id blob not null,
    turn integer not null,
    key blob not null check (length(key) = 32),
    source text not null,
    witness text not null,
    verdict text not null,
    requests integer not null,
    whole integer not null,
    first_different integer,
    owner_key blob not null check (length(owner_key) = 32),
    size integer not null,
    content blob not null,
    actor_kind text not null,
    actor_id blob,
    handed_in_at text not null,
    primary key (chat_id, turn, key),
    foreign key (chat_id, turn) references turns (chat_id, number) on delete cascade
) strict;

-- The texts that the requests of a turn had, by their hash, or by their name under the owner's key if no snapshot has
-- them. Nothing refers to the bytes, which may be stored nowhere.
create table turn_evidence_texts (
    chat_id blob not null references chats (id) on delete cascade,
    name blob not null check (length(name) = 32),
    turn integer not null,
    primary key (chat_id, name, turn)
) strict, without rowid;
create index turn_evidence_texts_name on turn_evidence_texts (name);

-- What all rows of a turn say together, written with each row.
alter table turns add column evidence_verdict text;
alter table turns add column evidence_witness text;
alter table turns add column evidence_requests integer;

-- The secret under which the clients of a user name texts that no snapshot has.
alter table users add column evidence_key blob;
