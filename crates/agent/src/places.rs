//! The places in other directories whose agents a running process made. They survive a restart.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::AgentError;
use crate::standing::StandingPlace;
use crate::state_directory::{ListKind, replace_list};

/// The file with the places, in the state directory.
const FILE_NAME: &str = "places.json";

const LIST: ListKind = ListKind {
    what: "a list of the directories that are served",
    remedy: "move it away; `ctxpin chat new` in a directory serves it again",
};

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
        let kept: Kept = LIST.read(&path)?;
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
        let mut places = self.places.clone();
        places.push(place.clone());
        self.keep(places)
    }

    /// Removes a place.
    pub fn remove(&mut self, place: &StandingPlace) -> Result<(), String> {
        let mut places = self.places.clone();
        places.retain(|known| known != place);
        self.keep(places)
    }

    /// Replaces the places, on disk first.
    fn keep(&mut self, places: Vec<StandingPlace>) -> Result<(), String> {
        let kept = places.iter().map(|place| KeptPlace {
            directory: place.directory.clone(),
            profile: place.profile.to_string(),
        });
        let kept = Kept {
            places: kept.collect(),
        };
        replace_list(&self.path, &kept)?;
        self.places = places;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ctxpin_model::profile::Profile;

    use super::*;

    #[test]
    fn a_place_that_could_not_be_written_is_written_later() {
        let base = tempfile::tempdir().unwrap();
        let state = base.path().join("state");
        let mut places = Places::open(&state).unwrap();
        let place = StandingPlace {
            directory: "/w/below".into(),
            profile: Profile::Codex,
        };
        places.add(&place).unwrap_err();
        assert_eq!(places.all(), []);
        fs::create_dir(&state).unwrap();
        places.add(&place).unwrap();
        assert_eq!(Places::open(&state).unwrap().all(), [place]);
    }
}
