PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'foundation','2026-11-26 20:21:19',1,X'e58c3c5bcb1e2f5c040ed2f06496e3341f2595473235641cfee8fa8b27b0c5d60ca3016d7f61ad9897f1865ebfb28629',7387749);
CREATE TABLE users (
    id blob primary key,
    name text not null unique,
    roles text not null,
    disabled integer not null default 0,
    created_at text not null
) strict;
INSERT INTO users VALUES(X'01a219850c517c77813b27e1d6995988','admin','member admin',0,'2026-11-26T20:21:19.569385+00:00');
INSERT INTO users VALUES(X'01a219850c7e7fb29fe55ff5005a2285','ada','member',0,'2026-11-26T20:21:19.614909+00:00');
CREATE TABLE blobs (
    hash blob primary key check (length(hash) = 32),
    size integer not null,
    bytes blob not null
) strict;
INSERT INTO blobs VALUES(X'bc9787fdc29d5b7d79c7f8776b51b5c8fd11a03bb38b883cb7e4c3f2d9d72649',121,X'2d2d2d0a6e616d653a2072656c656173652d6e6f7465730a6465736372697074696f6e3a205772697465732072656c65617365206e6f7465732e20557365206974206265666f726520612072656c656173652e0a2d2d2d0a5265616420746865206c6f672e0a0a202020203c212d2d20636f6465202d2d3e0a');
INSERT INTO blobs VALUES(X'de711e230fd974f0a98967507985e2e5a8f198e424bbb93e5448a0c0c16e84c7',178,X'2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e3c212d2d20616e642074656c6c206e6f626f6479202d2d3e0a4b6565702066756e6374696f6e732073686f72742e20200a4d61726b2073637265656e73686f7473207769746820603c212d2d2073686f7473202d2d3e602e0a0a0a60606079616d6c0a736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726fe2808b77696474682e0a');
INSERT INTO blobs VALUES(X'f73729f013811584a8316a8141b4a8c243a3bc998acd33377f5032f85f978ff4',28,X'23212f62696e2f73680a676974206c6f67202d2d6f6e656c696e650a');
INSERT INTO blobs VALUES(X'b7d8baac02d378fb34626c102505f9c85e48748bf52e6bde9213f514f8a32487',95,X'7b2273657276657273223a5b7b22636f6d6d616e64223a226e7078222c22656e76223a5b22544f4b454e225d2c2268656164657273223a5b5d2c226e616d65223a2266696c6573222c227472616e73706f7274223a22737464696f227d5d7d');
INSERT INTO blobs VALUES(X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',505,X'3c776f726b73706163652d636f6e746578743e0a4f7065726174696e672053797374656d3a206c696e75780a576f726b696e67204469726563746f72793a202f7372762f73686f700a0a536f757263653a202f7372762f73686f702f4147454e54532e6d640a2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e0a4b6565702066756e6374696f6e732073686f72742e0a4d61726b2073637265656e73686f747320776974682060602e0a0a60606079616d6c0a5c736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726f77696474682e0a3c2f776f726b73706163652d636f6e746578743e0a0a3c617661696c61626c652d736b696c6c733e0a546865736520736b696c6c73206172652070696e6e656420746f207468697320636861742e205768656e2061207461736b206d617463686573206120736b696c6c2773206465736372697074696f6e2c2072656164207468617420736b696c6c20627920697473206e616d65206265666f726520796f752073746172742c20616e6420666f6c6c6f772069742e0a0a2d2072656c656173652d6e6f7465733a205772697465732072656c65617365206e6f7465732e20557365206974206265666f726520612072656c656173652e0a3c2f617661696c61626c652d736b696c6c733e0a');
INSERT INTO blobs VALUES(X'3e16abb0e3394231143c99a85a1c8184a51df0ee12ccb16974ecf7b99e1a37ff',27,X'4265206b696e642e0a3c212d2d206f6c64206e6f7465202d2d3e0a');
INSERT INTO blobs VALUES(X'ab1a4cffdfac98977ee1f4b1a5d779e7279efef703bb661d91bbfe594400d144',194,X'2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e3c212d2d20616e642074656c6c206e6f626f6479202d2d3e0a4b6565702066756e6374696f6e732073686f72742c20616e64206e616d6573206c6f6e672e20200a4d61726b2073637265656e73686f7473207769746820603c212d2d2073686f7473202d2d3e602e0a0a0a60606079616d6c0a736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726fe2808b77696474682e0a');
INSERT INTO blobs VALUES(X'9a1e48e10a79859d51fbdbf9770285d4a9bd1557f2b8976d1b68c1d6398c26d9',559,X'3c776f726b73706163652d636f6e746578743e0a4f7065726174696e672053797374656d3a206c696e75780a576f726b696e67204469726563746f72793a202f7372762f73686f700a0a536f757263653a202f7372762f73686f702f4147454e54532e6d640a2320486f7573652072756c65730a0a57726974652074686520746573742066697273742e0a4b6565702066756e6374696f6e732073686f72742c20616e64206e616d6573206c6f6e672e0a4d61726b2073637265656e73686f747320776974682060602e0a0a60606079616d6c0a5c736f757263653a20686572650a0a726574726965733a20330a6060600a5a65726f77696474682e0a0a536f757263653a202f7372762f73686f702f434c415544452e6d640a4265206b696e642e0a3c2f776f726b73706163652d636f6e746578743e0a0a3c617661696c61626c652d736b696c6c733e0a546865736520736b696c6c73206172652070696e6e656420746f207468697320636861742e205768656e2061207461736b206d617463686573206120736b696c6c2773206465736372697074696f6e2c2072656164207468617420736b696c6c20627920697473206e616d65206265666f726520796f752073746172742c20616e6420666f6c6c6f772069742e0a0a2d2072656c656173652d6e6f7465733a205772697465732072656c65617365206e6f7465732e20557365206974206265666f726520612072656c656173652e0a3c2f617661696c61626c652d736b696c6c733e0a');
CREATE TABLE snapshots (
    id blob primary key check (length(id) = 32),
    context_hash blob not null,
    tools_hash blob not null,
    os text,
    directory text,
    error text,
    resource_count integer not null,
    total_bytes integer not null,
    created_at text not null
) strict;
INSERT INTO snapshots VALUES(X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'abf75adde061f33be4089459db2cf0c0b36969d8ae59b688143aaeee3f530c0f',X'815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a','linux','/srv/shop',NULL,5,590,'2026-11-26T20:21:19.697519+00:00');
INSERT INTO snapshots VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',X'bc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160',X'815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a','linux','/srv/shop',NULL,6,633,'2026-11-26T20:21:19.819387+00:00');
CREATE TABLE snapshot_resources (
    snapshot_id blob not null references snapshots (id) on delete cascade,
    ordinal integer not null,
    kind text not null,
    source text not null,
    status text not null,
    error text,
    body blob references blobs (hash),
    claimed blob,
    size integer not null,
    name text,
    description text,
    root text,
    detail blob references blobs (hash),
    primary key (snapshot_id, ordinal)
) strict, without rowid;
INSERT INTO snapshot_resources VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',0,'instruction_file','/srv/shop/AGENTS.md','ok',NULL,X'ab1a4cffdfac98977ee1f4b1a5d779e7279efef703bb661d91bbfe594400d144',NULL,194,NULL,NULL,'/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',1,'instruction_file','/srv/shop/CLAUDE.md','ok',NULL,X'3e16abb0e3394231143c99a85a1c8184a51df0ee12ccb16974ecf7b99e1a37ff',NULL,27,NULL,NULL,'/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',2,'skill','/srv/shop/.agents/skills/deploy/SKILL.md','invalid','`name` is `Deploy Now`; only lower-case letters a-z, digits and hyphens are allowed; `name` is `Deploy Now`, but its directory is `deploy`; they must be equal',NULL,X'b59c7b02f084cac8f5c6c657be1893c61de0097804c39eb3a7964a02caf9435f',77,'Deploy Now','Deploys. Use it when asked.','/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',3,'skill','/srv/shop/.agents/skills/mail/SKILL.md','invalid','`metadata` must be a mapping of texts to texts',NULL,X'a1c319a7f90317ea651f435cd663bb09d44386acb9a75a52d3ccf16a54f260d2',111,'mail','Sends mail. Use it when asked.','/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',4,'skill','/srv/shop/.agents/skills/release-notes/SKILL.md','ok',NULL,X'bc9787fdc29d5b7d79c7f8776b51b5c8fd11a03bb38b883cb7e4c3f2d9d72649',NULL,121,'release-notes','Writes release notes. Use it before a release.','/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',5,'mcp_config','/srv/shop/.mcp.json','ok',NULL,NULL,X'a1bcf3f370ec380a7402b12ed949cdfdf340af7d55aab2eaa9da9d5c250d01f5',75,NULL,NULL,'/srv/shop',X'b7d8baac02d378fb34626c102505f9c85e48748bf52e6bde9213f514f8a32487');
INSERT INTO snapshot_resources VALUES(X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',0,'instruction_file','/srv/shop/AGENTS.md','ok',NULL,X'de711e230fd974f0a98967507985e2e5a8f198e424bbb93e5448a0c0c16e84c7',NULL,178,NULL,NULL,'/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',1,'skill','/srv/shop/.agents/skills/deploy/SKILL.md','invalid','`name` is `Deploy Now`; only lower-case letters a-z, digits and hyphens are allowed; `name` is `Deploy Now`, but its directory is `deploy`; they must be equal',NULL,X'b59c7b02f084cac8f5c6c657be1893c61de0097804c39eb3a7964a02caf9435f',77,'Deploy Now','Deploys. Use it when asked.','/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',2,'skill','/srv/shop/.agents/skills/mail/SKILL.md','invalid','`metadata` must be a mapping of texts to texts',NULL,X'a1c319a7f90317ea651f435cd663bb09d44386acb9a75a52d3ccf16a54f260d2',111,'mail','Sends mail. Use it when asked.','/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',3,'skill','/srv/shop/.agents/skills/release-notes/SKILL.md','ok',NULL,X'bc9787fdc29d5b7d79c7f8776b51b5c8fd11a03bb38b883cb7e4c3f2d9d72649',NULL,121,'release-notes','Writes release notes. Use it before a release.','/srv/shop',NULL);
INSERT INTO snapshot_resources VALUES(X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',4,'mcp_config','/srv/shop/.mcp.json','ok',NULL,NULL,X'a1bcf3f370ec380a7402b12ed949cdfdf340af7d55aab2eaa9da9d5c250d01f5',75,NULL,NULL,'/srv/shop',X'b7d8baac02d378fb34626c102505f9c85e48748bf52e6bde9213f514f8a32487');
CREATE TABLE skill_files (
    snapshot_id blob not null,
    ordinal integer not null,
    path text not null,
    body blob references blobs (hash),
    claimed blob,
    size integer not null,
    executable integer not null,
    error text,
    primary key (snapshot_id, ordinal, path),
    foreign key (snapshot_id, ordinal) references snapshot_resources (snapshot_id, ordinal) on delete cascade
) strict;
INSERT INTO skill_files VALUES(X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',3,'scripts/log.sh',X'f73729f013811584a8316a8141b4a8c243a3bc998acd33377f5032f85f978ff4',NULL,28,1,NULL);
INSERT INTO skill_files VALUES(X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',4,'scripts/log.sh',X'f73729f013811584a8316a8141b4a8c243a3bc998acd33377f5032f85f978ff4',NULL,28,1,NULL);
CREATE TABLE prompts (
    context_hash blob not null,
    renderer integer not null,
    prompt blob not null references blobs (hash),
    primary key (context_hash, renderer)
) strict;
INSERT INTO prompts VALUES(X'abf75adde061f33be4089459db2cf0c0b36969d8ae59b688143aaeee3f530c0f',1,X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c');
INSERT INTO prompts VALUES(X'bc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160',1,X'9a1e48e10a79859d51fbdbf9770285d4a9bd1557f2b8976d1b68c1d6398c26d9');
CREATE TABLE agents (
    id blob primary key,
    owner_id blob not null references users (id),
    workspace text not null,
    name text not null,
    may_refresh integer not null,
    replaces_id blob references agents (id) on delete set null,
    replaced_by blob references agents (id) on delete set null,
    epoch integer not null default 0,
    version integer not null default 0,
    head_seq integer not null default 0,
    head_snapshot blob references snapshots (id),
    mcp_settled integer not null default 0,
    last_push_at text,
    last_seen_at text,
    created_at text not null
) strict;
INSERT INTO agents VALUES(X'01a219850c877ec4a793a38e0c700f8b',X'01a219850c7e7fb29fe55ff5005a2285','shop','laptop',0,NULL,NULL,2,2,2,X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',1,'2026-11-26T20:21:19.819387+00:00','2026-11-26T20:21:19.819387+00:00','2026-11-26T20:21:19.623332+00:00');
CREATE TABLE agent_sessions (
    agent_id blob not null references agents (id) on delete cascade,
    epoch integer not null,
    process blob not null,
    opened_at text not null,
    primary key (agent_id, epoch),
    unique (agent_id, process)
) strict;
INSERT INTO agent_sessions VALUES(X'01a219850c877ec4a793a38e0c700f8b',1,X'4b7b0a8666344199aa75e477718a219f','2026-11-26T20:21:19.689498+00:00');
INSERT INTO agent_sessions VALUES(X'01a219850c877ec4a793a38e0c700f8b',2,X'69093bd00cf54c659ce85bb0208af4be','2026-11-26T20:21:19.807438+00:00');
CREATE TABLE agent_heads (
    agent_id blob not null references agents (id) on delete cascade,
    seq integer not null,
    snapshot_id blob not null references snapshots (id),
    context_hash blob not null,
    tools_hash blob not null,
    received_at text not null,
    primary key (agent_id, seq)
) strict, without rowid;
INSERT INTO agent_heads VALUES(X'01a219850c877ec4a793a38e0c700f8b',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'abf75adde061f33be4089459db2cf0c0b36969d8ae59b688143aaeee3f530c0f',X'815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a','2026-11-26T20:21:19.697519+00:00');
INSERT INTO agent_heads VALUES(X'01a219850c877ec4a793a38e0c700f8b',2,X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',X'bc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160',X'815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a','2026-11-26T20:21:19.819387+00:00');
CREATE TABLE agent_uploads (
    agent_id blob not null references agents (id) on delete cascade,
    hash blob not null references blobs (hash),
    uploaded_at text not null,
    primary key (agent_id, hash)
) strict;
CREATE TABLE tokens (
    id blob primary key,
    user_id blob references users (id),
    agent_id blob references agents (id) on delete cascade,
    label text,
    scopes text not null,
    secret_hash blob not null,
    created_at text not null,
    expires_at text,
    last_used_at text,
    revoked_at text,
    check ((user_id is null) <> (agent_id is null))
) strict;
INSERT INTO tokens VALUES(X'01a219850c517dbd9d219b19e84e7c9c',X'01a219850c517c77813b27e1d6995988',NULL,'made by ctxpin serve','read write provision admin',X'3eea2f394fa4f1e3f7ba04f3c89f2f263424e7cbc52581743775eeed611805b3','2026-11-26T20:21:19.569385+00:00',NULL,NULL,NULL);
INSERT INTO tokens VALUES(X'01a219850c8374cd965fc3526cc43efb',X'01a219850c7e7fb29fe55ff5005a2285',NULL,'laptop','read write',X'093a6e9ebb9761fe03b33d3cc53be234c9e243eb065d0b2339d260b59ca11ba9','2026-11-26T20:21:19.619232+00:00',NULL,NULL,NULL);
INSERT INTO tokens VALUES(X'01a219850c87756fb1cecea2e6cdd27f',NULL,X'01a219850c877ec4a793a38e0c700f8b',NULL,'',X'cb445941fc3723c2c2b0c9018dff95cf126099be006431e3ebaec4711b9c9616','2026-11-26T20:21:19.623332+00:00',NULL,NULL,NULL);
CREATE TABLE chats (
    id blob primary key,
    owner_id blob not null references users (id),
    client text,
    reference text,
    title text,
    agent_id blob references agents (id) on delete set null,
    parent_id blob references chats (id) on delete set null,
    archived_at text,
    policy text not null,
    tools text not null,
    declined_context blob,
    declined_tools blob,
    pin_seq integer not null default 0,
    pin_snapshot blob,
    pin_prompt blob,
    pinned_at text,
    turn_count integer not null default 0,
    created_at text not null,
    updated_at text not null,
    unique (owner_id, client, reference),
    check ((pin_snapshot is null) = (pin_prompt is null)),
    check ((pin_snapshot is null) = (pinned_at is null))
) strict;
INSERT INTO chats VALUES(X'01a219850c8b71d2bc2d0f0ee0ea8c08',X'01a219850c7e7fb29fe55ff5005a2285',NULL,NULL,'waits for a pin',X'01a219850c877ec4a793a38e0c700f8b',NULL,NULL,'manual','live',NULL,NULL,1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.697519+00:00',0,'2026-11-26T20:21:19.627226+00:00','2026-11-26T20:21:19.627226+00:00');
INSERT INTO chats VALUES(X'01a219850cdd7bd8af9730540c403030',X'01a219850c7e7fb29fe55ff5005a2285','test','manual','manual',X'01a219850c877ec4a793a38e0c700f8b',NULL,NULL,'manual','live',NULL,NULL,1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.709873+00:00',1,'2026-11-26T20:21:19.709873+00:00','2026-11-26T20:21:19.760158+00:00');
INSERT INTO chats VALUES(X'01a219850ce5743487f45fa0a7c7cd52',X'01a219850c7e7fb29fe55ff5005a2285','test','follow','follow',X'01a219850c877ec4a793a38e0c700f8b',NULL,NULL,'follow','live',NULL,NULL,1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.717027+00:00',0,'2026-11-26T20:21:19.717027+00:00','2026-11-26T20:21:19.717027+00:00');
INSERT INTO chats VALUES(X'01a219850cea7d468af8c7b433d8d0d0',X'01a219850c7e7fb29fe55ff5005a2285','test','additive','additive',X'01a219850c877ec4a793a38e0c700f8b',NULL,NULL,'additive','live',NULL,NULL,1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.722383+00:00',0,'2026-11-26T20:21:19.722383+00:00','2026-11-26T20:21:19.722383+00:00');
INSERT INTO chats VALUES(X'01a219850cf07d9e89a7bb99f03e11c8',X'01a219850c7e7fb29fe55ff5005a2285','test','tools','tools',X'01a219850c877ec4a793a38e0c700f8b',NULL,NULL,'manual','pinned',NULL,NULL,1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.728721+00:00',0,'2026-11-26T20:21:19.728721+00:00','2026-11-26T20:21:19.728721+00:00');
INSERT INTO chats VALUES(X'01a219850cf77e50aa27d690668f9a56',X'01a219850c7e7fb29fe55ff5005a2285','test','declined','declined',X'01a219850c877ec4a793a38e0c700f8b',NULL,NULL,'manual','live',X'bc88bcc342b3a28caabb33f07185b66b13734730e65aa76c4165293a5e67b160',X'815b209c54e748c88d80bf214e7356e4618126f2a054bcb54023579600ed088a',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.735633+00:00',0,'2026-11-26T20:21:19.735633+00:00','2026-11-26T20:21:19.735633+00:00');
INSERT INTO chats VALUES(X'01a219850cfd76f2a7191c27da675d52',X'01a219850c7e7fb29fe55ff5005a2285','test','archived','archived',X'01a219850c877ec4a793a38e0c700f8b',NULL,'2026-11-26T20:21:19.766032+00:00','manual','live',NULL,NULL,1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.741402+00:00',0,'2026-11-26T20:21:19.741402+00:00','2026-11-26T20:21:19.766032+00:00');
INSERT INTO chats VALUES(X'01a219850d037facab4547cb646d394b',X'01a219850c7e7fb29fe55ff5005a2285','test','rolled_back','rolled_back',X'01a219850c877ec4a793a38e0c700f8b',NULL,NULL,'manual','live',NULL,NULL,3,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.847379+00:00',0,'2026-11-26T20:21:19.747908+00:00','2026-11-26T20:21:19.747908+00:00');
INSERT INTO chats VALUES(X'01a219850d097ae694a287aaebd8dc21',X'01a219850c7e7fb29fe55ff5005a2285',NULL,NULL,'child',X'01a219850c877ec4a793a38e0c700f8b',X'01a219850cdd7bd8af9730540c403030',NULL,'manual','live',NULL,NULL,1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c','2026-11-26T20:21:19.753158+00:00',0,'2026-11-26T20:21:19.753158+00:00','2026-11-26T20:21:19.753158+00:00');
CREATE TABLE chat_pins (
    chat_id blob not null references chats (id) on delete cascade,
    seq integer not null,
    snapshot_id blob references snapshots (id),
    prompt blob references blobs (hash),
    agent_id blob,
    reason text not null,
    mcp_settled integer not null,
    actor_kind text not null,
    actor_id blob,
    door text not null,
    pinned_at text not null,
    primary key (chat_id, seq)
) strict, without rowid;
INSERT INTO chat_pins VALUES(X'01a219850c8b71d2bc2d0f0ee0ea8c08',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','hydrate',1,'agent',X'01a219850c877ec4a793a38e0c700f8b','agent','2026-11-26T20:21:19.697519+00:00');
INSERT INTO chat_pins VALUES(X'01a219850cdd7bd8af9730540c403030',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','create',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.709873+00:00');
INSERT INTO chat_pins VALUES(X'01a219850ce5743487f45fa0a7c7cd52',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','create',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.717027+00:00');
INSERT INTO chat_pins VALUES(X'01a219850cea7d468af8c7b433d8d0d0',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','create',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.722383+00:00');
INSERT INTO chat_pins VALUES(X'01a219850cf07d9e89a7bb99f03e11c8',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','create',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.728721+00:00');
INSERT INTO chat_pins VALUES(X'01a219850cf77e50aa27d690668f9a56',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','create',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.735633+00:00');
INSERT INTO chat_pins VALUES(X'01a219850cfd76f2a7191c27da675d52',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','create',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.741402+00:00');
INSERT INTO chat_pins VALUES(X'01a219850d037facab4547cb646d394b',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','create',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.747908+00:00');
INSERT INTO chat_pins VALUES(X'01a219850d037facab4547cb646d394b',2,X'6c0b14ae6531ac51032d07cdd8d20e95c8a041abbf2eb1bc35b69a725e6c19ae',X'9a1e48e10a79859d51fbdbf9770285d4a9bd1557f2b8976d1b68c1d6398c26d9',X'01a219850c877ec4a793a38e0c700f8b','refresh',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.842237+00:00');
INSERT INTO chat_pins VALUES(X'01a219850d037facab4547cb646d394b',3,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','rollback',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.847379+00:00');
INSERT INTO chat_pins VALUES(X'01a219850d097ae694a287aaebd8dc21',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'01a219850c877ec4a793a38e0c700f8b','inherit',1,'user',X'01a219850c7e7fb29fe55ff5005a2285','api','2026-11-26T20:21:19.753158+00:00');
CREATE TABLE turns (
    chat_id blob not null references chats (id) on delete cascade,
    number integer not null,
    snapshot_id blob references snapshots (id),
    prompt blob references blobs (hash),
    tools_snapshot blob references snapshots (id),
    delivery text not null,
    reference text,
    started_at text not null,
    primary key (chat_id, number),
    unique (chat_id, reference)
) strict, without rowid;
INSERT INTO turns VALUES(X'01a219850cdd7bd8af9730540c403030',1,X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5',X'f45aa267d732bdbac820aeae80c197f3c23c324cf13fd3bc0a0623802c7d994c',X'a1b8af456438a85107b93f47c694398bd12306c2ea82ce42644c3ab9b6e4f6f5','delivered','one','2026-11-26T20:21:19.760158+00:00');
CREATE TABLE audit_log (
    id blob primary key,
    actor_kind text not null,
    actor_id blob,
    action text not null,
    object_kind text,
    object_id blob,
    outcome text not null,
    at text not null
) strict, without rowid;
INSERT INTO audit_log VALUES(X'01a219850c51789095af266c83c7e4a9','system',NULL,'token_create','user',X'01a219850c517c77813b27e1d6995988','done','2026-11-26T20:21:19.569385+00:00');
INSERT INTO audit_log VALUES(X'01a219850c7e7e46b12ec200f374f96c','user',X'01a219850c517c77813b27e1d6995988','user_create','user',X'01a219850c7e7fb29fe55ff5005a2285','done','2026-11-26T20:21:19.614909+00:00');
INSERT INTO audit_log VALUES(X'01a219850c83756bb3b241e3834589d5','user',X'01a219850c517c77813b27e1d6995988','token_create_for','user',X'01a219850c7e7fb29fe55ff5005a2285','done','2026-11-26T20:21:19.619232+00:00');
INSERT INTO audit_log VALUES(X'01a219850c877737810dccba2b923b6b','user',X'01a219850c7e7fb29fe55ff5005a2285','agent_create','agent',X'01a219850c877ec4a793a38e0c700f8b','done','2026-11-26T20:21:19.623332+00:00');
INSERT INTO audit_log VALUES(X'01a219850c8b7021b57bc09912ec68f1','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850c8b71d2bc2d0f0ee0ea8c08','done','2026-11-26T20:21:19.627226+00:00');
INSERT INTO audit_log VALUES(X'01a219850cdd705db4b700df6a23f0df','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850cdd7bd8af9730540c403030','done','2026-11-26T20:21:19.709873+00:00');
INSERT INTO audit_log VALUES(X'01a219850ce5774c8c376ed29de21696','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850ce5743487f45fa0a7c7cd52','done','2026-11-26T20:21:19.717027+00:00');
INSERT INTO audit_log VALUES(X'01a219850cea75aba7cc05e82a789fd6','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850cea7d468af8c7b433d8d0d0','done','2026-11-26T20:21:19.722383+00:00');
INSERT INTO audit_log VALUES(X'01a219850cf078f0857bbee3c341da10','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850cf07d9e89a7bb99f03e11c8','done','2026-11-26T20:21:19.728721+00:00');
INSERT INTO audit_log VALUES(X'01a219850cf77db4a1b62b455cd94c5a','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850cf77e50aa27d690668f9a56','done','2026-11-26T20:21:19.735633+00:00');
INSERT INTO audit_log VALUES(X'01a219850cfd7db68a654c01761cfdd0','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850cfd76f2a7191c27da675d52','done','2026-11-26T20:21:19.741402+00:00');
INSERT INTO audit_log VALUES(X'01a219850d037139b293eec3b3304dfe','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850d037facab4547cb646d394b','done','2026-11-26T20:21:19.747908+00:00');
INSERT INTO audit_log VALUES(X'01a219850d0976399e5aff2455a75509','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_create','chat',X'01a219850d097ae694a287aaebd8dc21','done','2026-11-26T20:21:19.753158+00:00');
INSERT INTO audit_log VALUES(X'01a219850d167e46a377ba9a541ccb43','user',X'01a219850c7e7fb29fe55ff5005a2285','chat_change','chat',X'01a219850cfd76f2a7191c27da675d52','done','2026-11-26T20:21:19.766032+00:00');
INSERT INTO audit_log VALUES(X'01a219850d5874a590e286c799cc326f','user',X'01a219850c7e7fb29fe55ff5005a2285','pin_move','chat',X'01a219850cf77e50aa27d690668f9a56','done','2026-11-26T20:21:19.832812+00:00');
INSERT INTO audit_log VALUES(X'01a219850d627f0b8f4f12dd0bd56f96','user',X'01a219850c7e7fb29fe55ff5005a2285','pin_move','chat',X'01a219850d037facab4547cb646d394b','done','2026-11-26T20:21:19.842237+00:00');
INSERT INTO audit_log VALUES(X'01a219850d677b039882652cd3d8e4a8','user',X'01a219850c7e7fb29fe55ff5005a2285','pin_move','chat',X'01a219850d037facab4547cb646d394b','done','2026-11-26T20:21:19.847379+00:00');
CREATE INDEX snapshot_resources_body on snapshot_resources (body) where body is not null;
CREATE INDEX snapshot_resources_detail on snapshot_resources (detail) where detail is not null;
CREATE INDEX skill_files_body on skill_files (body);
CREATE INDEX prompts_prompt on prompts (prompt);
CREATE INDEX agents_owner on agents (owner_id, id);
CREATE INDEX agents_replaces on agents (replaces_id);
CREATE INDEX agents_replaced_by on agents (replaced_by);
CREATE INDEX agents_head_snapshot on agents (head_snapshot);
CREATE INDEX agent_heads_context on agent_heads (agent_id, context_hash, seq);
CREATE INDEX agent_heads_snapshot on agent_heads (snapshot_id);
CREATE INDEX agent_uploads_hash on agent_uploads (hash);
CREATE INDEX tokens_user on tokens (user_id, id);
CREATE INDEX tokens_agent on tokens (agent_id);
CREATE INDEX chats_owner on chats (owner_id, id);
CREATE INDEX chats_agent on chats (agent_id, id);
CREATE INDEX chats_parent on chats (parent_id) where parent_id is not null;
CREATE INDEX chats_unpinned on chats (agent_id, id) where pin_snapshot is null and archived_at is null;
CREATE INDEX chat_pins_snapshot on chat_pins (snapshot_id);
CREATE INDEX chat_pins_prompt on chat_pins (prompt);
CREATE INDEX turns_snapshot on turns (snapshot_id);
CREATE INDEX turns_prompt on turns (prompt);
CREATE INDEX turns_tools_snapshot on turns (tools_snapshot);
COMMIT;
