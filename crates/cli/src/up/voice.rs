//! What `ctxpin up` tells, and to whom: the person before it, or the process that started it in
//! the background.

use std::path::Path;

use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::context::Context;
use serde::{Deserialize, Serialize};

use crate::data_directory::DataDirectory;
use crate::running::RunningServer;
use crate::say::{self, Failure, Progress, Viewpoint};

/// How a watched directory stands.
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
    dirty: bool,
    server: String,
    database: String,
}

/// What a process in the background tells the one that started it, one line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
pub enum Announcement {
    /// What it waits for.
    Waiting(String),
    /// Something that it has noticed.
    Told(String),
    /// It runs; whether in another process that was started before.
    Ready(Summary, bool),
    /// It does not.
    Failed(Failure),
}

/// Where the process that watches is, seen by whoever is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this terminal.
    Foreground,
    /// In the background, started just now.
    Background,
    /// Somewhere else, started before.
    Elsewhere,
}

/// The reader of the output of `ctxpin up`.
pub enum Voice {
    Person {
        /// What is waited for; `None` once it runs.
        progress: Option<Progress>,
    },
    /// The process that started this one, until it has been told that it runs.
    Starter {
        /// Whether it still listens.
        listens: bool,
    },
}

impl Voice {
    /// A person listens.
    pub fn person() -> Self {
        Self::Person {
            progress: Some(Progress::new()),
        }
    }

    /// Tells what is waited for.
    pub fn wait(&mut self, text: &str) {
        match self {
            Self::Person {
                progress: Some(progress),
            } => progress.tell(text),
            Self::Person { progress: None } => say::note(text),
            Self::Starter { .. } => self.announce(&Announcement::Waiting(text.to_owned())),
        }
    }

    /// Tells something that was noticed.
    pub fn tell(&mut self, text: &str) {
        match self {
            Self::Person { progress } => {
                // The spinner would be drawn over it.
                if progress.take().is_some() {
                    *progress = Some(Progress::new());
                }
                say::note(&say::text(text));
            }
            Self::Starter { listens: true } => {
                self.announce(&Announcement::Told(text.to_owned()));
            }
            // From now on this goes to the log, where the time tells more than the order.
            Self::Starter { listens: false } => {
                say::note(&format!("{} {}", say::now().to_rfc3339(), say::text(text)));
            }
        }
    }

    /// Tells how it stands, now that it runs.
    ///
    /// # Errors
    ///
    /// If it cannot be told to a person.
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

    /// Tells that it failed; whether anybody heard it.
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
            // If the starter is gone, nobody is left to tell.
            let _ = say::print_bytes(line.as_bytes());
        }
    }
}

impl Summary {
    /// How a directory stands whose newest chat is this one.
    pub fn new(
        directory: &Path,
        chat: &Chat,
        context: &Context,
        server: &RunningServer,
        data_directory: &Path,
    ) -> Self {
        Self {
            directory: directory.to_string_lossy().into_owned(),
            chat: say::id(chat.id),
            title: chat.title.clone(),
            snapshot: context.pin.snapshot.clone(),
            holdings: say::holdings(context),
            is_empty: context.resources.is_empty(),
            error: context.pin.error.clone(),
            removed: say::removed(context),
            dirty: context.pin.dirty && context.effect != "none",
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

    /// Prints it, with what to do next.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
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
        if self.dirty {
            let dirty = "dirty: the workspace differs from the chat's pin";
            text += &format!("            {}\n", say::paint(say::WARNING, dirty));
        }
        text += &format!(
            "  server    {}, {}\n  API       {}/api/v1/openapi.json\n",
            self.server, self.database, self.server
        );
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
