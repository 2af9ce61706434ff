//! The id and the token of an agent, as `ctxpin up` keeps them.

use std::path::Path;

use ctxpin_model::id::AgentId;
use ctxpin_protocol::http::agents::AgentCreated;
use ctxpin_protocol::http::people::Secret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::data_directory::{directory_create, file_write, json_read};
use crate::owned::file_demand;
use crate::running::token_read;
use crate::say::Failure;

/// The id and the token of an agent.
#[derive(Debug, Clone)]
pub struct AgentCredentials {
    pub id: AgentId,
    pub token: Secret,
}

#[derive(Serialize, Deserialize)]
struct AgentFile {
    id: Uuid,
}

impl AgentCredentials {
    /// Reads the id and the token from a directory. Returns `None` if they are missing or were not
    /// written completely.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn read(directory: &Path) -> Result<Option<Self>, Failure> {
        let path = directory.join("agent.json");
        for name in ["agent.json", "token"] {
            file_demand(&directory.join(name))?;
        }
        let Some(file) = json_read::<AgentFile>(&path)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id: AgentId::from(file.id),
            token: token_read(&directory.join("token"))?,
        }))
    }

    /// Writes the id and the token of a new agent. The token is written first, so that an id is
    /// never without its token.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn write(directory: &Path, created: &AgentCreated) -> Result<Self, Failure> {
        directory_create(directory)?;
        let json = serde_json::to_vec(&AgentFile {
            id: created.agent.id,
        })
        .map_err(|error| Failure::new("the agent's file cannot be written").because(error))?;
        file_write(&directory.join("token"), created.token.expose().as_bytes())?;
        file_write(&directory.join("agent.json"), &json)?;
        Ok(Self {
            id: AgentId::from(created.agent.id),
            token: created.token.clone(),
        })
    }
}
