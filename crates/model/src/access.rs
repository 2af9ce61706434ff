//! Authorization: one table says who may do what, and every access to stored data asks it.

use std::fmt;

use uuid::Uuid;

use crate::id::{AgentId, TokenId, UserId};
use crate::resource::{UnknownWord, spelled};

spelled! {
    /// A role of a user. A user can have several.
    Role {
        /// Owns agents and chats, and cannot see those of others.
        Member = "member",
        /// Reads the metadata and the history of all users and the audit log, but no bodies.
        Auditor = "auditor",
        /// Manages users, refreshes chats by filter, and reads the same as an auditor.
        Admin = "admin",
    }
}

spelled! {
    /// A scope of a token, which limits what its user can do with it.
    Scope {
        Read = "read",
        /// Write the user's own objects.
        Write = "write",
        /// Follow the user's clients: find and create chats, tell of their sessions and turns, tell forks their parents,
        /// and hand in evidence. It moves no pin by choice, and reads the bodies of the user's own chats. Read and write
        /// together allow as much.
        Observe = "observe",
        /// Create agents whose tokens outlive this one, and agents for other users.
        Provision = "provision",
        /// Do what an admin may do beyond a member.
        Admin = "admin",
    }
}

/// Declares a set of [`Role`]s or [`Scope`]s. Its text is the words in their order of declaration,
/// separated by spaces.
macro_rules! word_sets {
    ($($(#[$doc:meta])* $set:ident of $word:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default)]
        pub struct $set(u8);

        impl $set {
            /// Returns the set of all words.
            pub fn all() -> Self {
                $word::ALL.iter().copied().collect()
            }

            /// Returns whether the word is in the set.
            pub fn has(self, word: $word) -> bool {
                self.0 & (1 << word as u8) != 0
            }

            /// Returns whether the set has no words.
            pub fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Iterates over the words, in their order of declaration.
            pub fn words(self) -> impl Iterator<Item = $word> {
                $word::ALL.iter().copied().filter(move |word| self.has(*word))
            }
        }

        impl FromIterator<$word> for $set {
            fn from_iter<I: IntoIterator<Item = $word>>(words: I) -> Self {
                Self(words.into_iter().fold(0, |bits, word| bits | (1 << word as u8)))
            }
        }

        impl fmt::Display for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let words: Vec<_> = self.words().map($word::as_str).collect();
                f.write_str(&words.join(" "))
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "[{self}]")
            }
        }

        impl std::str::FromStr for $set {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                text.split_ascii_whitespace().map(str::parse::<$word>).collect()
            }
        }
    )+};
}

word_sets! {
    /// The roles of a user.
    Roles of Role,
    /// The scopes of a token.
    Scopes of Scope,
}

impl Scopes {
    /// Returns the first scope of `others` that these do not allow.
    pub fn lacking(self, others: Self) -> Option<Scope> {
        let is_allowed = |scope: Scope| {
            let follows =
                scope == Scope::Observe && self.has(Scope::Read) && self.has(Scope::Write);
            self.has(scope) || follows
        };
        others.words().find(|scope| !is_allowed(*scope))
    }
}

/// The authenticated caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    User {
        id: UserId,
        roles: Roles,
        token: TokenId,
        scopes: Scopes,
    },
    Agent {
        id: AgentId,
        owner: UserId,
        /// Whether the agent may refresh its owner's chats.
        may_refresh: bool,
        token: TokenId,
    },
    /// Background work of the server.
    System,
}

impl Actor {
    /// Returns the user on whose behalf the actor calls, who is the owner of an agent. `None` for the
    /// system.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Agent { owner, .. } => Some(*owner),
            Self::System => None,
        }
    }
}

/// An actor as the audit log and the pin history store it: without its token and its rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorRef {
    User(UserId),
    Agent(AgentId),
    System,
}

impl ActorRef {
    /// Returns the reference to an actor.
    pub fn of(actor: &Actor) -> Self {
        match actor {
            Actor::User { id, .. } => Self::User(*id),
            Actor::Agent { id, .. } => Self::Agent(*id),
            Actor::System => Self::System,
        }
    }

