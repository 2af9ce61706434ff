//! The contents of workspaces in the model, and the relations between two contents.
//!
//! Everything here follows from the rules of the lifecycle, without the code under test. Names,
//! limits and sizes never collide, so shadowing and limits do not matter.

use ctxpin_model::diff::Verb;
use ctxpin_model::resource::Kind;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_testing::workspace::Workspace;

/// The directories of the model's workspaces.
pub const DIRECTORIES: [&str; 2] = ["/w", "/v"];
/// The files of a workspace.
pub const FILES: [&str; 3] = ["a.md", "b.md", "c.md"];
/// The number of texts that each thing can have.
pub const VARIANTS: u8 = 3;
const SYSTEMS: [&str; 2] = ["linux", "plan9"];
const ERRORS: [&str; 2] = ["a cap was reached", "another cap was reached"];
const SERVERS: [&str; 2] = ["git", "web"];

/// The content of a workspace, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub directory: &'static str,
    pub system: &'static str,
    pub error: Option<&'static str>,
    pub items: Vec<Item>,
}

/// A resource of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    pub source: String,
    /// The number of its text, or `None` if it is broken.
    pub text: Option<u8>,
}

/// A workspace as a proptest strategy generates it: things by their number, each with its state.
#[derive(Debug, Clone)]
pub struct Sketch {
    pub things: Vec<(u8, u8)>,
    pub is_other_system: bool,
    pub error: Option<u8>,
}

/// The number of things that a sketch can name.
pub const THINGS: u8 = 6;

/// Returns the text of an instruction file.
pub fn file_text(path: &str, variant: u8) -> String {
    format!("The {path} of manner {variant}.\n")
}

/// Returns the description of a skill.
pub fn skill_text(name: &str, variant: u8) -> String {
    format!("What {name} does in manner {variant}.")
}

/// Returns the name of a directory's skill. Each directory has a different one.
pub fn skill_name(directory: &str) -> String {
    format!("pdf-{}", directory.trim_start_matches('/'))
}

fn item(directory: &str, thing: u8, state: u8) -> Item {
    let text = (state < VARIANTS).then_some(state);
    match thing {
        0..=2 => Item {
            kind: Kind::InstructionFile,
            source: format!("{directory}/{}", FILES[usize::from(thing)]),
            text,
        },
        3 => Item {
            kind: Kind::Skill,
            source: format!(
                "{directory}/.agents/skills/{}/SKILL.md",
                skill_name(directory)
            ),
            text: Some(state % VARIANTS),
        },
        _ => Item {
            kind: Kind::McpServer,
            source: SERVERS[usize::from(thing % 2)].into(),
            text: Some(state % VARIANTS),
        },
    }
}

impl Content {
    /// Returns the content of a sketch in a directory.
    pub fn of(sketch: &Sketch, directory: &'static str) -> Self {
        let mut items: Vec<Item> = Vec::new();
        for (thing, state) in &sketch.things {
            let item = item(directory, *thing, *state);
            if !items.iter().any(|there| there.is_of(&item)) {
                items.push(item);
            }
        }
        servers_last(&mut items);
        Self {
            directory,
            system: SYSTEMS[usize::from(sketch.is_other_system)],
            error: sketch.error.map(|error| ERRORS[usize::from(error % 2)]),
            items,
        }
    }

    /// Returns a workspace with this content for an agent to push. All items must lie in one
    /// directory.
    pub fn workspace(&self) -> Workspace {
        let mut workspace = Workspace::new(self.directory).os(self.system);
        if let Some(error) = self.error {
            workspace = workspace.error(error);
        }
        self.items.iter().fold(workspace, |workspace, item| {
            let home = DIRECTORIES
                .iter()
                .find(|directory| item.is_below(directory));
            match home {
                Some(home) if *home != self.directory => {
                    let alone = item.put(Workspace::new(home), home).snapshot();
                    workspace.resource(alone.resources[0].clone())
                }
                _ => item.put(workspace, self.directory),
            }
        })
    }

    /// Returns the expected snapshot of this content.
    pub fn snapshot(&self) -> Snapshot {
        self.workspace().snapshot()
    }

