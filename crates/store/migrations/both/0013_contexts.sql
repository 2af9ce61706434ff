-- Where a context was in force is looked up by its hash. The id besides it answers from the index alone.
create index snapshots_context on snapshots (context_hash, id);
