-- Where a content was in force is looked up snapshot by snapshot of whoever asks, so that the answer takes
-- as long whether or not others hold it.
drop index snapshot_resources_body;
create index snapshot_resources_body on snapshot_resources (body, snapshot_id) where body is not null;
drop index snapshot_resources_detail;
create index snapshot_resources_detail on snapshot_resources (detail, snapshot_id) where detail is not null;
drop index skill_files_body;
create index skill_files_body on skill_files (body, snapshot_id);
