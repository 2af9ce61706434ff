-- The tool whose rules an agent follows, and the directory of its settings if it is not the usual one.
alter table agents add column profile text collate "C" not null default 'neutral';
alter table agents add column home text collate "C";
alter table enrolment_codes add column profile text collate "C" not null default 'neutral';
alter table enrolment_codes add column home text collate "C";

-- The rules by which the resources were found: a version, and settings as canonical JSON. A snapshot of the neutral
-- profile has none.
alter table snapshots add column profile text collate "C";
alter table snapshots add column rules bigint;
alter table snapshots add column settings text collate "C";