    /// Returns what reaches a model through the prompt and the skills: the facts, the usable files
    /// in their order, and the usable skills in theirs.
    pub fn context(&self) -> (&str, &str, Vec<&Item>) {
        let usable = |kind| {
            self.items
                .iter()
                .filter(move |item| item.kind == kind && item.text.is_some())
        };
        let things = usable(Kind::InstructionFile).chain(usable(Kind::Skill));
        (self.directory, self.system, things.collect())
    }

    /// Returns the MCP servers with their tools.
    pub fn tools(&self) -> Vec<&Item> {
        let servers = self.items.iter();
        servers
            .filter(|item| item.kind == Kind::McpServer)
            .collect()
    }

    /// Returns whether two contents are equal for a chat. Tools count only if the chat pins them.
    pub fn same(&self, other: &Self, mode: ToolsMode) -> bool {
        self.context() == other.context()
            && (mode == ToolsMode::Live || self.tools() == other.tools())
    }

    /// Returns whether a usable thing has this source and text.
    pub fn tells(&self, kind: Kind, end: &str, variant: u8) -> bool {
        let mut items = self.items.iter();
        items.any(|item| {
            item.kind == kind && item.source.ends_with(end) && item.text == Some(variant)
        })
    }
}

impl Item {
    fn is_of(&self, other: &Self) -> bool {
        self.kind == other.kind && self.source == other.source
    }

    fn is_below(&self, directory: &str) -> bool {
        below(&self.source, directory).is_some()
    }

    fn put(&self, workspace: Workspace, directory: &str) -> Workspace {
        let path = below(&self.source, directory).unwrap_or(&self.source);
        match (self.kind, self.text) {
            (Kind::InstructionFile, Some(variant)) => {
                workspace.file(path, &file_text(path, variant))
            }
            (Kind::InstructionFile, None) => workspace.broken(path, "it is not text"),
            (Kind::Skill, variant) => {
                let name = skill_name(directory);
                let text = skill_text(&name, variant.unwrap_or_default());
                workspace.skill(&name, &text, &[("run.sh", &text)])
            }
            (_, variant) => {
                let tools = ["log", "blame", "show"];
                let count = usize::from(variant.unwrap_or_default());
                workspace.server(&self.source, &tools[..count])
            }
        }
    }
}

fn below<'s>(source: &'s str, directory: &str) -> Option<&'s str> {
    source.strip_prefix(directory)?.strip_prefix('/')
}

fn servers_last(items: &mut [Item]) {
    items.sort_by_key(|item| item.kind == Kind::McpServer);
}

/// The places of a thing in the pin and in the head.
type Pair = (Option<usize>, Option<usize>);

/// Pairs the things of both contents by kind and source. Between workspaces in different
/// directories, pairs the rest by kind and the path below the directory. The result is in the
/// head's order, then in the pin's.
fn pairs(pin: &Content, head: &Content) -> Vec<Pair> {
    let mut free: Vec<usize> = (0..pin.items.len()).collect();
    let mut take = |fits: &dyn Fn(&Item) -> bool| {
        let at = free.iter().position(|index| fits(&pin.items[*index]))?;
        Some(free.remove(at))
    };
    let mut pairs: Vec<Pair> = Vec::new();
    for (index, item) in head.items.iter().enumerate() {
        pairs.push((take(&|other| other.is_of(item)), Some(index)));
    }
    if pin.directory != head.directory {
        for (matched, index) in &mut pairs {
            let item = &head.items[index.expect("a place in the head")];
            if let (None, Some(path)) = (*matched, below(&item.source, head.directory)) {
                *matched = take(&|other| {
                    other.kind == item.kind && below(&other.source, pin.directory) == Some(path)
                });
            }
        }
    }
    pairs.extend(free.into_iter().map(|index| (Some(index), None)));
    pairs
}

/// The expected changes except changes of the order, and the unchanged things of both contents as
/// `(place in the pin, kind, source)` in the head's order.
pub struct Changes {
    pub told: Vec<(Option<Kind>, String, Verb)>,
    pub unchanged: Vec<(usize, Kind, String)>,
}

