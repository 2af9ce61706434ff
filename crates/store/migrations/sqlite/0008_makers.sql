-- With which token a token was made, or the nearest of its makers that is still kept, and by whom; null for
-- a server's first token, and for what was made before this was noted.
alter table tokens add column made_by_token blob references tokens (id) on delete set null;
alter table tokens add column made_by_user blob references users (id);
create index tokens_made_by_token on tokens (made_by_token);
create index tokens_made_by_user on tokens (made_by_user);

-- With which token it was done, and which token came of it, where one did. All are told, not referred to.
alter table audit_log add column token_id blob;
alter table audit_log add column new_token_id blob;
alter table audit_log add column new_token_user blob;
alter table audit_log add column new_token_scopes text;
alter table audit_log add column new_token_expires_at text;
