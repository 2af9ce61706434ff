//! `ctxpin prompt`.

use clap::Args;
use ctxpin_client::Prompt as PromptAnswer;

use crate::chat_choice::{self, ChatArgument};
use crate::connect::Connection;
use crate::say::{self, Failure};

/// Print the system prompt of a chat: exactly the pinned bytes
#[derive(Debug, Args)]
pub struct Prompt {
    #[command(flatten)]
    chat: ChatArgument,
    #[command(flatten)]
    connection: Connection,
}

impl Prompt {
    /// Prints the prompt.
    ///
    /// # Errors
    ///
    /// If there is no such chat, or it cannot be read.
    pub async fn run(self) -> Result<(), Failure> {
        let connected = self.connection.connect()?;
        let chat = chat_choice::chat(&connected, self.chat.chat.as_deref()).await?;
        // Without an ETag nothing is unchanged, so that there are always bytes.
        let bytes = match connected.client.prompt(chat, None).await? {
            PromptAnswer::Bytes { bytes, .. } => bytes,
            PromptAnswer::Unchanged => {
                return Err(Failure::new("the server answered no prompt"));
            }
        };
        if bytes.is_empty() {
            say::note(
                "the chat is not pinned yet, so its prompt is empty; it is pinned by the next push of its agent",
            );
        }
        say::print_bytes(&bytes)
    }
}
