//! Deeds: records of what a transaction did, for the audit log and for watchers. A transaction commits only
//! with a deed, so a forgotten audit line or wake does not compile.

use ctxpin_model::audit::{AuditObject, NewTokenRecord};

use crate::audit::{Act, Line};
use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Grantable, Granted, Task, Upkeep, object};
use crate::together::Together;
use crate::topic::Topic;

/// A record of what a transaction did. A grant creates it, so it names the actor and the operation.
#[derive(Debug)]
#[must_use = "a transaction commits with it"]
pub struct Deed {
    lines: Lines,
    wakes: Vec<Topic>,
}

/// The lines of a deed in the audit log.
#[derive(Debug)]
enum Lines {
    /// To be written: one line for each object, or one without an object.
    Due {
        act: Act,
        objects: Vec<AuditObject>,
        new_token: Option<NewTokenRecord>,
    },
    /// Written together with another statement.
    Written,
    /// Left out on purpose, for this reason.
    None(&'static str),
}

impl Deed {
    /// Returns a deed that writes no line to the audit log, for the given reason, and wakes nobody.
    pub fn unaudited(reason: &'static str) -> Self {
        Self {
            lines: Lines::None(reason),
            wakes: Vec::new(),
        }
    }

    /// Adds topics to wake.
    pub fn waking(mut self, topics: impl IntoIterator<Item = Topic>) -> Self {
        self.wakes.extend(topics);
        self
    }

    /// Returns the deed of creating a token. The line is about `object`.
    pub(crate) fn of_new_token(act: Act, object: AuditObject, new_token: NewTokenRecord) -> Self {
        Self {
            lines: Lines::Due {
                act,
                objects: vec![object],
                new_token: Some(new_token),
            },
            wakes: Vec::new(),
        }
    }

    /// Takes out the lines that are not written yet.
    fn take_lines(&mut self) -> Vec<Line> {
        if let Lines::None(reason) = self.lines {
            tracing::trace!(reason, "the audit log does not tell of this");
            return Vec::new();
        }
        let Lines::Due {
            act,
            objects,
            new_token,
        } = std::mem::replace(&mut self.lines, Lines::Written)
        else {
            return Vec::new();
        };
        let line = |object| Line {
            object,
            new_token,
            ..Line::done(act)
        };
        match objects.is_empty() {
            true => vec![line(None)],
            false => objects.into_iter().map(Some).map(line).collect(),
        }
    }
}

/// The effects of a committed transaction: the topics to wake.
#[derive(Debug)]
#[must_use = "the watchers are not woken yet"]
pub struct Committed {
    wakes: Vec<Topic>,
}

impl Committed {
    /// Returns the topics to wake.
    pub fn wakes(self) -> Vec<Topic> {
        self.wakes
    }
}

impl Together<'_> {
    /// Adds the lines of the deed, unless they are written already.
    pub(crate) fn audit(self, deed: &mut Deed) -> Self {
        deed.take_lines().iter().fold(self, Self::line_insert)
    }
}

impl Transaction {
    /// Writes the lines of the deed to the audit log, unless they are written already, and commits. Returns
    /// the topics to wake.
    ///
    /// # Errors
    ///
    /// Fails if the database does. The transaction may or may not be committed then.
    pub async fn commit(mut self, mut deed: Deed) -> Result<Committed> {
        self.lines_insert(&deed.take_lines()).await?;
        self.end().await?;
        Ok(Committed { wakes: deed.wakes })
    }
}

impl<T: Task> Upkeep<'_, T> {
    /// Returns a deed without a line in the audit log.
    pub fn unaudited(&self) -> Deed {
        Deed::unaudited(T::NAME)
    }
}

impl<O: Grantable, R> Granted<O, R> {
    /// Returns what the actor does.
    pub(crate) fn act(&self) -> Act {
        Act {
            by: *self.actor(),
            door: self.door(),
            operation: self.operation(),
            at: self.at(),
        }
    }

    fn deed_on(&self, objects: Vec<AuditObject>, wakes: Vec<Topic>) -> Deed {
        Deed {
            lines: Lines::Due {
                act: self.act(),
                objects,
                new_token: None,
            },
            wakes,
        }
    }
}

impl<R> Granted<object::Account, R> {
    /// Returns the deed of the caller on these objects, which wakes these topics.
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
    /// Returns the deed of the caller on the agent, which wakes its watchers.
    pub fn deed(&self) -> Deed {
        self.deed_on(vec![AuditObject::Agent(self.id())], vec![self.topic()])
    }

    /// Returns a deed that writes no line to the audit log, for the given reason, and wakes the watchers of the
    /// agent.
    pub fn unaudited(&self, reason: &'static str) -> Deed {
        Deed::unaudited(reason).waking([self.topic()])
    }

    /// Returns the topic of the agent.
    pub fn topic(&self) -> Topic {
        Topic::Agent {
            owner: self.owner(),
            agent: self.id(),
        }
    }
}

impl<R> Granted<object::Chat, R> {
    /// Returns the deed of the caller on the chat, which wakes its watchers.
    pub fn deed(&self) -> Deed {
        self.deed_on(vec![AuditObject::Chat(self.id())], vec![self.topic()])
    }

    /// Returns a deed that writes no line to the audit log, for the given reason, and wakes the watchers of the
    /// chat.
    pub fn unaudited(&self, reason: &'static str) -> Deed {
        Deed::unaudited(reason).waking([self.topic()])
    }

    fn topic(&self) -> Topic {
        Topic::Chat {
            owner: self.owner(),
            chat: self.id(),
        }
    }
}
