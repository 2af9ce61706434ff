//! What a snapshot has in use, as a tree of roots and directories that adds up.

use std::collections::BTreeSet;

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::id::ChatId;
use ctxpin_model::mcp::Detail;
use ctxpin_model::resource::{Content, Kind, Resource, ResourceId, Status};

use super::conditions::when;
use super::glyph::{Glyph, Share};
use super::number::{Number, Size, counted};
use super::room::{ITEMS_MAX, ListRoom};
use super::text::{PathText, Text};

/// The resources in use, in the order of the prompt.
#[derive(Template)]
#[template(path = "parts/resource_tree.html")]
pub(crate) struct ResourceTree {
    roots: Vec<Root>,
    /// How many resources are in use, in words.
    pub count: String,
    /// The size of everything in use.
    pub total: Size,
    /// How many files and servers are in use besides those in `roots`.
    more: Number,
    /// The command that lists all of them.
    command: &'static str,
}

impl HtmlSafe for ResourceTree {}

/// The resources in use of one root.
struct Root {
    name: String,
    folders: Vec<Folder>,
}

/// The files of one directory below a root.
struct Folder {
    /// The path below the root, or nothing for the root itself.
    name: String,
    nodes: Vec<Node>,
}

/// A file, or an MCP server.
struct Node {
    key: String,
    /// The path of the page that shows its text.
    path: Option<String>,
    name: String,
    glyph: Glyph,
    note: String,
    /// With which files a model gets it. `None` if with every request.
    when: Option<String>,
    size: Size,
    share: Share,
    is_current: bool,
}

/// What a tree says of its resources besides what they are.
#[derive(Default)]
pub(crate) struct Marks {
    /// The resources that the workspace has changed since.
    pub changed: BTreeSet<ResourceId>,
    /// The chat whose page shows the texts. `None` if no page does.
    pub chat: Option<ChatId>,
    /// The resource whose text is shown.
    pub current: Option<ResourceId>,
}

impl ResourceTree {
    /// Arranges the resources in use. Paths in conditions begin at `directory`.
    pub fn new(
        resources: &[Resource],
        directory: &str,
        marks: &Marks,
        command: &'static str,
    ) -> Self {
        let used = resources.iter();
        let used: Vec<_> = used
            .filter(|resource| resource.status == Status::Ok)
            .collect();
        let total = used.iter().map(|resource| resource.total_bytes()).sum();
        let count = counted(used.len() as u64, "resource");
        let mut roots: Vec<Root> = Vec::new();
        let mut before = 0;
        let (mut room, mut more) = (ListRoom::new(ITEMS_MAX), 0);
        for resource in used {
            let (root, folder, name) = place(resource);
            let share = |own: u64| {
                let share = Share { before, own, total };
                before += own;
                share
            };
            let mut nodes = nodes(resource, name, directory, marks, share);
            let found = nodes.len();
            nodes.retain(|node| {
                let when = node.when.as_ref().map_or(0, String::len);
                room.takes(folder.len() + node.name.len() + node.note.len() + when)
            });
            more += (found - nodes.len()) as u64;
            if nodes.is_empty() {
                continue;
            }
            let root = match roots.iter().position(|known| known.name == root) {
                Some(index) => &mut roots[index],
                None => {
                    roots.push(Root {
                        name: root.to_owned(),
                        folders: Vec::new(),
                    });
                    let last = roots.len() - 1;
                    &mut roots[last]
                }
            };
            match root.folders.iter_mut().find(|known| known.name == folder) {
                Some(known) => known.nodes.extend(nodes),
                None => root.folders.push(Folder {
                    name: folder.to_owned(),
                    nodes,
                }),
            }
        }
        Self {
            roots,
            count,
            total: Size(total),
            more: Number(more),
            command,
        }
    }
}

/// Returns the nodes of a resource: itself, and the files of a skill.
fn nodes(
    resource: &Resource,
    name: &str,
    directory: &str,
    marks: &Marks,
    mut share: impl FnMut(u64) -> Share,
) -> Vec<Node> {
    let id = resource.id();
    let glyph = match marks.changed.contains(&id) {
        true => Glyph::Changed,
        false => Glyph::Used,
    };
    let text = marks.chat.filter(|_| resource.body().is_some());
    let mut nodes = vec![Node {
        key: id.to_string(),
        path: text.map(|chat| format!("/chats/{chat}/context?resource={id}")),
        name: name.to_owned(),
        glyph,
        note: note(resource, glyph),
        when: resource
            .applies
            .as_ref()
            .map(|applies| when(applies, directory)),
        size: Size(resource.size),
        share: share(resource.size),
        is_current: marks.current == Some(id),
    }];
    for (index, file) in resource.files.iter().enumerate() {
        let query = url::form_urlencoded::byte_serialize(file.path.as_bytes());
        let query: String = query.collect();
        let text = marks.chat.filter(|_| file.body().is_some());
        nodes.push(Node {
            key: format!("{id}-{index}"),
            path: text.map(|chat| format!("/chats/{chat}/context/{id}/file?path={query}")),
            name: file.path.clone(),
            glyph,
            note: file.error.clone().unwrap_or_default(),
            when: None,
            size: Size(file.size),
            share: share(file.size),
            is_current: false,
        });
    }
    nodes
}

/// Returns the root of a resource, the directory below it, and the name in the directory.
fn place(resource: &Resource) -> (&str, &str, &str) {
    let source = resource.source.as_str();
    if resource.kind == Kind::McpServer {
        return ("MCP servers", "", source);
    }
    let root = resource.root.as_deref().unwrap_or("/");
    let below = source.strip_prefix(root).unwrap_or(source);
    let below = below.trim_start_matches('/');
    match below.rsplit_once('/') {
        Some((folder, name)) => (root, folder, name),
        None if below.is_empty() => (root, "", source),
        None => (root, "", below),
    }
}

fn note(resource: &Resource, glyph: Glyph) -> String {
    if glyph == Glyph::Changed {
        return "changed".to_owned();
    }
    match (&resource.detail, resource.content) {
        (Some(Detail::Tools(tools)), _) => counted(tools.len() as u64, "tool"),
        (_, Some(Content::Claimed(_))) => "hash only".to_owned(),
        _ => String::new(),
    }
}
