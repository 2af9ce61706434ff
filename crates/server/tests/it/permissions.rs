//! Permissions over HTTP: every route answers every caller as the table in `ctxpin_model::access`
//! says. The response for an object that the caller may not know is the same as for an object that
//! does not exist. A route without a line here fails the test.

use std::collections::BTreeMap;

use ctxpin_model::access::{
    Actor, Decision, Object, Operation, Role, Roles, Scope, Scopes, decide,
};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::mcp::{Detail, ServerShape, Tool};
use ctxpin_model::resource::{Content, Kind, Resource, ResourceId, Status};
use ctxpin_protocol::http::agents::{AgentCreate, SessionOpen};
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::http::people::{Secret, TokenCreate, TokenRevoke, UserChange, UserCreate};
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_server::routes::document;
use ctxpin_testing::databases::{HeldWriter, create_postgres_database};
use ctxpin_testing::workspace::Workspace;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Agent, Server, problem};

/// The routes that require no token.
const OPEN: [&str; 5] = ["agent_enrol", "document", "health", "metrics", "readiness"];

/// Returns the operation of a route. Only the routes with another name than their operation have a
/// line here.
fn operation(id: &str) -> Operation {
    match id {
        "skill_list" | "skill_file_read" => Operation::SkillRead,
        "tool_list" => Operation::ToolRead,
        "watch" => Operation::ChatList,
        "chat_watch" => Operation::ChatRead,
        "own_usage_read" => Operation::UsageRead,
        "known_hash_list" | "exposed_chat_list" => Operation::ExposureRead,
        "pending_chat_list" => Operation::PendingChangeList,
        "bulk_move" => Operation::PinMove,
        "instruction_list" | "turn_prompt_read" => Operation::PromptRead,
        same => same
            .parse()
            .unwrap_or_else(|_| panic!("{same} is in no line of this test")),
    }
}

/// A caller, and the actor in the table. A caller without a valid token has no actor.
struct Caller {
    name: String,
    /// The value of the header `Authorization`, if there is one.
    authorization: Option<String>,
    actor: Option<Actor>,
    /// The session of an agent.
    epoch: i64,
}

/// The objects of the routes. All of them are the owner's.
#[derive(Clone, Copy)]
struct Objects {
    agent: Uuid,
    chat: Uuid,
    user: Uuid,
    token: Uuid,
}

/// A server and everybody who calls it.
struct World {
    server: Server,
    owner: Uuid,
    owner_token: Secret,
    /// The name of the owner's key of evidence.
    owner_key: String,
    callers: Vec<Caller>,
    versions: std::cell::Cell<i64>,
}

fn words<T: std::str::FromStr + 'static>(text: &str) -> T {
    text.parse().ok().expect("known words")
}

impl World {
    async fn new(server: Server) -> Self {
        let owner = user_id(&server, "owner", "member").await;
        let owner_token = token(&server, owner, "read write").await;
        let client = ctxpin_client::Client::new(server.url.clone(), owner_token.clone()).unwrap();
        let owner_key = client.evidence_key().await.unwrap().name;
        let mut world = Self {
            server,
            owner,
            owner_token,
            owner_key,
            callers: Vec::new(),
            versions: 1.into(),
        };
        world.add_users().await;
        world.add_agents().await;
        world.add_nobodies().await;
        world
    }

    fn add(&mut self, name: &str, authorization: Option<String>, actor: Option<Actor>, epoch: i64) {
        self.callers.push(Caller {
            name: name.to_owned(),
            authorization,
            actor,
            epoch,
        });
    }

    async fn add_users(&mut self) {
        let all = "read write observe provision admin";
        for (name, roles, scopes) in [
            ("owner", "member", "read write"),
            ("owner", "member", "read"),
            ("owner", "member", "write"),
            ("owner", "member", "observe"),
            ("owner", "member", "provision"),
            ("stranger", "member", all),
            ("auditor", "auditor", all),
            ("auditor and member", "member auditor", "read write"),
            ("observing auditor", "member auditor", "observe"),
            ("another admin", "member admin", all),
            ("admin without admin scope", "member admin", "read write"),
            ("nothing in particular", "", all),
        ] {
            let user = match name {
                "owner" => self.owner,
                name => user_id(&self.server, name, roles).await,
            };
            let secret = token(&self.server, user, scopes).await;
            let actor = Actor::User {
                id: user.into(),
                roles: words::<Roles>(roles),
                token: Uuid::nil().into(),
                scopes: words::<Scopes>(scopes),
            };
            let name = format!("{name} ({scopes})");
            self.add(&name, Some(bearer(&secret)), Some(actor), 1);
        }
    }

