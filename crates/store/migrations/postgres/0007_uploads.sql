-- What waits for a push is counted at each upload, so it is counted here and not among all bytes.
alter table agent_uploads add column size bigint not null default 0;
update agent_uploads set size = (select b.size from blobs b where b.hash = agent_uploads.hash);
