-- The tokens whose rows were deleted, for a while. A client that still has one can so be told that it is no longer
-- valid, by the server that knew it.
create table ended_tokens (
    id blob primary key check (length(id) = 16),
    secret_hash blob not null check (length(secret_hash) = 32),
    ended_at text not null
) strict;
create index ended_tokens_time on ended_tokens (ended_at);
