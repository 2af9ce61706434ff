//! Codex's roles of agents, whose descriptions its model gets. No pin holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ctxpin_model::resource::Kind;
use serde::Deserialize;
use toml::{Table, Value};

use super::super::{definitions, excluded, passed_over};
use super::CONFIG_NAME;
use super::role_keys::KNOWN;
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::settings;
use crate::trust::Trust;

/// The member of a configuration with its roles, and the folder beside it with others.
const AGENTS: &str = "agents";

/// The member of `features` that lets the model start agents.
const FEATURE: &str = "multi_agent";

/// The member of `agents` that does.
const ENABLED: &str = "enabled";

/// What ends the name of a role's file.
const ENDING: &str = ".toml";

/// Why a file is listed that describes a role to the model.
const GIVEN: &str = "Codex gives its model the description of this role, but no pin holds it";

const UNREAD: &str =
    "Codex may give its model the description of this role, but ctxpin does not read it";

const OFF: &str =
    "`multi_agent` in `[features]` or `enabled` in `[agents]` keeps every role from the model";

/// The roles that the layers of a configuration describe, the last layer last.
#[derive(Debug, Default)]
pub struct Roles {
    is_feature_on: Option<bool>,
    are_enabled: Option<bool>,
    layers: Vec<Layer>,
}

/// One file of the configuration, with the folder of roles beside it.
#[derive(Debug, Default)]
struct Layer {
    config: PathBuf,
    declared: BTreeMap<String, Declared>,
}

/// What a configuration says of a role.
#[derive(Debug, Clone, Deserialize)]
struct Declared {
    description: Option<String>,
    config_file: Option<PathBuf>,
}

/// What a file says of its role.
#[derive(Debug)]
struct Described {
    name: Option<String>,
    has_description: bool,
    has_instructions: bool,
}

/// A file that describes a role.
struct File {
    path: PathBuf,
    /// The folder that it is found for.
    folder: PathBuf,
    role: Result<String, Fault>,
}

/// Why it is not known that a file describes a role to the model.
enum Fault {
    Unread,
    /// Codex passes over it for this reason.
    PassedOver(String),
}

impl Roles {
    /// Reads the members of a configuration.
    ///
    /// # Errors
    ///
    /// Fails with the name of a member that has another type.
    pub fn parse(table: &Table) -> Result<Self, (&'static str, &'static str)> {
        let features = table.get("features");
        let is_on = |table: Option<&Value>, name: &str| table?.get(name)?.as_bool();
        let agents = table.get(AGENTS);
        let declared = agents.and_then(Value::as_table).into_iter().flatten();
        let declared = declared.filter(|(_, role)| role.is_table());
        let declared = declared.map(|(name, role)| Ok((name.clone(), role.clone().try_into()?)));
        let declared: Result<_, toml::de::Error> = declared.collect();
        Ok(Self {
            is_feature_on: is_on(features, FEATURE),
            are_enabled: is_on(agents, ENABLED),
            layers: vec![Layer {
                config: PathBuf::new(),
                declared: declared.map_err(|_| (AGENTS, "a table of roles"))?,
            }],
        })
    }

    /// Says of which file these are.
    pub fn of_file(mut self, path: &Path) -> Self {
        if self.layers.is_empty() {
            self.layers.push(Layer::default());
        }
        for layer in &mut self.layers {
            path.clone_into(&mut layer.config);
        }
        self
    }

    /// Takes what another layer says.
    pub fn change(&mut self, other: Self) {
        self.is_feature_on = other.is_feature_on.or(self.is_feature_on);
        self.are_enabled = other.are_enabled.or(self.are_enabled);
        self.layers.extend(other.layers);
    }

    /// Adds the files that describe roles. Returns the names of the roles that the configurations themselves describe to the
    /// model, by the paths of these.
    pub fn add(&self, trust: &Trust, gathering: &mut Gathering) -> BTreeMap<PathBuf, Vec<String>> {
        let mut counting: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut files = Vec::new();
        for layer in &self.layers {
            let mut reading = Reading {
                trust,
                gathering,
                roles: BTreeMap::new(),
                files: Vec::new(),
            };
            reading.layer(layer);
            files.append(&mut reading.files);
            for (name, description) in reading.roles {
                // A role without a description keeps that of an earlier layer.
                if let Some(description) = description {
                    counting.insert(name, description);
                }
            }
        }
        let is_off = self.is_feature_on == Some(false) || self.are_enabled == Some(false);
        let mut listed = BTreeSet::new();
        for File { path, folder, role } in files {
            let source = source_text(&path).0;
            if !listed.insert(source.clone()) {
                continue;
            }
            let judged = match role {
                _ if is_off => Err(OFF.to_owned()),
                Err(Fault::Unread) => Ok(UNREAD),
                Err(Fault::PassedOver(reason)) => Err(reason),
                Ok(name) => match counting.get(&name) {
                    Some(counts) if *counts == path => Ok(GIVEN),
                    Some(other) => Err(format!(
                        "Codex takes another description of its role: {}",
                        source_text(other).0
                    )),
                    None => Err(without("description")),
                },
            };
            let kind = Kind::InstructionFile;
            gathering.add(match judged {
                Ok(reason) => excluded(kind, &source, &folder, reason),
                Err(reason) => passed_over(kind, &source, &folder, &reason),
            });
        }
        let mut of_configurations: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        let configurations: BTreeSet<_> = self.layers.iter().map(|layer| &layer.config).collect();
        let described = counting.into_iter().filter(|_| !is_off);
        for (name, path) in described.filter(|(_, path)| configurations.contains(path)) {
            of_configurations.entry(path).or_default().push(name);
        }
        of_configurations
    }
}