    /// Returns the actor of a kind and an id, as [`ActorRef::kind`] and [`ActorRef::uuid`] give them.
    /// `None` if no actor has both.
    pub fn from_parts(kind: &str, id: Option<Uuid>) -> Option<Self> {
        match (kind, id) {
            ("user", Some(id)) => Some(Self::User(id.into())),
            ("agent", Some(id)) => Some(Self::Agent(id.into())),
            ("system", None) => Some(Self::System),
            _ => None,
        }
    }

    /// Returns the word for the actor's kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Agent(_) => "agent",
            Self::System => "system",
        }
    }

    /// Returns the actor's id as a plain UUID. `None` for the system.
    pub fn uuid(self) -> Option<Uuid> {
        match self {
            Self::User(id) => Some(id.uuid()),
            Self::Agent(id) => Some(id.uuid()),
            Self::System => None,
        }
    }
}

spelled! {
    /// An operation on stored data.
    Operation {
        /// Create an agent.
        AgentCreate = "agent_create",
        AgentList = "agent_list",
        /// Read an agent.
        AgentRead = "agent_read",
        /// Delete an agent.
        AgentDelete = "agent_delete",
        /// Make a one-time code with which an agent creates itself.
        EnrolmentCodeCreate = "enrolment_code_create",
        /// Create an agent with such a code, on behalf of the maker of the code.
        AgentEnrol = "agent_enrol",
        /// Replace an agent's token.
        AgentTokenRotate = "agent_token_rotate",
        /// Bind a chat to an agent, or replace the agent.
        AgentUse = "agent_use",
        /// Read an agent's timeline.
        HeadList = "head_list",
        /// Open an agent's session.
        SessionOpen = "session_open",
        /// Push a snapshot.
        ContextPush = "context_push",
        /// Upload a blob before a push.
        BlobUpload = "blob_upload",
        /// Refresh the agent's drifted chats on the agent's own behalf.
        AgentRefresh = "agent_refresh",
        /// List the changes that chats have not taken.
        PendingChangeList = "pending_change_list",
        /// Create a chat.
        ChatCreate = "chat_create",
        ChatList = "chat_list",
        /// Read a chat.
        ChatRead = "chat_read",
        /// Change a chat, except its pin.
        ChatChange = "chat_change",
        /// Delete a chat.
        ChatDelete = "chat_delete",
        /// Make a chat the parent of another: of a new one, which inherits its pin, or of an observed fork, which keeps
        /// its own.
        ChatInherit = "chat_inherit",
        /// Read a chat's pin and its drift.
        ContextRead = "context_read",
        /// Tell of an event in a chat's client, at which it may read its files.
        ChatStart = "chat_start",
        /// Move a chat's pin.
        PinMove = "pin_move",
        /// Clear a chat's pin.
        PinClear = "pin_clear",
        /// Refresh chats of any user by a filter.
        PinMoveMany = "pin_move_many",
        /// Read a chat's pin history.
        HistoryRead = "history_read",
        /// Read the texts that differ.
        DiffRead = "diff_read",
        /// Read one pinned resource with its body.
        ResourceRead = "resource_read",
        /// Read the prompt.
        PromptRead = "prompt_read",
        /// Read skills and their files.
        SkillRead = "skill_read",
        /// Read tool definitions.
        ToolRead = "tool_read",
        /// Begin a turn.
        TurnBegin = "turn_begin",
        TurnList = "turn_list",
        /// Read a turn with what it offered.
        TurnRead = "turn_read",
        /// Hand in evidence of what a turn's requests had.
        EvidenceAdd = "evidence_add",
        /// Read the caller's own key of evidence, and make it if there is none.
        EvidenceKeyRead = "evidence_key_read",
        /// List the chats and turns in which a content was in force.
        ExposureRead = "exposure_read",
        /// Create a user.
        UserCreate = "user_create",
        UserList = "user_list",
        /// Change a user.
        UserChange = "user_change",
        /// Read a user's usage and quota.
        UsageRead = "usage_read",
        /// Change a user's quota.
        QuotaChange = "quota_change",
        /// Start a session of the web page.
        SignIn = "sign_in",
        /// Make a one-time code that starts a session of the web page.
        SignInCodeCreate = "sign_in_code_create",
        /// Make a token for the caller.
        TokenCreate = "token_create",
        /// Make a token for another user.
        TokenCreateFor = "token_create_for",
        /// List the caller's tokens.
        TokenList = "token_list",
        /// List the tokens that one of the caller's tokens made. An admin with the admin scope may name
        /// any user's token.
        TokenChildren = "token_children",
        /// Revoke one of the caller's tokens. An admin with the admin scope may revoke any user's.
        TokenRevoke = "token_revoke",
        /// Read the caller's own user.
        MeRead = "me_read",
        /// Read the audit log.
        AuditRead = "audit_read",
        /// Read the server's metrics, if they are not public.
        MetricsRead = "metrics_read",
    }
}

