//! Codex's plugins, whose skills its model gets and no pin holds.

use std::collections::BTreeMap;
use std::path::Path;

use ctxpin_model::limits::cut;
use ctxpin_model::resource::Kind;
use toml::{Table, Value};

use super::super::excluded;
use crate::gather::Gathering;
use crate::path_text::source_text;

/// The folder of Codex's home with what it has installed.
const FOLDER: &str = "plugins";

/// How many plugins a reason names, and how much of each name, in bytes.
const SHOWN_MAX: usize = 8;
const NAME_SHOWN_BYTES_MAX: usize = 100;

/// The members of a configuration about plugins.
#[derive(Debug, Default)]
pub struct Plugins {
    /// Whether `features` turns all of them off or on.
    are_on: Option<bool>,
    /// Whether each is on, by its name.
    named: BTreeMap<String, bool>,
}

impl Plugins {
    /// Reads the members. A plugin is on unless it is turned off.
    pub fn parse(table: &Table) -> Self {
        let features = table
            .get("features")
            .and_then(|features| features.get(FOLDER));
        let named = table.get(FOLDER).and_then(Value::as_table);
        let named = named.into_iter().flatten().map(|(name, plugin)| {
            let is_on = plugin.get("enabled").and_then(Value::as_bool);
            (
                cut(name, NAME_SHOWN_BYTES_MAX).to_owned(),
                is_on.unwrap_or(true),
            )
        });
        Self {
            are_on: features.and_then(Value::as_bool),
            named: named.collect(),
        }
    }

    /// Takes the members that another layer sets.
    pub fn change(&mut self, other: Self) {
        self.are_on = other.are_on.or(self.are_on);
        self.named.extend(other.named);
    }

    /// Adds the folder of installed plugins if some are on.
    pub fn add(&self, home: &Path, gathering: &mut Gathering) {
        let folder = home.join(FOLDER);
        gathering.places.awaited(&folder);
        let mut on = self.named.iter().filter(|(_, is_on)| **is_on);
        let shown: Vec<_> = on
            .by_ref()
            .take(SHOWN_MAX)
            .map(|(name, _)| name.as_str())
            .collect();
        if shown.is_empty() || self.are_on == Some(false) || !folder.is_dir() {
            return;
        }
        let names = shown.join(", ");
        let more = match on.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let reason = format!(
            "Codex lists the skills of the plugins that its configuration turns on to its model ({names}{more}), but no pin \
             holds them"
        );
        let source = source_text(&folder).0;
        gathering.add(excluded(Kind::Skill, &source, home, &reason));
    }
}
