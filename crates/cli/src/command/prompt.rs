//! `ctxpin prompt`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::Args;
use ctxpin_client::{Client, Prompt as PromptAnswer};
use ctxpin_model::id::ChatId;
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::ResourceId;
use ctxpin_protocol::http::instructions::InstructionQuery;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::review::{self, File, Stretch};
use ctxpin_render::treated::Reason;

use super::absolute::absolute_in_real_directory;
use crate::chat_choice::{self, ChatArgument};
use crate::connect::Connection;
use crate::say::{self, Failure, Hint, NextCommand, Viewpoint};

/// The most further groups of files that a line says of one instruction file.
const ALSO_SHOWN_MAX: usize = 2;

/// Print the pinned system prompt of a chat, byte for byte
#[derive(Debug, Args)]
pub struct Prompt {
    #[command(flatten)]
    chat: ChatArgument,
    /// Print instead what the model gets besides the prompt when it reads this file: rules for some
    /// files, and files below the working directory. The file need not exist
    #[arg(long, value_name = "FILE", conflicts_with = "removed")]
    path: Option<PathBuf>,
    /// Print JSON, in the API's shapes
    #[arg(long, requires = "path")]
    json: bool,
    /// Also print the text that was removed from the files, struck through, or as `[-comment-]`
    /// without colours
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
    /// Fails if there is no such chat, or its prompt cannot be read.
    pub async fn run(self) -> Result<(), Failure> {
        let connected = self.connection.connect()?;
        let chat = chat_choice::chat(&connected, self.chat.named()).await?;
        if let Some(path) = &self.path {
            return on_demand(&connected.client, chat, path, self.json).await;
        }
        // A request without an ETag always gets the bytes.
        let bytes = match connected.client.prompt(chat, None).await? {
            PromptAnswer::Bytes { bytes, .. } => bytes,
            PromptAnswer::Unchanged => {
                return Err(Failure::new("the server returned no prompt"));
            }
        };
        if bytes.is_empty() {
            let pinned = connected.client.chat(chat).await?.context.pinned_at;
            say::note(match pinned {
                None => UNPINNED,
                Some(_) => "the prompt is empty: the pin holds nothing that a prompt gives a model",
            });
        }
        match self.removed {
            false => say::print_bytes(&bytes),
            true => {
                let prompt = String::from_utf8_lossy(&bytes);
                let shown = with_removed(&connected.client, chat, &prompt).await?;
                match say::is_terminal() {
                    true => say::print(&shown),
                    false => say::print_bytes(shown.as_bytes()),
                }
            }
        }
    }
}

const UNPINNED: &str =
    "the chat is not pinned yet, so its prompt is empty; its agent's next push pins it";

/// Prints what comes with a file besides the prompt.
async fn on_demand(
    client: &Client,
    chat: ChatId,
    file: &Path,
    as_json: bool,
) -> Result<(), Failure> {
    let path = absolute_in_real_directory(file)?;
    let path = path.to_str().ok_or_else(|| {
        Failure::new(format!(
            "{} is not UTF-8, and no pin names such a file",
            say::path(&path)
        ))
    })?;
    let query = InstructionQuery {
        path: path.to_owned(),
    };
    let found = client.instructions(chat, &query).await?;
    if found.snapshot.is_none() {
        say::note(UNPINNED);
    }
    if as_json {
        return say::print_json(&found);
    }
    if found.snapshot.is_some() && found.items.is_empty() {
        let none = format!(
            "nothing in the pin comes with {} besides the prompt",
            say::path(&file)
        );
        let profile = client.context(chat).await?.profile;
        match profile.is_none_or(|profile| profile == Profile::Neutral.as_str()) {
            true => say::note(&format!(
                "{none}: the chat is pinned by the profile neutral, and only tools have such files; \
                 `ctxpin chat new --profile claude-code` makes a chat with those of Claude Code"
            )),
            false => say::note(&none),
        }
    }
    let viewpoint = Viewpoint::here();
    for item in &found.items {
        let source = viewpoint.path(&item.source);
        let files = |below: &str, globs: &[String]| {
            let below = viewpoint.path(below);
            match globs.is_empty() {
                true => format!("below {below}"),
                false => format!("below {below} that match {}", say::line(&globs.join(", "))),
            }
        };
        let applies = &item.applies;
        let mut files_for = vec![files(&applies.below, &applies.globs)];
        let also = applies.also.iter().take(ALSO_SHOWN_MAX);
        files_for.extend(also.map(|also| files(&also.below, &also.globs)));
        let more = applies.also.len().saturating_sub(ALSO_SHOWN_MAX);
        files_for.extend((more > 0).then(|| format!("below {more} more")));
        say::note(&format!("{source}, for files {}", files_for.join(", or ")));
    }
    let texts: Vec<_> = found.items.iter().map(|item| item.text.as_str()).collect();
    say::print_bytes(texts.join("\n").as_bytes())
}