/// The reading of one layer.
struct Reading<'r, 'g, 'c> {
    trust: &'r Trust,
    gathering: &'g mut Gathering<'c>,
    /// The file with the description of each role, by its name.
    roles: BTreeMap<String, Option<PathBuf>>,
    files: Vec<File>,
}

impl Reading<'_, '_, '_> {
    fn layer(&mut self, layer: &Layer) {
        let folder = layer.config.parent().unwrap_or(Path::new("/"));
        let mut declared_files = BTreeSet::new();
        for (name, declared) in &layer.declared {
            let file = declared.config_file.as_ref().map(|file| folder.join(file));
            declared_files.extend(file.clone());
            self.declared(name, declared, file, &layer.config);
        }
        if !layer.config.ends_with(CONFIG_NAME) {
            return;
        }
        let agents = folder.join(AGENTS);
        for found in definitions::find(&agents, ENDING, "roles", self.gathering) {
            if !declared_files.contains(&found.path) {
                self.discovered(found.path, folder);
            }
        }
    }

    /// Takes a role that a configuration declares. Codex ignores one with a blank description, or with a file that is not
    /// there or is in no order.
    fn declared(&mut self, name: &str, declared: &Declared, file: Option<PathBuf>, config: &Path) {
        let own = declared.description.as_deref();
        if own.is_some_and(|own| own.trim().is_empty()) {
            return;
        }
        let own = own.map(|_| config.to_owned());
        let Some(path) = file else {
            let _ = self.take(name.to_owned(), own);
            return;
        };
        self.gathering.places.awaited(&path);
        if !path.is_file() {
            return;
        }
        let described = self.described(&path);
        let is_of_file = !matches!(&described, Ok(described) if !described.has_description);
        let role = described.and_then(|described| {
            let name = described.name.unwrap_or_else(|| name.to_owned());
            let description = described.has_description.then(|| path.clone()).or(own);
            self.take(name.clone(), description).map(|()| name)
        });
        if is_of_file {
            let folder = config.parent().unwrap_or(config).to_owned();
            self.files.push(File { path, folder, role });
        }
    }

    /// Takes a role that a file in the folder of roles describes.
    fn discovered(&mut self, path: PathBuf, folder: &Path) {
        let role = self.described(&path).and_then(|described| {
            let name = described
                .name
                .ok_or_else(|| Fault::PassedOver(without("name")))?;
            if !described.has_instructions {
                return Err(Fault::PassedOver(without("developer_instructions")));
            }
            let description = described.has_description.then(|| path.clone());
            self.take(name.clone(), description).map(|()| name)
        });
        let folder = folder.to_owned();
        self.files.push(File { path, folder, role });
    }

    /// Takes a role, with the file of its description. Of two of one name in one layer, the first counts.
    fn take(&mut self, name: String, description: Option<PathBuf>) -> Result<(), Fault> {
        if self.roles.contains_key(&name) {
            let reason = "Codex takes another role of its name that the same layer describes";
            return Err(Fault::PassedOver(reason.to_owned()));
        }
        self.roles.insert(name, description);
        Ok(())
    }

    fn described(&mut self, path: &Path) -> Result<Described, Fault> {
        let bytes = settings::listed(path, self.trust);
        let bytes = bytes.filter(|bytes| self.gathering.may_parse(bytes.len()));
        let bytes = bytes.ok_or(Fault::Unread)?;
        let table = str::from_utf8(&bytes).ok();
        let table = table.and_then(|text| toml::from_str::<Table>(text).ok());
        let invalid =
            || Fault::PassedOver("Codex passes over a role that is not valid TOML".to_owned());
        let table = table.ok_or_else(invalid)?;
        let mut keys = table.keys();
        if let Some(key) = keys.find(|key| !KNOWN.contains(&key.as_str())) {
            let key = definitions::shown(std::slice::from_ref(key));
            let reason =
                format!("Codex 0.171.0 passes over a role with a key that it does not know: {key}");
            return Err(Fault::PassedOver(reason));
        }
        let text = |name: &str| match table.get(name) {
            None => Ok(None),
            Some(value) => match value.as_str().map(str::trim) {
                Some(text) if !text.is_empty() => Ok(Some(text.to_owned())),
                _ => Err(Fault::PassedOver(without(name))),
            },
        };
        Ok(Described {
            name: text("name")?,
            has_description: text("description")?.is_some(),
            has_instructions: text("developer_instructions")?.is_some(),
        })
    }
}

/// Says which roles a configuration describes.
pub fn described(names: &[String]) -> String {
    format!(
        "the descriptions of roles in it ({})",
        definitions::shown(names)
    )
}

/// Returns why Codex passes over a role of which a member is blank or missing.
fn without(member: &str) -> String {
    format!("Codex passes over a role without a `{member}`")
}