/// The part of an object that an operation shows to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// No text, no description and no tool.
    Metadata,
    /// Metadata and bodies.
    Bodies,
}

/// The callers that may do an operation, and the reach that they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anyone,
    Member,
    /// The owner of the object.
    Owner(Reach),
    /// The owner of the object, with the first reach, and auditors and admins, with the second.
    Reader(Reach, Reach),
    /// Auditors and admins.
    Auditor,
    Admin,
    /// The agent itself.
    Agent,
    /// The agent itself, if it was created with `may_refresh`.
    RefreshingAgent,
}

impl Operation {
    /// Returns the operation's row of the table: its callers and their reach, and the scope that a user's
    /// token needs.
    fn rule(self) -> (Who, Option<Scope>) {
        use Reach::{Bodies, Metadata};
        use Scope::{Admin, Read, Write};
        match self {
            Self::AgentCreate
            | Self::EnrolmentCodeCreate
            | Self::AgentEnrol
            | Self::ChatCreate
            | Self::EvidenceKeyRead => (Who::Member, Some(Write)),
            Self::AgentList
            | Self::ChatList
            | Self::PendingChangeList
            | Self::ExposureRead
            | Self::TokenList
            | Self::TokenChildren => (Who::Anyone, Some(Read)),
            Self::AgentRead | Self::ContextRead | Self::TurnRead => {
                (Who::Reader(Bodies, Metadata), Some(Read))
            }
            Self::HeadList
            | Self::ChatRead
            | Self::HistoryRead
            | Self::UsageRead
            | Self::TurnList => (Who::Reader(Metadata, Metadata), Some(Read)),
            Self::DiffRead
            | Self::ResourceRead
            | Self::PromptRead
            | Self::SkillRead
            | Self::ToolRead => (Who::Owner(Bodies), Some(Read)),
            Self::PinMove | Self::PinClear | Self::TurnBegin => (Who::Owner(Bodies), Some(Write)),
            Self::AgentDelete
            | Self::AgentTokenRotate
            | Self::AgentUse
            | Self::ChatChange
            | Self::ChatDelete
            | Self::ChatInherit
            | Self::ChatStart
            | Self::EvidenceAdd => (Who::Owner(Metadata), Some(Write)),
            Self::PinMoveMany
            | Self::UserCreate
            | Self::UserList
            | Self::UserChange
            | Self::QuotaChange
            | Self::TokenCreateFor => (Who::Admin, Some(Admin)),
            Self::TokenCreate | Self::TokenRevoke => (Who::Anyone, Some(Write)),
            // A session has the scopes of its token.
            Self::MeRead | Self::SignIn | Self::SignInCodeCreate => (Who::Anyone, None),
            Self::AuditRead | Self::MetricsRead => (Who::Auditor, Some(Read)),
            Self::SessionOpen | Self::ContextPush | Self::BlobUpload => (Who::Agent, None),
            Self::AgentRefresh => (Who::RefreshingAgent, None),
        }
    }

    /// Returns whether the scope [`Scope::Observe`] suffices for the operation, on the caller's own objects.
    fn is_for_observers(self) -> bool {
        matches!(
            self,
            Self::AgentUse
                | Self::ChatCreate
                | Self::ChatInherit
                | Self::ChatList
                | Self::ChatRead
                | Self::ChatStart
                | Self::ContextRead
                | Self::EvidenceAdd
                | Self::EvidenceKeyRead
                | Self::HistoryRead
                | Self::ResourceRead
                | Self::PromptRead
                | Self::SkillRead
                | Self::ToolRead
                | Self::TurnBegin
                | Self::TurnList
                | Self::TurnRead
        )
    }

