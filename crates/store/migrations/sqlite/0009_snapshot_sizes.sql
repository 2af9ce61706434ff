-- Nothing reads these columns. They get a default, so a server need not write them. A later release drops
-- them. SQLite cannot add a default to a column, so each column is replaced by a new one. A database in
-- SQLite has one server, so no server of an earlier release notices.
alter table snapshots drop column resource_count;
alter table snapshots drop column total_bytes;
alter table snapshots add column resource_count integer not null default 0;
alter table snapshots add column total_bytes integer not null default 0;
