-- The audit log is read by its actor, its object and its action, and by what was refused, newest first.
create index audit_log_actor on audit_log (actor_id, id);
create index audit_log_object on audit_log (object_id, id);
create index audit_log_action on audit_log (action, id);
create index audit_log_forbidden on audit_log (id) where outcome = 'forbidden';