    /// Returns whether the operation needs an agent's token rather than a user's.
    pub fn is_for_agents(self) -> bool {
        matches!(self.rule().0, Who::Agent | Who::RefreshingAgent)
    }
}

/// The part of an operation's object on which permission depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A list, a new object, or the caller.
    Collection,
    /// An object of this user.
    Owned(UserId),
}

/// The result of [`decide`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The response may contain this much of the object.
    Allow(Reach),
    /// The caller may see the object, but not do this.
    Forbidden(Refusal),
    /// The caller may not see the object.
    NotFound,
}

/// The reason why an operation is forbidden, as a message for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The operation needs a user's token, and the caller has an agent's.
    #[error("this is an agent's token; use a user's")]
    UserNeeded,
    /// The operation needs an agent's token, and the caller has a user's.
    #[error("this is a user's token; use the agent's own")]
    AgentNeeded,
    /// The token lacks a scope.
    #[error("the token lacks the scope `{0}`")]
    ScopeMissing(Scope),
    /// The token to revoke has a scope that the caller's token lacks.
    #[error(
        "a token revokes none wider than itself, and yours lacks the scope `{0}`; use one that has it, or that token itself"
    )]
    RevokesWider(Scope),
    /// The user lacks a role.
    #[error("this needs the role `{0}`")]
    RoleMissing(Role),
    /// Only the owner may.
    #[error("only its owner may do this")]
    NotOwner,
    /// The agent was created without `may_refresh`.
    #[error("this agent was created without `may_refresh`, so it cannot refresh chats")]
    MayNotRefresh,
}

/// Decides whether `actor` may do `operation` on `object`, and with which reach. The decision depends on
/// nothing else. A token without the scope `read` gets no bodies, except that the scope `observe` allows those of the
/// caller's own chats.
pub fn decide(actor: &Actor, operation: Operation, object: Object) -> Decision {
    let (who, scope) = operation.rule();
    match *actor {
        Actor::System => Decision::Allow(Reach::Metadata),
        Actor::Agent { may_refresh, .. } => match who {
            Who::Agent => Decision::Allow(Reach::Metadata),
            Who::RefreshingAgent if may_refresh => Decision::Allow(Reach::Metadata),
            Who::RefreshingAgent => Decision::Forbidden(Refusal::MayNotRefresh),
            Who::Anyone
            | Who::Member
            | Who::Owner(_)
            | Who::Reader(..)
            | Who::Auditor
            | Who::Admin => Decision::Forbidden(Refusal::UserNeeded),
        },
        Actor::User {
            id, roles, scopes, ..
        } => {
            let reads_all = roles.has(Role::Auditor) || roles.has(Role::Admin);
            let owns = object == Object::Owned(id);
            let observes = scopes.has(Scope::Observe)
                && operation.is_for_observers()
                && (owns || object == Object::Collection);
            if matches!(object, Object::Owned(_)) && !owns && !reads_all {
                return Decision::NotFound;
            }
            if let Some(scope) = scope.filter(|scope| !scopes.has(*scope) && !observes) {
                return Decision::Forbidden(Refusal::ScopeMissing(scope));
            }
            let refusal = match who {
                Who::Anyone => None,
                Who::Member => {
                    (!roles.has(Role::Member)).then_some(Refusal::RoleMissing(Role::Member))
                }
                Who::Owner(_) => (!owns).then_some(Refusal::NotOwner),
                Who::Reader(..) => (!owns && !reads_all).then_some(Refusal::NotOwner),
                Who::Auditor => (!reads_all).then_some(Refusal::RoleMissing(Role::Auditor)),
                Who::Admin => {
                    (!roles.has(Role::Admin)).then_some(Refusal::RoleMissing(Role::Admin))
                }
                Who::Agent | Who::RefreshingAgent => Some(Refusal::AgentNeeded),
            };
            let reach = match who {
                Who::Owner(reach) => reach,
                Who::Reader(own, others) => {
                    if owns {
                        own
                    } else {
                        others
                    }
                }
                Who::Anyone
                | Who::Member
                | Who::Auditor
                | Who::Admin
                | Who::Agent
                | Who::RefreshingAgent => Reach::Metadata,
            };
            let reach = match scopes.has(Scope::Read) || observes {
                true => reach,
                false => Reach::Metadata,
            };
            refusal.map_or(Decision::Allow(reach), Decision::Forbidden)
        }
    }
}