    async fn add_agents(&mut self) {
        let other = user_id(&self.server, "other", "member").await;
        for (name, owner, may_refresh) in [
            ("agent", self.owner, false),
            ("agent that may refresh", self.owner, true),
            ("agent of another", other, true),
        ] {
            let (id, secret) = self.agent(owner, may_refresh).await;
            let client = ctxpin_client::Client::new(self.server.url.clone(), secret.clone());
            let process = Uuid::new_v4();
            let session = client
                .unwrap()
                .session_open(&SessionOpen {
                    process,
                    polling: None,
                })
                .await;
            let actor = Actor::Agent {
                id: id.into(),
                owner: owner.into(),
                may_refresh,
                token: Uuid::nil().into(),
            };
            let epoch = session.unwrap().epoch;
            self.add(name, Some(bearer(&secret)), Some(actor), epoch);
        }
    }

    /// Creates an agent of a user, and returns it with its token.
    async fn agent(&self, owner: Uuid, may_refresh: bool) -> (Uuid, Secret) {
        let secret = token(&self.server, owner, "read write").await;
        let client = ctxpin_client::Client::new(self.server.url.clone(), secret).unwrap();
        let request = AgentCreate {
            workspace: Uuid::new_v4().to_string(),
            name: None,
            may_refresh,
            replaces: None,
            ..AgentCreate::default()
        };
        let made = client.agent_create(&request).await.unwrap();
        (made.agent.id, made.token)
    }

    /// Adds callers without a valid token. Some of the tokens were valid before.
    async fn add_nobodies(&mut self) {
        let unknown = format!("Bearer ctxpin_{}_{}", "0".repeat(32), "0".repeat(64));
        let owners = bearer(&self.owner_token);
        let (but_last, last) = owners.split_at(owners.len() - 1);
        let wrong = format!("{but_last}{}", if last == "0" { "1" } else { "0" });
        self.add("nobody", None, None, 1);
        self.add("no token of ours", Some("Bearer x".into()), None, 1);
        self.add("another scheme", Some("Basic YTpi".into()), None, 1);
        self.add("unknown token", Some(unknown), None, 1);
        self.add("wrong secret", Some(wrong), None, 1);

        let admin = &self.server.client;
        let made = admin.token_create(&TokenCreate::default()).await.unwrap();
        admin
            .token_revoke(made.token.id.into(), &TokenRevoke::default())
            .await
            .unwrap();
        let revoked = bearer(&made.secret);
        let expiring = TokenCreate {
            expires_at: Some(made.token.created_at + std::time::Duration::from_secs(3)),
            ..TokenCreate::default()
        };
        let expiring = bearer(&admin.token_create(&expiring).await.unwrap().secret);
        let gone = user_id(&self.server, "gone", "member admin").await;
        let of_disabled = bearer(&token(&self.server, gone, "read write admin").await);
        let (_, agent_of_disabled) = self.agent(gone, true).await;
        let change = UserChange {
            disabled: Some(true),
            ..UserChange::default()
        };
        admin.user_change(gone.into(), &change).await.unwrap();
        let (deleted, of_deleted) = self.agent(self.owner, true).await;
        let owner = ctxpin_client::Client::new(self.server.url.clone(), self.owner_token.clone());
        owner.unwrap().agent_delete(deleted.into()).await.unwrap();
        // Other requests are the clock.
        while self.me(&expiring).await == StatusCode::OK {}
        self.add("revoked token", Some(revoked), None, 1);
        self.add("expired token", Some(expiring), None, 1);
        self.add("disabled user", Some(of_disabled), None, 1);
        let agent_of_disabled = bearer(&agent_of_disabled);
        self.add("agent of a disabled user", Some(agent_of_disabled), None, 1);
        self.add("deleted agent", Some(bearer(&of_deleted)), None, 1);
    }

    async fn me(&self, authorization: &str) -> StatusCode {
        let url = self.server.url.join("/api/v1/me").unwrap();
        let request = self
            .server
            .http
            .get(url)
            .header(AUTHORIZATION, authorization);
        request.send().await.unwrap().status()
    }

