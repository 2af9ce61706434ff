CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.agent_heads (
    agent_id uuid NOT NULL,
    seq bigint NOT NULL,
    snapshot_id bytea NOT NULL,
    context_hash bytea NOT NULL,
    tools_hash bytea NOT NULL,
    received_at timestamp with time zone NOT NULL
);
CREATE TABLE public.agent_sessions (
    agent_id uuid NOT NULL,
    epoch bigint NOT NULL,
    process uuid NOT NULL,
    opened_at timestamp with time zone NOT NULL
);
CREATE TABLE public.agent_uploads (
    agent_id uuid NOT NULL,
    hash bytea NOT NULL,
    uploaded_at timestamp with time zone NOT NULL
);
CREATE TABLE public.agents (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    workspace text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    may_refresh boolean NOT NULL,
    replaces_id uuid,
    replaced_by uuid,
    epoch bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    head_seq bigint DEFAULT 0 NOT NULL,
    head_snapshot bytea,
    mcp_settled boolean DEFAULT false NOT NULL,
    last_push_at timestamp with time zone,
    last_seen_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.audit_log (
    id uuid NOT NULL,
    actor_kind text NOT NULL COLLATE pg_catalog."C",
    actor_id uuid,
    action text NOT NULL COLLATE pg_catalog."C",
    object_kind text COLLATE pg_catalog."C",
    object_id uuid,
    outcome text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.blobs (
    hash bytea NOT NULL,
    size bigint NOT NULL,
    bytes bytea NOT NULL,
    CONSTRAINT blobs_hash_check CHECK ((octet_length(hash) = 32))
);
ALTER TABLE ONLY public.blobs ALTER COLUMN bytes SET COMPRESSION lz4;
CREATE TABLE public.chat_pins (
    chat_id uuid NOT NULL,
    seq bigint NOT NULL,
    snapshot_id bytea,
    prompt bytea,
    agent_id uuid,
    reason text NOT NULL COLLATE pg_catalog."C",
    mcp_settled boolean NOT NULL,
    actor_kind text NOT NULL COLLATE pg_catalog."C",
    actor_id uuid,
    door text NOT NULL COLLATE pg_catalog."C",
    pinned_at timestamp with time zone NOT NULL
);
CREATE TABLE public.chats (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    client text COLLATE pg_catalog."C",
    reference text COLLATE pg_catalog."C",
    title text,
    agent_id uuid,
    parent_id uuid,
    archived_at timestamp with time zone,
    policy text NOT NULL COLLATE pg_catalog."C",
    tools text NOT NULL COLLATE pg_catalog."C",
    declined_context bytea,
    declined_tools bytea,
    pin_seq bigint DEFAULT 0 NOT NULL,
    pin_snapshot bytea,
    pin_prompt bytea,
    pinned_at timestamp with time zone,
    turn_count bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT chats_check CHECK (((pin_snapshot IS NULL) = (pin_prompt IS NULL))),
    CONSTRAINT chats_check1 CHECK (((pin_snapshot IS NULL) = (pinned_at IS NULL)))
);
CREATE TABLE public.prompts (
    context_hash bytea NOT NULL,
    renderer bigint NOT NULL,
    prompt bytea NOT NULL
);
CREATE TABLE public.skill_files (
    snapshot_id bytea NOT NULL,
    ordinal bigint NOT NULL,
    path text NOT NULL COLLATE pg_catalog."C",
    body bytea,
    claimed bytea,
    size bigint NOT NULL,
    executable boolean NOT NULL,
    error text
);
CREATE TABLE public.snapshot_resources (
    snapshot_id bytea NOT NULL,
    ordinal bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    error text,
    body bytea,
    claimed bytea,
    size bigint NOT NULL,
    name text,
    description text,
    root text,
    detail bytea
);
CREATE TABLE public.snapshots (
    id bytea NOT NULL,
    context_hash bytea NOT NULL,
    tools_hash bytea NOT NULL,
    os text,
    directory text,
    error text,
    resource_count bigint NOT NULL,
    total_bytes bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT snapshots_id_check CHECK ((octet_length(id) = 32))
);
CREATE TABLE public.tokens (
    id uuid NOT NULL,
    user_id uuid,
    agent_id uuid,
    label text,
    scopes text NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT tokens_check CHECK (((user_id IS NULL) <> (agent_id IS NULL)))
);
CREATE TABLE public.turns (
    chat_id uuid NOT NULL,
    number bigint NOT NULL,
    snapshot_id bytea,
    prompt bytea,
    tools_snapshot bytea,
    delivery text NOT NULL COLLATE pg_catalog."C",
    reference text COLLATE pg_catalog."C",
    started_at timestamp with time zone NOT NULL
);
CREATE TABLE public.users (
    id uuid NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    roles text NOT NULL,
    disabled boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL
);
INSERT INTO public._sqlx_migrations VALUES (1, 'foundation', '2026-11-26 20:21:25.524856+00', true, '\x5da688211de66bb5bd1e08d528627edbcc86e9e44d994069b76b44ce62b52797d0bfb4361594c8ca0569849accc163f0', 31417324);
INSERT INTO public.agent_heads VALUES ('01a21985-23e6-7fe7-aad8-9fdd585256d5', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xabf75adde061f33be4089459db2cf0c0b36969d8ae59b688143aaeee3f530c0f', '\x815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a', '2026-11-26 20:21:25.666772+00');
INSERT INTO public.agent_heads VALUES ('01a21985-23e6-7fe7-aad8-9fdd585256d5', 2, '\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', '\xbc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160', '\x815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a', '2026-11-26 20:21:25.852979+00');
INSERT INTO public.agent_sessions VALUES ('01a21985-23e6-7fe7-aad8-9fdd585256d5', 1, '53c41225-5ddf-4165-8b95-acecb0ba0f16', '2026-11-26 20:21:25.656582+00');
INSERT INTO public.agent_sessions VALUES ('01a21985-23e6-7fe7-aad8-9fdd585256d5', 2, 'fd9c7025-3b6b-4c41-9ff1-02e5338bac9a', '2026-11-26 20:21:25.838765+00');
INSERT INTO public.agents VALUES ('01a21985-23e6-7fe7-aad8-9fdd585256d5', '01a21985-23d4-7751-920c-5696dea3ac02', 'shop', 'laptop', false, NULL, NULL, 2, 2, 2, '\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', true, '2026-11-26 20:21:25.852979+00', '2026-11-26 20:21:25.852979+00', '2026-11-26 20:21:25.606914+00');
INSERT INTO public.audit_log VALUES ('01a21985-23b5-7578-8cff-03c8c5af2614', 'system', NULL, 'token_create', 'user', '01a21985-23b5-7eb4-aba2-96a34a9f6d4a', 'done', '2026-11-26 20:21:25.557963+00');
INSERT INTO public.audit_log VALUES ('01a21985-23d4-7e36-82e3-4b48c04d1915', 'user', '01a21985-23b5-7eb4-aba2-96a34a9f6d4a', 'user_create', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'done', '2026-11-26 20:21:25.588436+00');
INSERT INTO public.audit_log VALUES ('01a21985-23dd-765d-8aab-9a630eb00538', 'user', '01a21985-23b5-7eb4-aba2-96a34a9f6d4a', 'token_create_for', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'done', '2026-11-26 20:21:25.597002+00');
INSERT INTO public.audit_log VALUES ('01a21985-23e6-7d8e-ba6f-fac93c0eaa26', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'agent_create', 'agent', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'done', '2026-11-26 20:21:25.606914+00');
INSERT INTO public.audit_log VALUES ('01a21985-23ee-7f8f-84a2-63132afa61f3', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-23ee-74d9-b65d-ab322a894e8c', 'done', '2026-11-26 20:21:25.614645+00');
INSERT INTO public.audit_log VALUES ('01a21985-2439-721d-aac8-ec57e4f50797', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-2439-7ac9-b453-e4980dc834d6', 'done', '2026-11-26 20:21:25.689081+00');
INSERT INTO public.audit_log VALUES ('01a21985-2448-7f82-82b4-a9d326145fdd', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-2448-7a9a-bf71-43908631fa75', 'done', '2026-11-26 20:21:25.704384+00');
INSERT INTO public.audit_log VALUES ('01a21985-2452-7036-bf01-721f0abe1485', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-2452-7c14-9fb4-fcd0277b0865', 'done', '2026-11-26 20:21:25.714414+00');
INSERT INTO public.audit_log VALUES ('01a21985-245c-76e3-adbd-cc1beabaee13', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-245c-7d53-8526-c339d649a82f', 'done', '2026-11-26 20:21:25.724869+00');
INSERT INTO public.audit_log VALUES ('01a21985-2469-7db7-a88d-7dbf7aa79e83', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-2469-7a46-9d97-266ac470abd3', 'done', '2026-11-26 20:21:25.737503+00');
INSERT INTO public.audit_log VALUES ('01a21985-2475-7e11-ba02-d2d4a8fceec5', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-2475-7604-96d8-ab8e3635d52d', 'done', '2026-11-26 20:21:25.749119+00');
INSERT INTO public.audit_log VALUES ('01a21985-247f-7a3f-9826-b8aaead973e2', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-247f-7435-a9e3-2327030f8245', 'done', '2026-11-26 20:21:25.759222+00');
INSERT INTO public.audit_log VALUES ('01a21985-2487-731a-9fb2-9455e732475a', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_create', 'chat', '01a21985-2487-7853-b788-09cbcc16be27', 'done', '2026-11-26 20:21:25.767845+00');
INSERT INTO public.audit_log VALUES ('01a21985-24a0-7b9b-9540-6a500a328a31', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'chat_change', 'chat', '01a21985-2475-7604-96d8-ab8e3635d52d', 'done', '2026-11-26 20:21:25.7929+00');
INSERT INTO public.audit_log VALUES ('01a21985-24ee-7670-84e5-2d1e59d213a2', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'pin_move', 'chat', '01a21985-2469-7a46-9d97-266ac470abd3', 'done', '2026-11-26 20:21:25.870457+00');
INSERT INTO public.audit_log VALUES ('01a21985-24fa-7339-b622-ed4720c97619', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'pin_move', 'chat', '01a21985-247f-7435-a9e3-2327030f8245', 'done', '2026-11-26 20:21:25.882529+00');
INSERT INTO public.audit_log VALUES ('01a21985-2502-7964-b55e-8c71b5527ad5', 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'pin_move', 'chat', '01a21985-247f-7435-a9e3-2327030f8245', 'done', '2026-11-26 20:21:25.890681+00');
INSERT INTO public.blobs VALUES ('\xbc9787fdc29d5b7d79c7f8776b51b5c8fd11a03bb38b883cb7e4c3f2d9d72649', 121, '\x2d2d2d0a6e616d653a2072656c656173652d6e6f7465730a6465736372697074696f6e3a205772697465732072656c65617365206e6f7465732e20557365206974206265666f726520612072656c656173652e0a2d2d2d0a5265616420746865206c6f672e0a0a202020203c212d2d20636f6465202d2d3e0a');
INSERT INTO public.blobs VALUES ('\xde711e230fd974f0a98967507985e2e5a8f198e424bbb93e5448a0c0c16e84c7', 178, '\x2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e3c212d2d20616e642074656c6c206e6f626f6479202d2d3e0a4b6565702066756e6374696f6e732073686f72742e20200a4d61726b2073637265656e73686f7473207769746820603c212d2d2073686f7473202d2d3e602e0a0a0a60606079616d6c0a736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726fe2808b77696474682e0a');
INSERT INTO public.blobs VALUES ('\xf73729f013811584a8316a8141b4a8c243a3bc998acd33377f5032f85f978ff4', 28, '\x23212f62696e2f73680a676974206c6f67202d2d6f6e656c696e650a');
INSERT INTO public.blobs VALUES ('\xb7d8baac02d378fb34626c102505f9c85e48748bf52e6bde9213f514f8a32487', 95, '\x7b2273657276657273223a5b7b22636f6d6d616e64223a226e7078222c22656e76223a5b22544f4b454e225d2c2268656164657273223a5b5d2c226e616d65223a2266696c6573222c227472616e73706f7274223a22737464696f227d5d7d');
INSERT INTO public.blobs VALUES ('\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', 505, '\x3c776f726b73706163652d636f6e746578743e0a4f7065726174696e672053797374656d3a206c696e75780a576f726b696e67204469726563746f72793a202f7372762f73686f700a0a536f757263653a202f7372762f73686f702f4147454e54532e6d640a2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e0a4b6565702066756e6374696f6e732073686f72742e0a4d61726b2073637265656e73686f747320776974682060602e0a0a60606079616d6c0a5c736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726f77696474682e0a3c2f776f726b73706163652d636f6e746578743e0a0a3c617661696c61626c652d736b696c6c733e0a546865736520736b696c6c73206172652070696e6e656420746f207468697320636861742e205768656e2061207461736b206d617463686573206120736b696c6c2773206465736372697074696f6e2c2072656164207468617420736b696c6c20627920697473206e616d65206265666f726520796f752073746172742c20616e6420666f6c6c6f772069742e0a0a2d2072656c656173652d6e6f7465733a205772697465732072656c65617365206e6f7465732e20557365206974206265666f726520612072656c656173652e0a3c2f617661696c61626c652d736b696c6c733e0a');
INSERT INTO public.blobs VALUES ('\x3e16abb0e3394231143c99a85a1c8184a51df0ee12ccb16974ecf7b99e1a37ff', 27, '\x4265206b696e642e0a3c212d2d206f6c64206e6f7465202d2d3e0a');
INSERT INTO public.blobs VALUES ('\xab1a4cffdfac98977ee1f4b1a5d779e7279efef703bb661d91bbfe594400d144', 194, '\x2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e3c212d2d20616e642074656c6c206e6f626f6479202d2d3e0a4b6565702066756e6374696f6e732073686f72742c20616e64206e616d6573206c6f6e672e20200a4d61726b2073637265656e73686f7473207769746820603c212d2d2073686f7473202d2d3e602e0a0a0a60606079616d6c0a736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726fe2808b77696474682e0a');
INSERT INTO public.blobs VALUES ('\x9a1e48e10a79859d51fbdbf9770285d4a9bd1557f2b8976d1b68c1d6398c26d9', 559, '\x3c776f726b73706163652d636f6e746578743e0a4f7065726174696e672053797374656d3a206c696e75780a576f726b696e67204469726563746f72793a202f7372762f73686f700a0a536f757263653a202f7372762f73686f702f4147454e54532e6d640a2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e0a4b6565702066756e6374696f6e732073686f72742c20616e64206e616d6573206c6f6e672e0a4d61726b2073637265656e73686f747320776974682060602e0a0a60606079616d6c0a5c736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726f77696474682e0a0a536f757263653a202f7372762f73686f702f434c415544452e6d640a4265206b696e642e0a3c2f776f726b73706163652d636f6e746578743e0a0a3c617661696c61626c652d736b696c6c733e0a546865736520736b696c6c73206172652070696e6e656420746f207468697320636861742e205768656e2061207461736b206d617463686573206120736b696c6c2773206465736372697074696f6e2c2072656164207468617420736b696c6c20627920697473206e616d65206265666f726520796f752073746172742c20616e6420666f6c6c6f772069742e0a0a2d2072656c656173652d6e6f7465733a205772697465732072656c65617365206e6f7465732e20557365206974206265666f726520612072656c656173652e0a3c2f617661696c61626c652d736b696c6c733e0a');
INSERT INTO public.chat_pins VALUES ('01a21985-23ee-74d9-b65d-ab322a894e8c', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'hydrate', true, 'agent', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'agent', '2026-11-26 20:21:25.666772+00');
INSERT INTO public.chat_pins VALUES ('01a21985-2439-7ac9-b453-e4980dc834d6', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'create', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.689081+00');
INSERT INTO public.chat_pins VALUES ('01a21985-2448-7a9a-bf71-43908631fa75', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'create', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.704384+00');
INSERT INTO public.chat_pins VALUES ('01a21985-2452-7c14-9fb4-fcd0277b0865', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'create', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.714414+00');
INSERT INTO public.chat_pins VALUES ('01a21985-245c-7d53-8526-c339d649a82f', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'create', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.724869+00');
INSERT INTO public.chat_pins VALUES ('01a21985-2469-7a46-9d97-266ac470abd3', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'create', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.737503+00');
INSERT INTO public.chat_pins VALUES ('01a21985-2475-7604-96d8-ab8e3635d52d', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'create', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.749119+00');
INSERT INTO public.chat_pins VALUES ('01a21985-247f-7435-a9e3-2327030f8245', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'create', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.759222+00');
INSERT INTO public.chat_pins VALUES ('01a21985-2487-7853-b788-09cbcc16be27', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'inherit', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.767845+00');
INSERT INTO public.chat_pins VALUES ('01a21985-247f-7435-a9e3-2327030f8245', 2, '\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', '\x9a1e48e10a79859d51fbdbf9770285d4a9bd1557f2b8976d1b68c1d6398c26d9', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'refresh', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.882529+00');
INSERT INTO public.chat_pins VALUES ('01a21985-247f-7435-a9e3-2327030f8245', 3, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '01a21985-23e6-7fe7-aad8-9fdd585256d5', 'rollback', true, 'user', '01a21985-23d4-7751-920c-5696dea3ac02', 'api', '2026-11-26 20:21:25.890681+00');
INSERT INTO public.chats VALUES ('01a21985-23ee-74d9-b65d-ab322a894e8c', '01a21985-23d4-7751-920c-5696dea3ac02', NULL, NULL, 'waits for a pin', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, NULL, 'manual', 'live', NULL, NULL, 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.666772+00', 0, '2026-11-26 20:21:25.614645+00', '2026-11-26 20:21:25.614645+00');
INSERT INTO public.chats VALUES ('01a21985-2448-7a9a-bf71-43908631fa75', '01a21985-23d4-7751-920c-5696dea3ac02', 'test', 'follow', 'follow', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, NULL, 'follow', 'live', NULL, NULL, 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.704384+00', 0, '2026-11-26 20:21:25.704384+00', '2026-11-26 20:21:25.704384+00');
INSERT INTO public.chats VALUES ('01a21985-2452-7c14-9fb4-fcd0277b0865', '01a21985-23d4-7751-920c-5696dea3ac02', 'test', 'additive', 'additive', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, NULL, 'additive', 'live', NULL, NULL, 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.714414+00', 0, '2026-11-26 20:21:25.714414+00', '2026-11-26 20:21:25.714414+00');
INSERT INTO public.chats VALUES ('01a21985-245c-7d53-8526-c339d649a82f', '01a21985-23d4-7751-920c-5696dea3ac02', 'test', 'tools', 'tools', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, NULL, 'manual', 'pinned', NULL, NULL, 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.724869+00', 0, '2026-11-26 20:21:25.724869+00', '2026-11-26 20:21:25.724869+00');
INSERT INTO public.chats VALUES ('01a21985-2487-7853-b788-09cbcc16be27', '01a21985-23d4-7751-920c-5696dea3ac02', NULL, NULL, 'child', '01a21985-23e6-7fe7-aad8-9fdd585256d5', '01a21985-2439-7ac9-b453-e4980dc834d6', NULL, 'manual', 'live', NULL, NULL, 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.767845+00', 0, '2026-11-26 20:21:25.767845+00', '2026-11-26 20:21:25.767845+00');
INSERT INTO public.chats VALUES ('01a21985-2439-7ac9-b453-e4980dc834d6', '01a21985-23d4-7751-920c-5696dea3ac02', 'test', 'manual', 'manual', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, NULL, 'manual', 'live', NULL, NULL, 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.689081+00', 1, '2026-11-26 20:21:25.689081+00', '2026-11-26 20:21:25.781897+00');
INSERT INTO public.chats VALUES ('01a21985-2475-7604-96d8-ab8e3635d52d', '01a21985-23d4-7751-920c-5696dea3ac02', 'test', 'archived', 'archived', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, '2026-11-26 20:21:25.7929+00', 'manual', 'live', NULL, NULL, 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.749119+00', 0, '2026-11-26 20:21:25.749119+00', '2026-11-26 20:21:25.7929+00');
INSERT INTO public.chats VALUES ('01a21985-2469-7a46-9d97-266ac470abd3', '01a21985-23d4-7751-920c-5696dea3ac02', 'test', 'declined', 'declined', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, NULL, 'manual', 'live', '\xbc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160', '\x815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.737503+00', 0, '2026-11-26 20:21:25.737503+00', '2026-11-26 20:21:25.737503+00');
INSERT INTO public.chats VALUES ('01a21985-247f-7435-a9e3-2327030f8245', '01a21985-23d4-7751-920c-5696dea3ac02', 'test', 'rolled_back', 'rolled_back', '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, NULL, 'manual', 'live', NULL, NULL, 3, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '2026-11-26 20:21:25.890681+00', 0, '2026-11-26 20:21:25.759222+00', '2026-11-26 20:21:25.759222+00');
INSERT INTO public.prompts VALUES ('\xabf75adde061f33be4089459db2cf0c0b36969d8ae59b688143aaeee3f530c0f', 1, '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c');
INSERT INTO public.prompts VALUES ('\xbc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160', 1, '\x9a1e48e10a79859d51fbdbf9770285d4a9bd1557f2b8976d1b68c1d6398c26d9');
INSERT INTO public.skill_files VALUES ('\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', 3, 'scripts/log.sh', '\xf73729f013811584a8316a8141b4a8c243a3bc998acd33377f5032f85f978ff4', NULL, 28, true, NULL);
INSERT INTO public.skill_files VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', 4, 'scripts/log.sh', '\xf73729f013811584a8316a8141b4a8c243a3bc998acd33377f5032f85f978ff4', NULL, 28, true, NULL);
INSERT INTO public.snapshot_resources VALUES ('\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', 0, 'instruction_file', '/srv/shop/AGENTS.md', 'ok', NULL, '\xde711e230fd974f0a98967507985e2e5a8f198e424bbb93e5448a0c0c16e84c7', NULL, 178, NULL, NULL, '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', 1, 'skill', '/srv/shop/.agents/skills/deploy/SKILL.md', 'invalid', '`name` is `Deploy Now`; only lower-case letters a-z, digits and hyphens are allowed; `name` is `Deploy Now`, but its directory is `deploy`; they must be equal', NULL, '\xb59c7b02f084cac8f5c6c657be1893c61de0097804c39eb3a7964a02caf9435f', 77, 'Deploy Now', 'Deploys. Use it when asked.', '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', 2, 'skill', '/srv/shop/.agents/skills/mail/SKILL.md', 'invalid', '`metadata` must be a mapping of texts to texts', NULL, '\xa1c319a7f90317ea651f435cd663bb09d44386acb9a75a52d3ccf16a54f260d2', 111, 'mail', 'Sends mail. Use it when asked.', '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', 3, 'skill', '/srv/shop/.agents/skills/release-notes/SKILL.md', 'ok', NULL, '\xbc9787fdc29d5b7d79c7f8776b51b5c8fd11a03bb38b883cb7e4c3f2d9d72649', NULL, 121, 'release-notes', 'Writes release notes. Use it before a release.', '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', 4, 'mcp_config', '/srv/shop/.mcp.json', 'ok', NULL, NULL, '\xa1bcf3f370ec380a7402b12ed949cdfdf340af7d55aab2eaa9da9d5c250d01f5', 75, NULL, NULL, '/srv/shop', '\xb7d8baac02d378fb34626c102505f9c85e48748bf52e6bde9213f514f8a32487');
INSERT INTO public.snapshot_resources VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', 0, 'instruction_file', '/srv/shop/AGENTS.md', 'ok', NULL, '\xab1a4cffdfac98977ee1f4b1a5d779e7279efef703bb661d91bbfe594400d144', NULL, 194, NULL, NULL, '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', 1, 'instruction_file', '/srv/shop/CLAUDE.md', 'ok', NULL, '\x3e16abb0e3394231143c99a85a1c8184a51df0ee12ccb16974ecf7b99e1a37ff', NULL, 27, NULL, NULL, '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', 2, 'skill', '/srv/shop/.agents/skills/deploy/SKILL.md', 'invalid', '`name` is `Deploy Now`; only lower-case letters a-z, digits and hyphens are allowed; `name` is `Deploy Now`, but its directory is `deploy`; they must be equal', NULL, '\xb59c7b02f084cac8f5c6c657be1893c61de0097804c39eb3a7964a02caf9435f', 77, 'Deploy Now', 'Deploys. Use it when asked.', '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', 3, 'skill', '/srv/shop/.agents/skills/mail/SKILL.md', 'invalid', '`metadata` must be a mapping of texts to texts', NULL, '\xa1c319a7f90317ea651f435cd663bb09d44386acb9a75a52d3ccf16a54f260d2', 111, 'mail', 'Sends mail. Use it when asked.', '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', 4, 'skill', '/srv/shop/.agents/skills/release-notes/SKILL.md', 'ok', NULL, '\xbc9787fdc29d5b7d79c7f8776b51b5c8fd11a03bb38b883cb7e4c3f2d9d72649', NULL, 121, 'release-notes', 'Writes release notes. Use it before a release.', '/srv/shop', NULL);
INSERT INTO public.snapshot_resources VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', 5, 'mcp_config', '/srv/shop/.mcp.json', 'ok', NULL, NULL, '\xa1bcf3f370ec380a7402b12ed949cdfdf340af7d55aab2eaa9da9d5c250d01f5', 75, NULL, NULL, '/srv/shop', '\xb7d8baac02d378fb34626c102505f9c85e48748bf52e6bde9213f514f8a32487');
INSERT INTO public.snapshots VALUES ('\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xabf75adde061f33be4089459db2cf0c0b36969d8ae59b688143aaeee3f530c0f', '\x815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a', 'linux', '/srv/shop', NULL, 5, 590, '2026-11-26 20:21:25.666772+00');
INSERT INTO public.snapshots VALUES ('\x6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae', '\xbc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160', '\x815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a', 'linux', '/srv/shop', NULL, 6, 633, '2026-11-26 20:21:25.852979+00');
INSERT INTO public.tokens VALUES ('01a21985-23b5-7b5d-a96a-9cdf0b72e8c7', '01a21985-23b5-7eb4-aba2-96a34a9f6d4a', NULL, 'made by ctxpin serve', 'read write provision admin', '\xbb25778991500718658520582b2bca727485027250085b9380a7a3ed6559fb52', '2026-11-26 20:21:25.557963+00', NULL, NULL, NULL);
INSERT INTO public.tokens VALUES ('01a21985-23dd-7a0d-872a-2e86c58d6ef7', '01a21985-23d4-7751-920c-5696dea3ac02', NULL, 'laptop', 'read write', '\x826a4f80d0d84895593664905b1250d92a408c438ea1f0dcaee9bd6b0cb65c6e', '2026-11-26 20:21:25.597002+00', NULL, NULL, NULL);
INSERT INTO public.tokens VALUES ('01a21985-23e6-702b-b49e-7f0f8c138794', NULL, '01a21985-23e6-7fe7-aad8-9fdd585256d5', NULL, '', '\xfb3d5b5ef6c2eb19711ada27ab2553aa23626f43c70d941f076b65f77c07ae0c', '2026-11-26 20:21:25.606914+00', NULL, NULL, NULL);
INSERT INTO public.turns VALUES ('01a21985-2439-7ac9-b453-e4980dc834d6', 1, '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', '\xf45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c', '\xa1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5', 'delivered', 'one', '2026-11-26 20:21:25.781897+00');
INSERT INTO public.users VALUES ('01a21985-23b5-7eb4-aba2-96a34a9f6d4a', 'admin', 'member admin', false, '2026-11-26 20:21:25.557963+00');
INSERT INTO public.users VALUES ('01a21985-23d4-7751-920c-5696dea3ac02', 'ada', 'member', false, '2026-11-26 20:21:25.588436+00');
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.agent_heads
    ADD CONSTRAINT agent_heads_pkey PRIMARY KEY (agent_id, seq);
ALTER TABLE ONLY public.agent_sessions
    ADD CONSTRAINT agent_sessions_agent_id_process_key UNIQUE (agent_id, process);
ALTER TABLE ONLY public.agent_sessions
    ADD CONSTRAINT agent_sessions_pkey PRIMARY KEY (agent_id, epoch);
ALTER TABLE ONLY public.agent_uploads
    ADD CONSTRAINT agent_uploads_pkey PRIMARY KEY (agent_id, hash);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY public.chat_pins
    ADD CONSTRAINT chat_pins_pkey PRIMARY KEY (chat_id, seq);
ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_owner_id_client_reference_key UNIQUE (owner_id, client, reference);
ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.prompts
    ADD CONSTRAINT prompts_pkey PRIMARY KEY (context_hash, renderer);
ALTER TABLE ONLY public.skill_files
    ADD CONSTRAINT skill_files_pkey PRIMARY KEY (snapshot_id, ordinal, path);
ALTER TABLE ONLY public.snapshot_resources
    ADD CONSTRAINT snapshot_resources_pkey PRIMARY KEY (snapshot_id, ordinal);
ALTER TABLE ONLY public.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_chat_id_reference_key UNIQUE (chat_id, reference);
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_pkey PRIMARY KEY (chat_id, number);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_name_key UNIQUE (name);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX agent_heads_context ON public.agent_heads USING btree (agent_id, context_hash, seq);
CREATE INDEX agent_heads_snapshot ON public.agent_heads USING btree (snapshot_id);
CREATE INDEX agent_uploads_hash ON public.agent_uploads USING btree (hash);
CREATE INDEX agents_head_snapshot ON public.agents USING btree (head_snapshot);
CREATE INDEX agents_owner ON public.agents USING btree (owner_id, id);
CREATE INDEX agents_replaced_by ON public.agents USING btree (replaced_by);
CREATE INDEX agents_replaces ON public.agents USING btree (replaces_id);
CREATE INDEX chat_pins_prompt ON public.chat_pins USING btree (prompt);
CREATE INDEX chat_pins_snapshot ON public.chat_pins USING btree (snapshot_id);
CREATE INDEX chats_agent ON public.chats USING btree (agent_id, id);
CREATE INDEX chats_owner ON public.chats USING btree (owner_id, id);
CREATE INDEX chats_parent ON public.chats USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX chats_unpinned ON public.chats USING btree (agent_id, id) WHERE ((pin_snapshot IS NULL) AND (archived_at IS NULL));
CREATE INDEX prompts_prompt ON public.prompts USING btree (prompt);
CREATE INDEX skill_files_body ON public.skill_files USING btree (body);
CREATE INDEX snapshot_resources_body ON public.snapshot_resources USING btree (body) WHERE (body IS NOT NULL);
CREATE INDEX snapshot_resources_detail ON public.snapshot_resources USING btree (detail) WHERE (detail IS NOT NULL);
CREATE INDEX tokens_agent ON public.tokens USING btree (agent_id);
CREATE INDEX tokens_user ON public.tokens USING btree (user_id, id);
CREATE INDEX turns_prompt ON public.turns USING btree (prompt);
CREATE INDEX turns_snapshot ON public.turns USING btree (snapshot_id);
CREATE INDEX turns_tools_snapshot ON public.turns USING btree (tools_snapshot);
ALTER TABLE ONLY public.agent_heads
    ADD CONSTRAINT agent_heads_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.agent_heads
    ADD CONSTRAINT agent_heads_snapshot_id_fkey FOREIGN KEY (snapshot_id) REFERENCES public.snapshots(id);
ALTER TABLE ONLY public.agent_sessions
    ADD CONSTRAINT agent_sessions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.agent_uploads
    ADD CONSTRAINT agent_uploads_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.agent_uploads
    ADD CONSTRAINT agent_uploads_hash_fkey FOREIGN KEY (hash) REFERENCES public.blobs(hash);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_head_snapshot_fkey FOREIGN KEY (head_snapshot) REFERENCES public.snapshots(id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES public.agents(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_replaces_id_fkey FOREIGN KEY (replaces_id) REFERENCES public.agents(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.chat_pins
    ADD CONSTRAINT chat_pins_chat_id_fkey FOREIGN KEY (chat_id) REFERENCES public.chats(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.chat_pins
    ADD CONSTRAINT chat_pins_prompt_fkey FOREIGN KEY (prompt) REFERENCES public.blobs(hash);
ALTER TABLE ONLY public.chat_pins
    ADD CONSTRAINT chat_pins_snapshot_id_fkey FOREIGN KEY (snapshot_id) REFERENCES public.snapshots(id);
ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.chats(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.prompts
    ADD CONSTRAINT prompts_prompt_fkey FOREIGN KEY (prompt) REFERENCES public.blobs(hash);
ALTER TABLE ONLY public.skill_files
    ADD CONSTRAINT skill_files_body_fkey FOREIGN KEY (body) REFERENCES public.blobs(hash);
ALTER TABLE ONLY public.skill_files
    ADD CONSTRAINT skill_files_snapshot_id_ordinal_fkey FOREIGN KEY (snapshot_id, ordinal) REFERENCES public.snapshot_resources(snapshot_id, ordinal) ON DELETE CASCADE;
ALTER TABLE ONLY public.snapshot_resources
    ADD CONSTRAINT snapshot_resources_body_fkey FOREIGN KEY (body) REFERENCES public.blobs(hash);
ALTER TABLE ONLY public.snapshot_resources
    ADD CONSTRAINT snapshot_resources_detail_fkey FOREIGN KEY (detail) REFERENCES public.blobs(hash);
ALTER TABLE ONLY public.snapshot_resources
    ADD CONSTRAINT snapshot_resources_snapshot_id_fkey FOREIGN KEY (snapshot_id) REFERENCES public.snapshots(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_chat_id_fkey FOREIGN KEY (chat_id) REFERENCES public.chats(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_prompt_fkey FOREIGN KEY (prompt) REFERENCES public.blobs(hash);
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_snapshot_id_fkey FOREIGN KEY (snapshot_id) REFERENCES public.snapshots(id);
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_tools_snapshot_fkey FOREIGN KEY (tools_snapshot) REFERENCES public.snapshots(id);
