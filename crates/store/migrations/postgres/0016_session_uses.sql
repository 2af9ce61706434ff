-- When a session of the web page was last used. A session of an earlier release has no such time until its next use.
alter table passes add column last_used_at timestamptz;
