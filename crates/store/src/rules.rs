//! The rules by which the resources of a snapshot were found.

use ctxpin_model::profile::{Profile, Rules, Settings};

use crate::error::{Error, Result};
use crate::values::{Columns, Row};

/// A snapshot of the neutral profile has no rules.
impl Columns for Option<Rules> {
    fn take(row: &mut Row) -> Result<Self> {
        let profile: Option<Profile> = row.take()?;
        let version: Option<u32> = row.take()?;
        let settings: Option<String> = row.take()?;
        let (Some(profile), Some(version), Some(settings)) = (profile, version, settings) else {
            return Ok(None);
        };
        let settings = Settings::from_canonical_json(profile, &settings);
        let unread = |error| Error::Unexpected(format!("settings of {profile}: {error}"));
        let settings = settings.map_err(unread)?;
        Ok(Some(Rules { version, settings }))
    }
}
