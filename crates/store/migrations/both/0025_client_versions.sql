-- The version of the client that made the requests, as its record names it. Null if the record names none, or for a row
-- from before this migration.
alter table turn_evidence add column client_version text;
-- That of the turn's newest row that has one.
alter table turns add column evidence_client_version text;
