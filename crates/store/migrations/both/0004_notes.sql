-- What there is to know of an agent's workspace that no resource tells, as its last push said it: a list
-- of objects in JSON.
alter table agents add column notes text not null default '[]';
