-- What a renderer makes of the bytes of an instruction file or a SKILL.md: worked out once, when they
-- first belong to a push.
create table treatments (
    blob blob not null references blobs (hash) on delete cascade,
    kind text not null,
    renderer integer not null,
    given blob not null,
    removed_comment integer not null,
    removed_invisible integer not null,
    removed_blank integer not null,
    warnings text not null,
    primary key (blob, kind, renderer)
) strict, without rowid;

-- The renderers under which everything is treated that was stored before they came.
create table treated_renderers (
    renderer integer primary key
) strict;
