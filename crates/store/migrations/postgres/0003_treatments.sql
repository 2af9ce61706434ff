-- What a renderer makes of the bytes of an instruction file or a SKILL.md: worked out once, when they
-- first belong to a push.
create table treatments (
    blob bytea not null references blobs (hash) on delete cascade,
    kind text not null,
    renderer bigint not null,
    given bytea not null,
    removed_comment bigint not null,
    removed_invisible bigint not null,
    removed_blank bigint not null,
    warnings text not null,
    primary key (blob, kind, renderer)
);

-- The renderers under which everything is treated that was stored before they came.
create table treated_renderers (
    renderer bigint primary key
);
