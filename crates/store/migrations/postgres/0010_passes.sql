-- Secrets that stand for a token for a short time: sessions of the web page and one-time codes. The hash is the
-- SHA-256 of 32 random bytes. An index on the time serves the sweep of what has expired.
create table passes (
    secret_hash bytea primary key check (octet_length(secret_hash) = 32),
    kind text collate "C" not null,
    token_id uuid not null references tokens (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index passes_token on passes (token_id, kind, created_at);
create index passes_expiry on passes (expires_at);
