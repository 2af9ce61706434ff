//! A snapshot written as lines, so that a corpus can be read and written by hand.
//!
//! A line is `os=..`, `directory=..`, `error=..` or a resource: fields with a tab between them, of
//! which the first is kind and status by their first letters (`i`, `s`, `c`, `m`; `o`, `v` for
//! oversize, `u`, `i`, `x` for excluded) and the second the source. Every other field is a letter
//! and a value. Any text is a snapshot: what means nothing is passed over.

use std::collections::BTreeSet;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::{Detail, ServerShape, Tool};
use ctxpin_model::resource::{Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::Snapshot;

/// The separator of the parts of one field.
const PART: char = '|';

/// Reads a snapshot. No two of its resources have the same kind and source, and no two files of a
/// resource the same path.
pub fn read(text: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut seen = BTreeSet::new();
    for line in text.split('\n') {
        let told = |value: &str| Some(value.to_owned());
        match line.split_once('=') {
            Some(("os", value)) => snapshot.facts.os = told(value),
            Some(("directory", value)) => snapshot.facts.directory = told(value),
            Some(("error", value)) => snapshot.error = told(value),
            _ => {
                let resource = resource(line);
                let resource =
                    resource.filter(|found| seen.insert((found.kind, found.source.clone())));
                snapshot.resources.extend(resource);
            }
        }
    }
    snapshot
}

fn resource(line: &str) -> Option<Resource> {
    let mut fields = line.split('\t');
    let mut letters = fields.next()?.chars();
    let kind = match letters.next()? {
        'i' => Kind::InstructionFile,
        's' => Kind::Skill,
        'c' => Kind::McpConfig,
        'm' => Kind::McpServer,
        _ => return None,
    };
    let status = match letters.next()? {
        'o' => Status::Ok,
        'v' => Status::Oversize,
        'u' => Status::Unreadable,
        'i' => Status::Invalid,
        'x' => Status::Excluded,
        _ => return None,
    };
    let mut resource = Resource::new(kind, fields.next()?, status);
    for field in fields {
        let mut letters = field.chars();
        if let Some(letter) = letters.next() {
            take(&mut resource, letter, letters.as_str());
        }
    }
    Some(resource)
}

fn take(resource: &mut Resource, letter: char, value: &str) {
    let told = Some(value.to_owned());
    match letter {
        'n' => resource.name = told,
        'd' => resource.description = told,
        'e' => resource.error = told,
        'r' => resource.root = told,
        'z' => resource.size = value.parse().unwrap_or(0),
        'p' => resource.content = Some(Content::Pinned(BlobHash::of(value.as_bytes()))),
        'q' => resource.content = Some(Content::Claimed(BlobHash::of(value.as_bytes()))),
        'f' => {
            let file = file(value);
            if !resource.files.iter().any(|other| other.path == file.path) {
                resource.files.push(file);
            }
        }
        't' => match &mut resource.detail {
            Some(Detail::Tools(tools)) => tools.push(tool(value)),
            detail => *detail = Some(Detail::Tools(vec![tool(value)])),
        },
        'h' => match &mut resource.detail {
            Some(Detail::Shape(servers)) => servers.push(server(value)),
            detail => *detail = Some(Detail::Shape(vec![server(value)])),
        },
        _ => {}
    }
}

/// Reads `path|body|flags`: `x` for executable, `q` for a claim, `e` for an error.
fn file(value: &str) -> SkillFile {
    let mut parts = value.split(PART);
    let path = parts.next().unwrap_or_default().to_owned();
    let body = parts.next();
    let flags = parts.next().unwrap_or_default();
    let hash = body.map(|body| BlobHash::of(body.as_bytes()));
    SkillFile {
        path,
        content: hash.map(|hash| match flags.contains('q') {
            true => Content::Claimed(hash),
            false => Content::Pinned(hash),
        }),
        size: body.map_or(0, |body| body.len() as u64),
        executable: flags.contains('x'),
        error: flags.contains('e').then(|| "not read".to_owned()),
    }
}

/// Reads `name|schema|description`, with the schema in JSON.
fn tool(value: &str) -> Tool {
    let mut parts = value.split(PART);
    Tool {
        name: parts.next().unwrap_or_default().to_owned(),
        input_schema: serde_json::from_str(parts.next().unwrap_or_default()).unwrap_or_default(),
        description: parts.next().map(str::to_owned),
    }
}

/// Reads `name|transport|env|headers|command|host`, with commas between the names of variables and
/// headers.
fn server(value: &str) -> ServerShape {
    let mut parts = value.split(PART);
    let mut text = || parts.next().map(str::to_owned);
    let names = |text: Option<String>| {
        let names = text.iter().flat_map(|names| names.split(','));
        names.map(str::to_owned).collect()
    };
    ServerShape {
        name: text().unwrap_or_default(),
        transport: text().unwrap_or_default(),
        env: names(text()),
        headers: names(text()),
        command: text(),
        host: text(),
    }
}
