//! Calls for the skills and tools of a chat's pin.

use bytes::Bytes;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::page::Page;
use ctxpin_protocol::http::skills::{Skill, SkillEntry, SkillQuery};
use ctxpin_protocol::http::turns::ToolOffer;
use reqwest::Method;

use crate::connection::Client;
use crate::error::ClientError;

impl Client {
    /// Lists the skills of a chat's pin.
    pub async fn skills(&self, chat: ChatId) -> Result<Page<SkillEntry>, ClientError> {
        let request = self.request(Method::GET, &["chats", &chat.to_string(), "skills"])?;
        self.json(request).await
    }

    /// Reads a skill with its text.
    pub async fn skill(
        &self,
        chat: ChatId,
        name: &str,
        query: &SkillQuery,
    ) -> Result<Skill, ClientError> {
        let chat = chat.to_string();
        self.json(self.query_request(&["chats", &chat, "skills", name], query)?)
            .await
    }

    /// Reads a supporting file of a skill. `path` is from the skill's list of files.
    pub async fn skill_file(
        &self,
        chat: ChatId,
        name: &str,
        path: &str,
    ) -> Result<Bytes, ClientError> {
        let chat = chat.to_string();
        let mut segments = vec!["chats", &chat, "skills", name, "files"];
        segments.extend(path.split('/'));
        self.bytes(self.request(Method::GET, &segments)?).await
    }

    /// Lists the tools that a turn of the chat would offer.
    pub async fn tools(&self, chat: ChatId) -> Result<Page<ToolOffer>, ClientError> {
        let request = self.request(Method::GET, &["chats", &chat.to_string(), "tools"])?;
        self.json(request).await
    }
}