/// Checks whether a token with `scopes` may revoke one with `others`.
///
/// # Errors
///
/// Returns [`Refusal::RevokesWider`] with the first scope of `others` that `scopes` do not allow.
pub fn require_no_wider(scopes: Scopes, others: Scopes) -> Result<(), Refusal> {
    match scopes.lacking(others) {
        Some(scope) => Err(Refusal::RevokesWider(scope)),
        None => Ok(()),
    }
}

/// Returns whether the actor may read the metadata of all users' objects. A token of an auditor that only observes may
/// not.
pub fn reads_all(actor: &Actor) -> bool {
    match actor {
        Actor::User { roles, scopes, .. } => {
            (roles.has(Role::Auditor) || roles.has(Role::Admin)) && scopes.has(Scope::Read)
        }
        Actor::Agent { .. } => false,
        Actor::System => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use uuid::Uuid;

    fn user(id: u128, roles: &str, scopes: Scopes) -> Actor {
        Actor::User {
            id: Uuid::from_u128(id).into(),
            roles: roles.parse().unwrap(),
            token: Uuid::nil().into(),
            scopes,
        }
    }

    fn agent(may_refresh: bool) -> Actor {
        Actor::Agent {
            id: Uuid::from_u128(9).into(),
            owner: Uuid::from_u128(1).into(),
            may_refresh,
            token: Uuid::nil().into(),
        }
    }

    /// Writes the decision about every actor and every operation.
    #[test]
    fn the_matrix_is_as_reviewed() {
        let owner: UserId = Uuid::from_u128(1).into();
        let all = Scopes::all();
        let read: Scopes = [Scope::Read].into_iter().collect();
        let observe: Scopes = [Scope::Observe].into_iter().collect();
        let actors = [
            ("owner", user(1, "member", all)),
            ("owner, read only", user(1, "member", read)),
            ("owner, observes", user(1, "member", observe)),
            ("owner, no scope", user(1, "member", Scopes::default())),
            ("stranger", user(2, "member", all)),
            ("auditor", user(3, "auditor", all)),
            ("auditor, observes", user(3, "auditor", observe)),
            ("admin", user(4, "admin", all)),
            ("admin, no admin scope", user(4, "admin", read)),
            ("agent", agent(false)),
            ("agent that may refresh", agent(true)),
            ("system", Actor::System),
        ];
        let mut matrix = String::new();
        for operation in Operation::ALL {
            writeln!(matrix, "{operation}").unwrap();
            for (name, actor) in &actors {
                let told = |object| match decide(actor, *operation, object) {
                    Decision::Allow(Reach::Metadata) => "yes".to_owned(),
                    Decision::Allow(Reach::Bodies) => "yes, with bodies".to_owned(),
                    Decision::Forbidden(refusal) => format!("forbidden: {refusal}"),
                    Decision::NotFound => "not found".to_owned(),
                };
                let (collection, owned) = (told(Object::Collection), told(Object::Owned(owner)));
                if collection == owned {
                    writeln!(matrix, "  {name:<24} {owned}").unwrap();
                } else {
                    writeln!(
                        matrix,
                        "  {name:<24} {owned} | without object: {collection}"
                    )
                    .unwrap();
                }
            }
        }
        insta::with_settings!({
            snapshot_path => "../golden",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!("access", matrix) });
    }

    #[test]
    fn read_and_write_allow_observing() {
        let check = |own: &str, others: &str, lacking| {
            let [own, others] = [own, others].map(|scopes| scopes.parse::<Scopes>().unwrap());
            assert_eq!(own.lacking(others), lacking, "{own} against {others}");
        };
        check("read write", "observe", None);
        check("read write", "read observe", None);
        check("write", "observe", Some(Scope::Observe));
        check("observe", "read", Some(Scope::Read));
        check("observe", "write observe", Some(Scope::Write));
        check("read write", "admin", Some(Scope::Admin));
    }

    #[test]
    fn sets_are_written_in_order() {
        let roles: Roles = "admin member".parse().unwrap();
        assert_eq!(roles.to_string(), "member admin");
        assert!("root".parse::<Roles>().is_err());
    }
}
