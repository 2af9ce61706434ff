-- Whether a chat's pin decides what a model gets, or records what the chat's client read.
alter table chats add column mode text collate "C" not null default 'delivered';

-- Whether the client may have read files that are newer than the snapshot of the row.
alter table chat_pins add column unconfirmed boolean not null default false;
