//! `ctxpin open`.

use clap::Args;

use crate::chat_choice;
use crate::connect::Connection;
use crate::page_link::PageLink;
use crate::say::{self, Failure};

/// Open the web page, signed in
///
/// Prints a link that signs a browser in once, within 5 minutes, and opens it if this machine has a display.
#[derive(Debug, Args)]
pub struct Open {
    /// Open the page of this chat: its id, or the end of it
    chat: Option<String>,
    /// Print the link and open nothing
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Open {
    /// Prints and opens the link.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self) -> Result<(), Failure> {
        let connected = self.connection.connect()?;
        let path = match &self.chat {
            Some(chat) => {
                let chat = chat_choice::chat(&connected, Some(chat)).await?;
                format!("/chats/{chat}")
            }
            None => "/".to_owned(),
        };
        let link = PageLink::create(&connected.client, &path).await?;
        say::print(&format!("{}\n", link.as_str()))?;
        if !self.print
            && let Some(local) = &connected.local
        {
            link.open(&local.data);
        }
        Ok(())
    }
}
