-- What clients' records show of the requests of a turn: one row for each reading. The row is canonical JSON.
create table turn_evidence (
    chat_id uuid not null,
    turn bigint not null,
    key bytea not null check (length(key) = 32),
    source text collate "C" not null,
    witness text collate "C" not null,
    verdict text collate "C" not null,
    requests bigint not null,
    whole bigint not null,
    first_different bigint,
    owner_key bytea not null check (length(owner_key) = 32),
    size bigint not null,
    content bytea not null,
    actor_kind text collate "C" not null,
    actor_id uuid,
    handed_in_at timestamptz not null,
    primary key (chat_id, turn, key),
    foreign key (chat_id, turn) references turns (chat_id, number) on delete cascade
);

-- The texts that the requests of a turn had, by their hash, or by their name under the owner's key if no snapshot has
-- them. Nothing refers to the bytes, which may be stored nowhere.
create table turn_evidence_texts (
    chat_id uuid not null references chats (id) on delete cascade,
    name bytea not null check (length(name) = 32),
    turn bigint not null,
    primary key (chat_id, name, turn)
);
create index turn_evidence_texts_name on turn_evidence_texts (name);

-- What all rows of a turn say together, written with each row.
alter table turns add column evidence_verdict text collate "C";
alter table turns add column evidence_witness text collate "C";
alter table turns add column evidence_requests bigint;

-- The secret under which the clients of a user name texts that no snapshot has.
alter table users add column evidence_key bytea;
