//! The places in other directories whose agents a running process made. They survive a restart.

use std::path::{Path, PathBuf};

use ctxpin_private_files::file;
use serde::{Deserialize, Serialize};

use crate::error::AgentError;
use crate::sources::read;
use crate::standing::StandingPlace;

/// The file with the places, in the state directory.
const FILE_NAME: &str = "places.json";

/// The places as JSON in their file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    places: Vec<KeptPlace>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPlace {
    directory: PathBuf,
    profile: String,
}

/// The places of the agents that were made, in the order in which they were.
#[derive(Debug)]
pub(crate) struct Places {
    path: PathBuf,
    places: Vec<StandingPlace>,
}

impl Places {
    /// Reads the places of before. One of a profile that this release does not know is passed over.
    pub fn open(state_directory: &Path) -> Result<Self, AgentError> {
        let path = state_directory.join(FILE_NAME);
        let kept: Kept = match read(&path)? {
            None => Kept::default(),
            Some((bytes, _)) => serde_json::from_slice(&bytes).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                AgentError::Corrupt {
                    path: path.clone(),
                    what: "a list of the directories that are served",
                    reason: format!("at line {line} column {column}"),
                    remedy: "move it away; `ctxpin chat new` in a directory serves it again",
                }
            })?,
        };
        let places = kept.places.into_iter().filter_map(|kept| {
            Some(StandingPlace {
                profile: kept.profile.parse().ok()?,
                directory: kept.directory,
            })
        });
        Ok(Self {
            places: places.collect(),
            path,
        })
    }

    /// Returns all places.
    pub fn all(&self) -> Vec<StandingPlace> {
        self.places.clone()
    }

    /// Adds a place, unless it is there.
    pub fn add(&mut self, place: &StandingPlace) -> Result<(), String> {
        if self.places.contains(place) {
            return Ok(());
        }
        self.places.push(place.clone());
        self.keep()
    }

    /// Removes a place.
    pub fn remove(&mut self, place: &StandingPlace) -> Result<(), String> {
        self.places.retain(|known| known != place);
        self.keep()
    }

    fn keep(&self) -> Result<(), String> {
        let places = self.places.iter().map(|place| KeptPlace {
            directory: place.directory.clone(),
            profile: place.profile.to_string(),
        });
        let kept = Kept {
            places: places.collect(),
        };
        let json = serde_json::to_vec_pretty(&kept).map_err(|error| error.to_string())?;
        file::replace(&self.path, &json)
            .map_err(|error| format!("{} cannot be written: {error}", self.path.display()))
    }
}
