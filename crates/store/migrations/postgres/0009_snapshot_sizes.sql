-- Nothing reads these columns. They get a default, so a server need not write them. A server of the previous
-- release, which runs beside a new one during an upgrade, still may. A later release drops them.
alter table snapshots alter column resource_count set default 0;
alter table snapshots alter column total_bytes set default 0;