/// Returns the prompt together with the text that was removed from its files.
async fn with_removed(client: &Client, chat: ChatId, prompt: &str) -> Result<String, Failure> {
    let context = client.context(chat).await?;
    let Some(number) = context.pin.renderer else {
        return Ok(shown(
            &[Stretch::Given(prompt.to_owned())],
            say::has_colours(),
        ));
    };
    let tool = context.profile.as_deref();
    if let Some(tool) = tool.filter(|tool| *tool != Profile::Neutral.as_str()) {
        return Err(Failure::new(format!(
            "the prompt of the profile `{tool}` does not say where a file begins, so nothing can be shown in its place"
        ))
        .hint(Hint::run(
            NextCommand::Prompt,
            "without --removed prints it",
        ))
        .hint(Hint::run(
            NextCommand::ChatShow,
            "says how much was removed from each file",
        )));
    }
    let renderer = Renderer::of_number(number).ok_or_else(|| {
        Failure::new(format!(
            "this release does not know renderer {number}, which made the prompt"
        ))
        .hint(Hint::say("use a `ctxpin` of the server's release"))
    })?;
    let mut bodies = Vec::new();
    let files = context.resources.iter();
    let files = files.filter(|file| file.kind == "instruction_file" && file.status == "ok");
    for file in files {
        let id: ResourceId = file
            .id
            .parse()
            .map_err(|_| Failure::new("the server returned a resource without a valid id"))?;
        let body = client.resource(chat, id).await?.body.unwrap_or_default();
        bodies.push((file.source.as_str(), body));
    }
    let files = bodies.iter().map(|(source, body)| File { source, body });
    let files: Vec<_> = files.collect();
    let stretches = review::stretches(prompt, &files, renderer).map_err(|file| {
        Failure::new(format!(
            "the prompt does not hold {} as this `ctxpin` treats it",
            Viewpoint::here().path(file.source)
        ))
        .hint(Hint::say("run the command again if the pin has just moved"))
        .hint(Hint::say(
            "otherwise use a `ctxpin` of the server's release",
        ))
    })?;
    Ok(shown(&stretches, say::has_colours()))
}

/// Returns the stretches of a prompt as text, with the removed text marked. Without removed text, this is
/// the prompt itself. On a terminal, control characters are escaped.
fn shown(stretches: &[Stretch], is_coloured: bool) -> String {
    let is_gone = |stretch: &Stretch| !matches!(stretch, Stretch::Given(_));
    let marks = Marks::unlike(stretches);
    let mut text = String::new();
    for run in stretches.chunk_by(|a, b| is_gone(a) && is_gone(b)) {
        let gone = run.iter().map(|stretch| match stretch {
            Stretch::Given(given) if say::is_terminal() => say::text(given),
            Stretch::Given(given) => Cow::from(given),
            // Removed blanks are shown as escapes, because a struck-out blank is invisible.
            Stretch::Gone(blanks, Reason::Blank) => say::line(blanks),
            Stretch::Gone(gone, _) | Stretch::Frame(gone) => say::text(gone),
        });
        let gone: String = gone.collect();
        text += &match (run.iter().all(is_gone), is_coloured) {
            (false, _) => gone,
            (true, true) => say::paint(say::STRUCK, &gone),
            (true, false) => format!("{}{gone}{}", marks.open, marks.close),
        };
    }
    text
}

/// The marks around removed text if there are no colours.
struct Marks {
    open: String,
    close: String,
}

impl Marks {
    /// Returns `[-` and `-]` with enough hyphens that no text of the prompt contains such a mark.
    fn unlike(stretches: &[Stretch]) -> Self {
        let longest = stretches.iter().map(|stretch| {
            let (Stretch::Given(text) | Stretch::Gone(text, _) | Stretch::Frame(text)) = stretch;
            let opens = text.match_indices('[').map(|(at, _)| {
                let after = text[at + 1..].bytes();
                after.take_while(|byte| *byte == b'-').count()
            });
            let closes = text.match_indices(']').map(|(at, _)| {
                let before = text[..at].bytes().rev();
                before.take_while(|byte| *byte == b'-').count()
            });
            opens.chain(closes).max().unwrap_or(0)
        });
        let hyphens = "-".repeat(longest.max().unwrap_or(0) + 1);
        Self {
            open: format!("[{hyphens}"),
            close: format!("{hyphens}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_render::treat;

    use super::*;

    fn check(body: &str, expected: &str) {
        let file = File { source: "/a", body };
        let treated = treat::instruction_file(body.as_bytes(), Renderer::CURRENT);
        let (begins, ends) = ("<context-file source=\"/a\">\n", "\n</context-file>");
        let prompt = format!("{begins}{}{ends}", treated.text);
        let stretches = review::stretches(&prompt, &[file], Renderer::CURRENT).unwrap();
        let expected = format!("{begins}{expected}{ends}");
        assert_eq!(shown(&stretches, false), expected, "{body:?}");
    }

    #[test]
    fn what_was_taken_out_is_marked() {
        check(
            "a <!-- x\n\u{1B} -->\n\n\nb\u{200B}c `<!-- y -->`\n",
            "a[- <!-- x\n\\u{1b} -->-]\n[-\\n-]\nb[-\\u{200b}-]c `<!-- y -->`[-\\n-]",
        );
        check("a\r\nb", "a\nb");
        check("</context-file>", "&lt;/context-file>");
    }

    #[test]
    fn no_content_can_pass_for_a_mark() {
        check(
            "[-not taken out-] <!-- x -->y",
            "[-not taken out-] [--<!-- x -->--]y",
        );
        check("a[<!-- --]-->-b", "a[[---<!-- --]-->---]-b");
    }
}
