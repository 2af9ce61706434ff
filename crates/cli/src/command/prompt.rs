//! `ctxpin prompt`.

use clap::Args;
use ctxpin_client::{Client, Prompt as PromptAnswer};
use ctxpin_model::id::ChatId;
use ctxpin_model::resource::ResourceId;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_render::treated::{Reason, Treated};

use crate::chat_choice::{self, ChatArgument};
use crate::connect::Connection;
use crate::say::{self, Failure, Viewpoint};

/// Print the system prompt of a chat: exactly the pinned bytes
#[derive(Debug, Args)]
pub struct Prompt {
    #[command(flatten)]
    chat: ChatArgument,
    /// Print it with what was taken out of the files, struck out; where that is no terminal, as
    /// `[-comment-]`
    #[arg(long)]
    removed: bool,
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
        match self.removed {
            false => say::print_bytes(&bytes),
            true => {
                let prompt = String::from_utf8_lossy(&bytes);
                say::print(&with_removed(&connected.client, chat, &prompt).await?)
            }
        }
    }
}

/// The prompt with what its files held besides. A file of which nothing is left stands behind it.
async fn with_removed(client: &Client, chat: ChatId, prompt: &str) -> Result<String, Failure> {
    let context = client.context(chat).await?;
    let Some(number) = context.pin.renderer else {
        return Ok(String::new());
    };
    let renderer = Renderer::of_number(number).ok_or_else(|| {
        Failure::new(format!(
            "this release does not know renderer {number}, which made the prompt"
        ))
        .hint("use a `ctxpin` of the server's release")
    })?;
    let viewpoint = Viewpoint::here();
    let (mut shown, mut rest, mut left_out) = (String::new(), prompt, String::new());
    let files = context.resources.iter();
    let files = files.filter(|file| file.kind == "instruction_file" && file.status == "ok");
    for file in files {
        let id: ResourceId = file
            .id
            .parse()
            .map_err(|_| Failure::new("the server named a resource by no id"))?;
        let body = client.resource(chat, id).await?.body.unwrap_or_default();
        let treated = treat::instruction_file(body.as_bytes(), renderer);
        if treated.text.is_empty() {
            let path = viewpoint.path(&file.source);
            left_out += &format!(
                "\nnothing is left of {path}:\n{}\n",
                struck(&body, &treated)
            );
            continue;
        }
        // Files stand in the prompt in their order.
        if let Some((before, after)) = rest.split_once(&treated.text) {
            shown += &say::text(before);
            shown += &struck(&body, &treated);
            rest = after;
        }
    }
    Ok(shown + &say::text(rest) + &left_out)
}

/// A file's text with what was taken out of it marked. Blanks are left out as they are in the prompt.
fn struck(body: &str, treated: &Treated) -> String {
    let mut shown = String::new();
    let mut at = 0;
    for cut in &treated.cuts {
        // A cut may lie within a larger one.
        if cut.range.end <= at {
            continue;
        }
        let start = cut.range.start.max(at);
        shown += &say::text(&body[at..start]);
        let gone = say::text(&body[start..cut.range.end]);
        match cut.reason {
            Reason::Blank => {}
            _ if say::is_terminal() => shown += &say::paint(say::STRUCK, &gone),
            _ => shown += &format!("[-{gone}-]"),
        }
        at = cut.range.end;
    }
    shown + &say::text(&body[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_is_marked() {
        let body = "a <!-- x -->\n\n\nb\u{200B}c `<!-- y -->`\n";
        let treated = treat::instruction_file(body.as_bytes(), Renderer::CURRENT);
        assert_eq!(
            struck(body, &treated),
            "a[-<!-- x -->-]\n\nb[-\\u{200b}-]c `<!-- y -->`"
        );
    }
}
