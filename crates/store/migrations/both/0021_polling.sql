-- Why the agent polls files, as it said at its last contact. Null if it watches them.
alter table agents add column polling text;
