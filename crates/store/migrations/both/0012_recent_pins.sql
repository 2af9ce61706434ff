-- The chats of a user whose pins moved last.
create index chats_pinned on chats (owner_id, pinned_at);
