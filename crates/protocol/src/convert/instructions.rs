//! The instruction files that a model gets when it reads a file.

use ctxpin_model::hash::SnapshotId;
use ctxpin_model::resource::Resource;

use super::resources::applies;
use crate::http::instructions::{Instruction, Instructions};

/// Returns the wire shape of what comes with the file at `path`.
pub fn instructions<'r>(
    snapshot: SnapshotId,
    path: String,
    files: impl Iterator<Item = (&'r Resource, &'r str)>,
) -> Instructions {
    Instructions {
        snapshot: Some(snapshot.to_string()),
        path: Some(path),
        items: files
            .filter_map(|(file, text)| instruction(file, text))
            .collect(),
    }
}

/// Returns the wire shape of what a chat without a pin gives.
pub fn no_instructions() -> Instructions {
    Instructions {
        snapshot: None,
        path: None,
        items: Vec::new(),
    }
}

fn instruction(file: &Resource, text: &str) -> Option<Instruction> {
    Some(Instruction {
        id: file.id().to_string(),
        source: file.source.clone(),
        applies: applies(file.applies.as_ref()?),
        content_hash: file.body()?.to_string(),
        text: text.to_owned(),
    })
}
