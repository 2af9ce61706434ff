//! The output of `ctxpin up`, to a person or to the process that started it in the background.

use std::path::Path;

use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::context::Context;
use serde::{Deserialize, Serialize};

use crate::data_directory::DataDirectory;
use crate::page_link::PageLink;
use crate::running::RunningServer;
use crate::say::{self, Failure, Progress, Viewpoint};

/// The state of a watched directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    directory: String,
    chat: String,
    title: Option<String>,
    snapshot: Option<String>,
    holdings: String,
    is_empty: bool,
    error: Option<String>,
    removed: Option<String>,
    is_behind: bool,
    /// The tools that have agents of their own here.
    tools: Vec<String>,
    server: String,
    database: String,
    /// A link that signs a browser in to the web page once. `None` if there is no code now.
    page: Option<String>,
}

/// A message of a background process to the process that started it, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub enum Announcement {
    /// The background process waits for this.
    Waiting(String),
    /// A note for the user.
    Told(String),
    /// The directory is watched; `true` if another process already watched it.
    Ready(Summary, bool),
    /// The start failed.
    Failed(Failure),
}

/// The place of the watching process, relative to the reader of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this terminal.
    Foreground,
    /// In the background, started by this command.
    Background,
    /// In another process, started earlier.
    Elsewhere,
}

/// The reader of the output of `ctxpin up`.
pub enum Voice {
    Person {
        /// The progress until the directory is watched.
        progress: Option<Progress>,
    },
    /// The process that started this one and reads its announcements.
    Starter {
        /// Whether that process still reads.
        listens: bool,
    },
}

impl Voice {
    /// Returns the voice for a person at a terminal.
    pub fn person() -> Self {
        Self::Person {
            progress: Some(Progress::new()),
        }
    }

    /// Shows what the process waits for.
    pub fn wait(&mut self, text: &str) {
        match self {
            Self::Person {
                progress: Some(progress),
            } => progress.tell(text),
            Self::Person { progress: None } => say::note(text),
            Self::Starter { .. } => self.announce(&Announcement::Waiting(text.to_owned())),
        }
    }

    /// Prints a note.
    pub fn tell(&mut self, text: &str) {
        match self {
            Self::Person { progress } => {
                // The spinner would overwrite the note.
                if progress.take().is_some() {
                    *progress = Some(Progress::new());
                }
                say::note(&say::text(text));
            }
            Self::Starter { listens: true } => {
                self.announce(&Announcement::Told(text.to_owned()));
            }
            // Notes now go to the log, which needs the time.
            Self::Starter { listens: false } => {
                say::note(&format!("{} {}", say::stamp(say::now()), say::text(text)));
            }
        }
    }

    /// Prints the state of the directory, which is now watched.
    ///
    /// # Errors
    ///
    /// Fails if the output cannot be written.
    pub fn ready(&mut self, summary: &Summary, place: Place) -> Result<(), Failure> {
        match self {
            Self::Person { progress } => {
                *progress = None;
                summary.print(place)
            }
            Self::Starter { listens: true } => {
                self.announce(&Announcement::Ready(
                    summary.clone(),
                    place == Place::Elsewhere,
                ));
                *self = Self::Starter { listens: false };
                Ok(())
            }
            Self::Starter { listens: false } => Ok(()),
        }
    }

    /// Announces a failure to the starting process. Returns whether that process still reads.
    pub fn failed(&mut self, failure: &Failure) -> bool {
        let Self::Starter { listens: true } = self else {
            return false;
        };
        self.announce(&Announcement::Failed(failure.clone()));
        true
    }

    fn announce(&self, announcement: &Announcement) {
        let Self::Starter { listens: true } = self else {
            return;
        };
        if let Ok(mut line) = serde_json::to_string(announcement) {
            line.push('\n');
            // If the starting process has ended, nobody reads this.
            let _ = say::print_bytes(line.as_bytes());
        }
    }
}

