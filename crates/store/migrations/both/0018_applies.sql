-- Which files an instruction file is for, as canonical JSON, and the source of the file that imports it. Both are absent
-- under the rules of tools that have no such thing.
alter table snapshot_resources add column applies text;
alter table snapshot_resources add column imported_by text;
