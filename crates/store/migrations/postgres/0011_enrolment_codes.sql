-- What an enrolment code makes. Its secret, its maker and its expiry are those of the pass. The id is derived from
-- the code, and the agent is there once the code was used.
create table enrolment_codes (
    id uuid primary key,
    secret_hash bytea not null unique references passes (secret_hash) on delete cascade,
    workspace text collate "C" not null,
    name text collate "C" not null,
    may_refresh boolean not null,
    replaces text collate "C",
    agent_id uuid references agents (id) on delete cascade
);
create index enrolment_codes_agent on enrolment_codes (agent_id);
