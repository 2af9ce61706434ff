//! The agents that `ctxpin agent run` last ran on a directory, one of each profile, for commands in that directory.

use std::path::Path;

use ctxpin_model::id::AgentId;
use ctxpin_model::profile::Profile;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::data_directory::{
    DataDirectory, directory_create, file_write, is_one_server, json_read,
};
use crate::owned::file_demand;
use crate::say::{Failure, Hint, NextCommand};

/// An agent, and the server that knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunNote {
    agent: Uuid,
    server: String,
}

impl RunNote {
    /// Returns a note of an agent at a server.
    pub fn new(agent: Uuid, server: &Url) -> Self {
        Self {
            agent,
            server: server.to_string(),
        }
    }

    /// Returns the agent of a profile that last ran on a directory with this canonical path for that server.
    ///
    /// # Errors
    ///
    /// Fails if the note cannot be read.
    pub fn agent_of(
        data: &DataDirectory,
        directory: &Path,
        profile: Profile,
        server: &Url,
    ) -> Result<Option<AgentId>, Failure> {
        let path = data.run_note(directory, profile);
        file_demand(&path)?;
        let note: Option<Self> = json_read(&path).map_err(|failure| {
            failure.hint(Hint::run(
                NextCommand::AgentRun,
                "writes it anew after you delete it",
            ))
        })?;
        let note = note.filter(|note| {
            Url::parse(&note.server).is_ok_and(|noted| is_one_server(&noted, server))
        });
        Ok(note.map(|note| AgentId::from(note.agent)))
    }

    /// Writes the note for a directory with this canonical path and for a profile.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write(
        &self,
        data: &DataDirectory,
        directory: &Path,
        profile: Profile,
    ) -> Result<(), Failure> {
        data.create()?;
        let path = data.run_note(directory, profile);
        if let Some(parent) = path.parent() {
            directory_create(parent)?;
        }
        let json = serde_json::to_vec(self)
            .map_err(|error| Failure::new("the agent's file cannot be written").because(error))?;
        file_write(&path, &json)
    }
}