    /// Creates new objects: an agent with a head, a chat that has drifted from it, a user and a
    /// token.
    async fn objects(&self) -> Objects {
        let first = Workspace::with_agents_md("/w", "One.\n").skill("pdf", "Reads.", &[("a", "a")]);
        let second = first.clone().file("AGENTS.md", "Two.\n");
        self.objects_of(&first, &second).await
    }

    /// Creates new objects, of an agent that has pushed these workspaces.
    async fn objects_of(&self, first: &Workspace, second: &Workspace) -> Objects {
        let (agent, secret) = self.agent(self.owner, false).await;
        let mut agent = Agent::of(&self.server, agent, secret).await;
        agent.push(first).await;
        let owner = ctxpin_client::Client::new(self.server.url.clone(), self.owner_token.clone());
        let owner = owner.unwrap();
        let create = ChatCreate {
            agent_id: Some(agent.id),
            ..ChatCreate::default()
        };
        let chat = owner.chat_create(&create).await.unwrap().chat.id;
        let turn = TurnBegin::default();
        owner.turn_begin(chat.into(), &turn).await.unwrap();
        agent.push(second).await;
        let token = owner.token_create(&TokenCreate::default()).await.unwrap();
        Objects {
            agent: agent.id,
            chat,
            user: user_id(&self.server, &Uuid::new_v4().to_string(), "member").await,
            token: token.token.id,
        }
    }

    /// Returns a caller's request for a route.
    fn request(&self, route: &Route, objects: &Objects, caller: &Caller) -> RequestBuilder {
        let mut url = self.server.url.join(&route.path(objects)).unwrap();
        if route.id == "instruction_list" {
            url.set_query(Some("path=a"));
        }
        let request = self.server.http.request(route.method.clone(), url);
        let request = match &caller.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        };
        let request = request.header("ctxpin-epoch", caller.epoch);
        self.versions.set(self.versions.get() + 1);
        match body(&route.id, caller, self.versions.get(), &self.owner_key) {
            Some(Value::String(raw)) => request.body(raw),
            Some(json) => request
                .header(CONTENT_TYPE, "application/json")
                .body(json.to_string()),
            None => request,
        }
    }

    /// Returns the visible state of the objects.
    async fn state(&self, objects: &Objects) -> Vec<String> {
        let owner = bearer(&self.owner_token);
        let mut state = Vec::new();
        for path in [
            format!("agents/{}", objects.agent),
            format!("agents/{}/heads", objects.agent),
            format!("chats/{}", objects.chat),
            format!("chats/{}/context/history", objects.chat),
            format!("chats/{}/turns", objects.chat),
            "tokens?limit=3".to_owned(),
            "chats?limit=3".to_owned(),
            "agents?limit=3".to_owned(),
        ] {
            let url = self.server.url.join(&format!("/api/v1/{path}")).unwrap();
            let request = self.server.http.get(url).header(AUTHORIZATION, &owner);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            let mut told: Value = response.json().await.unwrap();
            without_uses(&mut told);
            state.push(told.to_string());
        }
        state
    }
}

/// Removes the times of last uses, because the server writes them later.
fn without_uses(value: &mut Value) {
    if let Some(items) = value["items"].as_array_mut() {
        for item in items {
            if let Some(members) = item.as_object_mut() {
                members.remove("last_used_at");
            }
        }
    }
}

fn bearer(secret: &Secret) -> String {
    format!("Bearer {}", secret.expose())
}

async fn user_id(server: &Server, name: &str, roles: &str) -> Uuid {
    let request = UserCreate {
        name: name.into(),
        roles: roles.split_ascii_whitespace().map(str::to_owned).collect(),
    };
    server.client.user_create(&request).await.unwrap().id
}

async fn token(server: &Server, user: Uuid, scopes: &str) -> Secret {
    let request = TokenCreate {
        scopes: Some(scopes.split(' ').map(str::to_owned).collect()),
        user: Some(user),
        ..TokenCreate::default()
    };
    server.client.token_create(&request).await.unwrap().secret
}

/// A route of the document.
struct Route {
    id: String,
    method: Method,
    template: String,
}

fn routes() -> Vec<Route> {
    let document = serde_json::to_value(document()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, told) in item.as_object().unwrap() {
            routes.push(Route {
                id: told["operationId"].as_str().unwrap().to_owned(),
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                template: path.clone(),
            });
        }
    }
    routes
}

