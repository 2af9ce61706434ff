-- By which door an actor came. Rows of an earlier release have none.
alter table audit_log add column door text;
