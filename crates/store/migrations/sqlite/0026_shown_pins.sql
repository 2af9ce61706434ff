-- The number of the pin that a turn is stamped with. Null for a turn without a pin, or from before this migration.
alter table turns add column pin_seq integer;
-- The snapshot with which the turn began, if its evidence has shown another one, which is its stamp now.
alter table turns add column believed_snapshot_id blob references snapshots (id);
create index turns_believed_snapshot on turns (believed_snapshot_id);
-- The number of the turn whose evidence has shown the pin. Null for all other moves.
alter table chat_pins add column evidence_turn integer;