impl Route {
    fn path(&self, objects: &Objects) -> String {
        let parts = self.template.split('/').map(|part| match part {
            "{agent}" => objects.agent.to_string(),
            "{chat}" => objects.chat.to_string(),
            "{user}" => objects.user.to_string(),
            "{token}" => objects.token.to_string(),
            "{resource}" => ResourceId::of(Kind::InstructionFile, "/w/AGENTS.md").to_string(),
            "{hash}" if self.id == "blob_upload" => BlobHash::of(b"bytes").to_string(),
            "{hash}" => BlobHash::of(b"One.\n").to_string(),
            "{change}" => "0".repeat(32),
            "{name}" => "pdf".to_owned(),
            "{number}" => "1".to_owned(),
            "{path}" => "a".to_owned(),
            part => {
                assert!(!part.starts_with('{'), "{part} is in no line of this test");
                part.to_owned()
            }
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Returns the object of the route, as the table knows it.
    fn object(&self, actor: &Actor, owner: Uuid) -> Object {
        let is_on = |part| self.template.contains(part);
        match self.id.as_str() {
            // Each chat of a bulk move has a result of its own.
            "own_usage_read" | "bulk_move" => {
                actor.user().map_or(Object::Collection, Object::Owned)
            }
            // A user who is none of the callers.
            "usage_read" => Object::Owned(Uuid::nil().into()),
            _ if is_on("{agent}") || is_on("{chat}") => Object::Owned(owner.into()),
            _ => Object::Collection,
        }
    }
}

/// Returns the body of the request: JSON, or raw bytes as a string.
fn body(id: &str, caller: &Caller, version: i64, owner_key: &str) -> Option<Value> {
    Some(match id {
        "agent_create" | "enrolment_code_create" => json!({ "workspace": "new" }),
        "blob_upload" => json!("bytes"),
        "chat_create" | "pin_move" | "turn_begin" => json!({}),
        "evidence_add" => json!({
            "owner_key": owner_key, "source": "transcript", "key": "0".repeat(64), "verdict": "as-pinned",
            "requests": 1, "whole": 1,
        }),
        "chat_change" => json!({ "title": caller.name }),
        "chat_start" => json!({ "source": "resume" }),
        "context_push" => json!({
            "epoch": caller.epoch, "version": version, "facts": {}, "resources": [],
        }),
        "bulk_move" => {
            let snapshot = SnapshotId::of(b"never pushed").to_string();
            let chat = json!({ "chat_id": Uuid::nil(), "pin": snapshot, "head": snapshot });
            json!({ "chats": [chat] })
        }
        "pin_move_many" => json!({ "content_hash": BlobHash::of(b"nowhere").to_string() }),
        "quota_change" => json!({ "agents": 9 }),
        "session_open" => json!({ "process": Uuid::new_v4() }),
        "token_create" => {
            // No wider than the caller's own scopes.
            let scopes: Vec<_> = match &caller.actor {
                Some(Actor::User { scopes, .. }) => scopes.words().map(Scope::as_str).collect(),
                _ => vec!["read"],
            };
            json!({ "scopes": scopes })
        }
        "user_change" => json!({ "roles": ["member"] }),
        "user_create" => json!({ "name": Uuid::new_v4(), "roles": ["member"] }),
        _ => return None,
    })
}

/// Returns the problem that the table demands for a caller, or `None` if the caller is allowed.
fn expected(route: &Route, caller: &Caller, owner: Uuid) -> Option<ProblemName> {
    let Some(actor) = &caller.actor else {
        return Some(ProblemName::Unauthenticated);
    };
    let object = route.object(actor, owner);
    match decide(actor, operation(&route.id), object) {
        Decision::Forbidden(_) => Some(ProblemName::Forbidden),
        Decision::NotFound => Some(ProblemName::NotFound),
        Decision::Allow(_) => match *actor {
            // A token of another user exists only for an admin.
            Actor::User {
                id, roles, scopes, ..
            } if route.template.contains("{token}")
                && id.uuid() != owner
                && !(roles.has(Role::Admin) && scopes.has(Scope::Admin)) =>
            {
                Some(ProblemName::NotFound)
            }
            // And none revokes a wider one: the owner's reads and writes.
            Actor::User { scopes, .. }
                if route.id == "token_revoke" && !scopes.has(Scope::Read) =>
            {
                Some(ProblemName::Forbidden)
            }
            _ => None,
        },
    }
}

/// Returns the problem in a response, or `None` for a success. It does not read a stream to its
/// end.
async fn answered(response: Response) -> Option<ProblemName> {
    match response.status().is_success() {
        true => None,
        false => Some(problem(response).await.0),
    }
}

async fn every_route_answers_what_the_table_says(server: Server) {
    let world = World::new(server).await;
    let mut failures = Vec::new();
    for route in routes() {
        if OPEN.contains(&route.id.as_str()) {
            continue;
        }
        let mut objects = world.objects().await;
        // A read writes nothing in any case.
        let before = match route.method == Method::GET {
            true => None,
            false => Some(world.state(&objects).await),
        };
        let (refused, done): (Vec<_>, Vec<_>) = world
            .callers
            .iter()
            .map(|caller| (caller, expected(&route, caller, world.owner)))
            .partition(|(_, expected)| expected.is_some());
        assert!(!refused.is_empty() && !done.is_empty(), "{}", route.id);
        let refused_count = refused.len();
        for (at, (caller, expected)) in refused.into_iter().chain(done).enumerate() {
            if at == refused_count
                && let Some(before) = &before
                && world.state(&objects).await != *before
            {
                failures.push(format!("{}: who was refused wrote something", route.id));
            }
            // The next caller must not find the changed objects.
            if at > refused_count && route.method != Method::GET {
                objects = world.objects().await;
            }
            let response = world.request(&route, &objects, caller).send().await;
            let found = answered(response.unwrap()).await;
            if found != expected {
                let name = &caller.name;
                failures.push(format!(
                    "{} by {name}: {found:?}, not {expected:?}",
                    route.id
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    world.server.stop().await;
}

#[tokio::test]
async fn every_route_answers_what_the_table_says_on_sqlite() {
    every_route_answers_what_the_table_says(Server::start().await).await;
}

#[tokio::test]
async fn every_route_answers_what_the_table_says_on_postgres() {
    let database = create_postgres_database().await;
    every_route_answers_what_the_table_says(Server::start_on(Some(database)).await).await;
}

/// Returns everything that a stranger sees of a response, without the id of the requested object.
async fn seen(response: Response, id: Uuid) -> String {
    let status = response.status();
    let mut headers: BTreeMap<_, _> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect();
    for of_the_moment in ["date", "x-request-id"] {
        headers.remove(of_the_moment);
    }
    let body = response.text().await.unwrap();
    format!("{status} {headers:?} {body}").replace(&id.to_string(), "ID")
}

#[tokio::test]
async fn what_is_somebody_elses_answers_as_what_does_not_exist() {
    for database in [None, Some(create_postgres_database().await)] {
        let world = World::new(Server::start_on(database).await).await;
        let theirs = world.objects().await;
        let none = Objects {
            agent: Uuid::new_v4(),
            chat: Uuid::new_v4(),
            user: Uuid::new_v4(),
            token: Uuid::new_v4(),
        };
        let strangers: Vec<_> = world
            .callers
            .iter()
            .filter(|caller| {
                caller.name.starts_with("stranger") || caller.name == "agent of another"
            })
            .collect();
        assert_eq!(strangers.len(), 2);
        let mut compared = 0;
        for (route, caller) in routes()
            .iter()
            .filter(|route| route.template.contains('{'))
            .flat_map(|route| strangers.iter().map(move |caller| (route, caller)))
        {
            let mut answers = Vec::new();
            for objects in [&theirs, &none] {
                let response = world.request(route, objects, caller).send().await.unwrap();
                let id = match route.template.contains("{chat}") {
                    true => objects.chat,
                    false => objects.agent,
                };
                answers.push(seen(response, id).await);
            }
            assert_eq!(answers[0], answers[1], "{} by {}", route.id, caller.name);
            compared += 1;
        }
        // The same holds for objects that a body names.
        let stranger = strangers[0].authorization.as_ref().unwrap();
        for (method, path, member) in [
            (Method::POST, "/api/v1/chats", "agent_id"),
            (Method::POST, "/api/v1/chats", "parent_id"),
            (Method::POST, "/api/v1/agents", "replaces"),
            (Method::POST, "/api/v1/enrolment-codes", "replaces"),
        ] {
            let mut answers = Vec::new();
            for objects in [&theirs, &none] {
                let id = match member {
                    "parent_id" => objects.chat,
                    _ => objects.agent,
                };
                let mut named = json!({ member: id });
                if member == "replaces" {
                    named["workspace"] = json!("w");
                }
                let url = world.server.url.join(path).unwrap();
                let request = world.server.http.request(method.clone(), url);
                let request = request
                    .header(AUTHORIZATION, stranger)
                    .header(CONTENT_TYPE, "application/json")
                    .body(named.to_string());
                let response = request.send().await.unwrap();
                assert!(response.status().is_client_error(), "{path} {member}");
                answers.push(seen(response, id).await);
            }
            assert_eq!(answers[0], answers[1], "{path} {member}");
            compared += 1;
        }
        assert!(compared > 40, "{compared}");
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_made_up_token_waits_for_no_writer() {
    let world = World::new(Server::start().await).await;
    let objects = world.objects().await;
    let writer = HeldWriter::hold(&world.server.sqlite_path()).await;
    let strangers = ["unknown token", "wrong secret"];
    let mut asked = 0;
    for route in routes() {
        if route.method == Method::GET || OPEN.contains(&route.id.as_str()) {
            continue;
        }
        for caller in &world.callers {
            if strangers.contains(&caller.name.as_str()) {
                let response = world.request(&route, &objects, caller).send().await;
                let status = response.unwrap().status();
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{}", route.id);
                asked += 1;
            }
        }
    }
    assert!(asked > 40, "{asked}");
    drop(writer);
    world.server.stop().await;
}

/// The text that no response to a token without the scope `read` may hold.
const SENTINEL: &str = "sentinel";

/// Returns a workspace with the sentinel in every body and in everything that comes from one.
fn planted(text: &str) -> Workspace {
    let said = format!("{SENTINEL} {text}");
    let mut server = Resource::new(Kind::McpServer, "git", Status::Ok);
    let schema = json!({ "description": said });
    server.detail = Some(Detail::Tools(vec![Tool {
        name: "log".into(),
        description: Some(said.clone()),
        input_schema: schema.as_object().unwrap().clone(),
    }]));
    let mut config = Resource::new(Kind::McpConfig, "/w/.mcp.json", Status::Ok);
    config.content = Some(Content::Claimed(BlobHash::of(said.as_bytes())));
    config.size = said.len() as u64;
    config.root = Some("/w".into());
    config.detail = Some(Detail::Shape(vec![ServerShape {
        name: format!("{SENTINEL}-{text}"),
        transport: "stdio".into(),
        command: Some(format!("{SENTINEL}-{text}")),
        ..ServerShape::default()
    }]));
    Workspace::with_agents_md("/w", &format!("{said}\n\n[{said}]: /nowhere\n"))
        .file_for("rules.md", &said, "/w", &[])
        .skill("pdf", &said, &[("a", &said)])
        .resource(server)
        .resource(config)
}

/// Returns the routes whose responses to a caller hold the sentinel.
async fn telling(world: &World, caller: &Caller) -> Vec<String> {
    let mut telling = Vec::new();
    for route in routes() {
        // Streams do not end, and neither does a test that reads one.
        if OPEN.contains(&route.id.as_str()) || route.id.ends_with("watch") {
            continue;
        }
        let objects = world.objects_of(&planted("one"), &planted("two")).await;
        let response = world.request(&route, &objects, caller).send().await;
        let response = response.unwrap();
        let headers = format!("{:?}", response.headers());
        let body = response.bytes().await.unwrap();
        if (headers + &String::from_utf8_lossy(&body)).contains(SENTINEL) {
            telling.push(route.id);
        }
    }
    telling.sort();
    telling
}

#[tokio::test]
async fn finding_25_without_the_scope_read_no_answer_tells_bodies() {
    let world = World::new(Server::start().await).await;
    let caller = |name: &str| {
        let mut callers = world.callers.iter();
        callers.find(|caller| caller.name == name).unwrap()
    };
    let told = telling(&world, caller("owner (write)")).await;
    assert!(told.is_empty(), "{told:?}");
    // A caller who may read gets the sentinel, so it is in the right places.
    let told = telling(&world, caller("owner (read write)")).await;
    let expected = [
        "context_read",
        "diff_read",
        "instruction_list",
        "pin_move",
        "prompt_read",
        "resource_read",
        "skill_file_read",
        "skill_list",
        "skill_read",
        "tool_list",
        "turn_begin",
        "turn_prompt_read",
        "turn_read",
    ];
    assert_eq!(told, expected);
    world.server.stop().await;
}
