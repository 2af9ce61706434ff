//! The call for the instruction files that come with a file.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::instructions::{InstructionQuery, Instructions};

use crate::connection::Client;
use crate::error::ClientError;

impl Client {
    /// Reads what the chat's pin gives a model that reads a file, besides the prompt.
    ///
    /// # Errors
    ///
    /// Fails with `invalid-request` if the path is not below the working directory of the pin.
    pub async fn instructions(
        &self,
        chat: ChatId,
        query: &InstructionQuery,
    ) -> Result<Instructions, ClientError> {
        let chat = chat.to_string();
        self.json(self.query_request(&["chats", &chat, "instructions"], query)?)
            .await
    }
}