impl Summary {
    /// Returns the state of a directory with its newest chat.
    pub fn new(
        directory: &Path,
        chat: &Chat,
        context: &Context,
        server: &RunningServer,
        data_directory: &Path,
        page: Option<&PageLink>,
        tools: Vec<String>,
    ) -> Self {
        Self {
            page: page.map(|link| link.as_str().to_owned()),
            directory: directory.to_string_lossy().into_owned(),
            chat: say::id(chat.id),
            title: chat.title.clone(),
            snapshot: context.pin.snapshot.clone(),
            holdings: say::holdings(context),
            is_empty: context.resources.is_empty(),
            error: context.pin.error.clone(),
            removed: say::removed(context),
            is_behind: context.pin.dirty && context.effect != "none",
            tools,
            server: server.url.to_string().trim_end_matches('/').to_owned(),
            database: match server.database.is_remote() {
                true => server.database.describe().to_owned(),
                false => format!(
                    "{} in {}",
                    server.database.describe(),
                    Viewpoint::here().path(&data_directory.to_string_lossy())
                ),
            },
        }
    }

    /// Prints the state, and what to do next.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn print(&self, place: Place) -> Result<(), Failure> {
        let viewpoint = Viewpoint::here();
        let title = match &self.title {
            Some(title) => format!(" \"{}\"", say::line(title)),
            None => String::new(),
        };
        let pin = match &self.snapshot {
            Some(snapshot) => format!("pinned to {}: {}", say::hash(snapshot), self.holdings),
            None => "not pinned yet".to_owned(),
        };
        let mut text = format!(
            "{}\n  chat      {}{title}, {pin}\n",
            say::paint(
                say::BOLD,
                &format!("watching {}", say::line(&self.directory))
            ),
            self.chat,
        );
        if self.is_empty {
            let empty = "found nothing to pin; an AGENTS.md that you add here shows as drift, which you can take";
            text += &format!("            {}\n", say::paint(say::WARNING, empty));
        }
        if let Some(error) = &self.error {
            text += &format!(
                "            {}\n",
                say::paint(say::WARNING, &say::text(error))
            );
        }
        if let Some(removed) = &self.removed {
            text += &format!("            removed from the prompt: {removed}\n");
        }
        if self.is_behind {
            let behind = "behind: the workspace differs from the chat's pin";
            text += &format!("            {}\n", say::paint(say::WARNING, behind));
        }
        if !self.tools.is_empty() {
            let tools = self.tools.iter().map(|tool| say::line(tool));
            text += &format!(
                "  tools     {}; `ctxpin chat new --profile TOOL` pins a chat to what one of them reads\n",
                tools.collect::<Vec<_>>().join(", ")
            );
        }
        text += &format!(
            "  server    {}, {}\n  API       {}/api/v1/openapi.json\n",
            self.server, self.database, self.server
        );
        if let Some(page) = &self.page {
            text += &format!("  page      {page}\n");
        }
        text += "\n  ctxpin chat show       compare the pin with the workspace\
                 \n  ctxpin chat diff       show the changed lines\
                 \n  ctxpin chat refresh    take the changes\
                 \n  ctxpin prompt          print the model's prompt\n\n";
        text += &match place {
            Place::Foreground => "Ctrl-C stops it; the next `ctxpin up` resumes it.\n".to_owned(),
            Place::Elsewhere => "`ctxpin down` stops it.\n".to_owned(),
            Place::Background => format!(
                "It runs in the background; `ctxpin down` stops it. Its log is {}.\n",
                log_path(&viewpoint)
            ),
        };
        say::print(&text)
    }
}

fn log_path(viewpoint: &Viewpoint) -> String {
    match DataDirectory::locate() {
        Ok(data) => viewpoint.path(&data.log_file().to_string_lossy()),
        Err(_) => "up.log".to_owned(),
    }
}