/// Compares a pin with a head.
pub fn changes(pin: &Content, head: &Content, mode: ToolsMode) -> Changes {
    let (mut told, mut unchanged) = (Vec::new(), Vec::new());
    if (pin.directory, pin.system) != (head.directory, head.system) {
        told.push((None, String::new(), Verb::Modified));
    }
    for (pinned, offered) in pairs(pin, head) {
        let before = pinned.map(|index| &pin.items[index]);
        let after = offered.map(|index| &head.items[index]);
        let Some(item) = after.or(before) else {
            continue;
        };
        if item.kind == Kind::McpServer && mode == ToolsMode::Live {
            continue;
        }
        let usable = |item: Option<&&Item>| item.is_some_and(|item| item.text.is_some());
        let verb = match (usable(before.as_ref()), usable(after.as_ref())) {
            (false, false) => continue,
            (false, true) => Verb::Added,
            (true, false) => Verb::Removed,
            (true, true) if before != after => Verb::Modified,
            (true, true) => {
                let at = pinned.expect("it is pinned");
                unchanged.push((at, item.kind, item.source.clone()));
                continue;
            }
        };
        told.push((Some(item.kind), item.source.clone(), verb));
    }
    Changes { told, unchanged }
}

/// Returns the pin with the selected things of the head, and with its facts if `facts` is set.
/// Things of the head are in the head's order. A thing that the head lacks follows the thing before
/// it in the pin.
fn take(
    pin: &Content,
    head: &Content,
    facts: bool,
    is_selected: &dyn Fn(&Item) -> bool,
) -> Content {
    let mut taken: Vec<(Option<usize>, Item)> = Vec::new();
    for (pinned, offered) in pairs(pin, head) {
        let before = pinned.map(|index| &pin.items[index]);
        let after = offered.map(|index| &head.items[index]);
        let selected = [before, after].into_iter().flatten().any(is_selected);
        let Some(item) = (if selected { after } else { before }) else {
            continue;
        };
        let place = if offered.is_some() {
            taken.len()
        } else {
            let earlier = |place: &(Option<usize>, Item)| place.0.filter(|at| Some(*at) < pinned);
            let nearest = taken.iter().filter_map(earlier).max();
            let nearest = nearest.and_then(|n| taken.iter().position(|(at, _)| *at == Some(n)));
            nearest.map_or(0, |at| at + 1)
        };
        taken.insert(place, (pinned, item.clone()));
    }
    let mut items: Vec<_> = taken.into_iter().map(|(_, item)| item).collect();
    servers_last(&mut items);
    let from = if facts { head } else { pin };
    Content {
        directory: from.directory,
        system: from.system,
        error: pin.error,
        items,
    }
}

/// Returns the pin after a refresh of some sources. An empty source names the facts. If no
/// difference is left, the pin becomes the head.
pub fn partial(pin: &Content, head: &Content, sources: &[String], mode: ToolsMode) -> Content {
    let facts = sources.iter().any(String::is_empty);
    let composed = take(pin, head, facts, &|item| sources.contains(&item.source));
    if composed.same(head, mode) {
        head.clone()
    } else {
        composed
    }
}

/// Returns the pin with the usable things of the head that it lacks, or `None` if there are none.
pub fn additive(pin: &Content, head: &Content) -> Option<Content> {
    let mut added = Vec::new();
    for (pinned, offered) in pairs(pin, head) {
        if let (None, Some(index)) = (pinned, offered) {
            added.extend(Some(&head.items[index]).filter(|item| item.text.is_some()));
        }
    }
    let composed = take(pin, head, false, &|item| added.contains(&item));
    (!added.is_empty()).then_some(composed)
}

/// Returns the pin with the head's tools.
pub fn settle(pin: &Content, head: &Content) -> Content {
    let context = pin.items.iter().filter(|item| item.kind != Kind::McpServer);
    let items = context.chain(head.tools()).cloned().collect();
    Content {
        items,
        ..pin.clone()
    }
}
