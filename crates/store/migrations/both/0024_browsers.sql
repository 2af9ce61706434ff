-- The browser that a session was begun in, in words, and the process that the session ends with. Null if it is not
-- known, or if the session outlives processes.
alter table passes add column browser text;
alter table passes add column process text;
