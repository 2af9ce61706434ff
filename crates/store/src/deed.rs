//! Deeds: what a transaction did, for the audit log and for those who watch. No transaction commits
//! without one, so a forgotten line or wake does not compile.

use ctxpin_model::access::{Actor, Operation};
use ctxpin_model::audit::{AuditObject, NewTokenRecord};
use ctxpin_model::moment::Moment;

use crate::audit::Line;
use crate::grant::{Granted, object};
use crate::tokens::{Holder, NewToken};
use crate::wake::Topic;

/// What a transaction did. A grant makes it, so it names who was granted what.
#[derive(Debug)]
#[must_use = "the transaction is committed with it"]
pub struct Deed {
    lines: Lines,
    wakes: Vec<Topic>,
}

/// What the audit log says of a deed.
#[derive(Debug)]
enum Lines {
    /// One line for each object, or one without an object.
    Due {
        by: Actor,
        operation: Operation,
        objects: Vec<AuditObject>,
        new_token: Option<NewTokenRecord>,
        at: Moment,
    },
    /// They were written along with something else.
    Written,
    /// Nothing, for this reason.
    None(&'static str),
}

impl Deed {
    /// Returns a deed that the audit log does not tell of, for a reason, and that wakes nobody.
    pub fn unnoted(reason: &'static str) -> Self {
        Self {
            lines: Lines::None(reason),
            wakes: Vec::new(),
        }
    }

    /// Wakes those who watch these as well.
    pub fn waking(mut self, topics: impl IntoIterator<Item = Topic>) -> Self {
        self.wakes.extend(topics);
        self
    }

    /// Returns the deed of making a token, which the line of `object` describes.
    pub(crate) fn of_new_token(
        by: Actor,
        operation: Operation,
        object: AuditObject,
        token: &NewToken,
    ) -> Self {
        let user = match token.holder {
            Holder::User(user) => Some(user),
            Holder::Agent(_) => None,
        };
        let new_token = NewTokenRecord {
            id: token.credential.id,
            user,
            scopes: token.scopes,
            expires_at: token.expires_at,
        };
        Self {
            lines: Lines::Due {
                by,
                operation,
                objects: vec![object],
                new_token: Some(new_token),
                at: token.created_at,
            },
            wakes: Vec::new(),
        }
    }

    /// Takes out the lines that are to be written yet.
    pub(crate) fn take_lines(&mut self) -> Vec<Line> {
        if let Lines::None(reason) = self.lines {
            tracing::trace!(reason, "the audit log does not tell of this");
            return Vec::new();
        }
        let Lines::Due {
            by,
            operation,
            objects,
            new_token,
            at,
        } = std::mem::replace(&mut self.lines, Lines::Written)
        else {
            return Vec::new();
        };
        let line = |object| Line {
            object,
            new_token,
            ..Line::done(by, operation, at)
        };
        match objects.is_empty() {
            true => vec![line(None)],
            false => objects.into_iter().map(Some).map(line).collect(),
        }
    }

    /// Returns what was committed.
    pub(crate) fn committed(self) -> Committed {
        Committed { wakes: self.wakes }
    }
}

/// What a transaction did once it is durable: those who watch are to be woken.
#[derive(Debug)]
#[must_use = "those who watch are not woken yet"]
pub struct Committed {
    wakes: Vec<Topic>,
}

impl Committed {
    /// Returns what those watch who are to be woken.
    pub fn wakes(self) -> Vec<Topic> {
        self.wakes
    }
}

impl<O: crate::grant::Grantable, R> Granted<O, R> {
    fn deed_on(&self, objects: Vec<AuditObject>, wakes: Vec<Topic>) -> Deed {
        Deed {
            lines: Lines::Due {
                by: *self.actor(),
                operation: self.operation(),
                objects,
                new_token: None,
                at: self.at(),
            },
            wakes,
        }
    }
}

impl<R> Granted<object::Account, R> {
    /// Returns what the caller did to these objects, and whom it wakes.
    pub fn deed(
        &self,
        objects: impl IntoIterator<Item = AuditObject>,
        wakes: impl IntoIterator<Item = Topic>,
    ) -> Deed {
        let (objects, wakes) = (objects.into_iter().collect(), wakes.into_iter().collect());
        self.deed_on(objects, wakes)
    }
}

impl<R> Granted<object::Agent, R> {
    /// Returns what the caller did to the agent, which wakes those who watch it.
    pub fn deed(&self) -> Deed {
        self.deed_on(vec![AuditObject::Agent(self.id())], vec![self.topic()])
    }

    /// Returns the same without a line in the audit log, for a reason.
    pub fn unnoted(&self, reason: &'static str) -> Deed {
        Deed::unnoted(reason).waking([self.topic()])
    }

    /// Returns what those watch who watch the agent.
    pub fn topic(&self) -> Topic {
        Topic::Agent {
            owner: self.owner(),
            agent: self.id(),
        }
    }
}

impl<R> Granted<object::Chat, R> {
    /// Returns what the caller did to the chat, which wakes those who watch it.
    pub fn deed(&self) -> Deed {
        self.deed_on(vec![AuditObject::Chat(self.id())], vec![self.topic()])
    }

    /// Returns the same without a line in the audit log, for a reason.
    pub fn unnoted(&self, reason: &'static str) -> Deed {
        Deed::unnoted(reason).waking([self.topic()])
    }

    fn topic(&self) -> Topic {
        Topic::Chat {
            owner: self.owner(),
            chat: self.id(),
        }
    }
}
