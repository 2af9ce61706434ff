//! The question which instruction files come with a file.

use ctxpin_model::id::ChatId;
use ctxpin_model::token::Credential;
use ctxpin_operations::error::Error;
use ctxpin_operations::instructions::{self, OnDemand};

use crate::api_error::{ApiResult, sentence};
use crate::app::App;
use crate::pages::parts::conditions::{below, when};
use crate::pages::parts::number::Number;
use crate::pages::parts::room::ListRoom;

/// The most files that an answer lists.
const FILES_MAX: usize = 200;

/// The question what comes with a file.
pub(super) struct Question {
    /// The path as it was asked.
    pub path: String,
    /// Why the path is none of this pin.
    pub error: Option<String>,
    pub answer: Option<Answer>,
}

/// The instruction files that come with a file.
pub(super) struct Answer {
    /// The path below the working directory.
    pub path: String,
    pub files: Vec<AnswerFile>,
    /// How many come besides those in `files`.
    pub more: Number,
}

pub(super) struct AnswerFile {
    pub name: String,
    /// The query of the page that shows the text.
    pub query: String,
    pub when: String,
}

impl Question {
    /// Asks what comes with the file at `path`, if there is one. A path that names no file of the workspace is a
    /// mistake in the field.
    ///
    /// # Errors
    ///
    /// Returns the other errors of [`instructions::on_demand`].
    pub async fn ask(
        app: &App,
        credential: Credential,
        chat: ChatId,
        path: Option<String>,
        directory: &str,
    ) -> ApiResult<Self> {
        let mut question = Self {
            path: path.unwrap_or_default(),
            error: None,
            answer: None,
        };
        if question.path.is_empty() {
            return Ok(question);
        }
        match instructions::on_demand(&app.service, credential, chat, &question.path).await {
            Ok(found) => {
                question.answer = found.map(|found| Answer::new(&found, &question.path, directory));
            }
            Err(Error::InvalidPath(invalid)) => {
                question.error = Some(sentence(&invalid.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(question)
    }
}

impl Answer {
    fn new(found: &OnDemand, asked: &str, directory: &str) -> Self {
        let asked = url::form_urlencoded::byte_serialize(asked.as_bytes());
        let asked: String = asked.collect();
        let mut room = ListRoom::new(FILES_MAX);
        let files = found.given.iter().map_while(|given| {
            let applies = given.file.applies.as_ref();
            let file = AnswerFile {
                name: below(&given.file.source, directory).to_owned(),
                query: format!("file={asked}&resource={}", given.file.id()),
                when: applies.map_or_else(String::new, |applies| when(applies, directory)),
            };
            let bytes = file.name.len() + file.query.len() + file.when.len();
            room.takes(bytes).then_some(file)
        });
        let files: Vec<_> = files.collect();
        Self {
            path: below(&found.path, directory).to_owned(),
            more: Number((found.given.len() - files.len()) as u64),
            files,
        }
    }
}
