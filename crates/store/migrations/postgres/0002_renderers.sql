-- A pin names the renderer that made its prompt: until now there was one.
alter table chats add column pin_renderer bigint;
update chats set pin_renderer = 1 where pin_prompt is not null;
alter table chat_pins add column renderer bigint;
update chat_pins set renderer = 1 where prompt is not null;
