-- What an enrolment code makes. Its secret, its maker and its expiry are those of the pass. The id is derived from
-- the code, and the agent is there once the code was used.
create table enrolment_codes (
    id blob primary key check (length(id) = 16),
    secret_hash blob not null unique references passes (secret_hash) on delete cascade,
    workspace text not null,
    name text not null,
    may_refresh integer not null check (may_refresh in (0, 1)),
    replaces text,
    agent_id blob references agents (id) on delete cascade
) strict;
create index enrolment_codes_agent on enrolment_codes (agent_id);
