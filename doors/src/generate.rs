//! Workspaces at random: directories, instruction files of many forms, links, and a tool's settings. One seed
//! always gives the same workspace.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::client::Client;
use crate::workspace::{Entry, MIB, PROJECT, Workspace};

/// Returns the workspace of a seed for a tool.
pub fn workspace(client: Client, seed: u64) -> Workspace {
    let mut random = StdRng::seed_from_u64(seed);
    let random = &mut random;
    let mut workspace = Workspace::default();
    let mut directories = vec![PROJECT.to_owned()];
    for _ in 0..random.random_range(1..8) {
        let names = [
            "api",
            "web",
            "docs",
            "lib",
            "a b",
            "é",
            ".hidden",
            "node_modules",
        ];
        let parent = directories.choose(random).cloned().unwrap_or_default();
        let name = names.choose(random).copied().unwrap_or("api");
        let path = format!("{parent}/{name}");
        if !directories.contains(&path) {
            directories.push(path);
        }
    }
    for directory in &directories {
        workspace.add(directory, Entry::Directory);
    }
    // A file above the repository is not the project's.
    directories.push(".".to_owned());
    for directory in &directories {
        for name in client.file_names() {
            if random.random_bool(0.4) {
                let entry = entry(random, name);
                workspace.add(format!("{directory}/{name}"), entry);
            }
        }
        if random.random_bool(0.15) {
            workspace.add(
                format!("{directory}/package.json"),
                Entry::File("{}".into()),
            );
        }
    }
    if random.random_bool(0.9) {
        repository(random, &mut workspace, PROJECT);
    }
    if random.random_bool(0.15) {
        let inner = directories.choose(random).cloned();
        let inner = inner.filter(|inner| inner != ".");
        repository(
            random,
            &mut workspace,
            &inner.unwrap_or_else(|| PROJECT.to_owned()),
        );
    }
    // Otherwise a `.git` that is a file leads to no repository.
    if random.random_bool(0.5) {
        workspace.add_repository("elsewhere");
    }
    let inside = &directories[..directories.len() - 1];
    workspace.working = inside.choose(random).cloned().unwrap_or_default();
    client.settle(random, &mut workspace);
    ignored(random, &mut workspace);
    if random.random_bool(0.5) {
        enlarge(random, client, &mut workspace);
    }
    workspace
}

/// Writes what git ignores. Claude Code lists no skills of ignored directories, unless it is started outside of a
/// repository. Nothing else depends on it.
fn ignored(random: &mut StdRng, workspace: &mut Workspace) {
    for directory in workspace.directories() {
        if random.random_bool(0.1) {
            let rules = [
                "api\n",
                "node_modules/\n!api\n",
                "/web/\n*.md\n",
                "# lib\na b\n",
            ];
            let rules = rules.choose(random).copied().unwrap_or_default();
            workspace.write(format!("{directory}/.gitignore"), rules);
        }
    }
}

/// Makes one of the instruction files or skills as large as a tool or ctxpin takes it, or a byte larger. ctxpin does not
/// follow the imports of a file that is too large for it, so there are none.
fn enlarge(random: &mut StdRng, client: Client, workspace: &mut Workspace) {
    let skill = client.skill_bytes_max();
    let is_enlarged = |path: &&str| {
        let is_skill = path.ends_with("/SKILL.md");
        // What describes an agent is a setting, of which ctxpin reads less and says so.
        let is_setting = path.ends_with("/build.md");
        path.ends_with(".md")
            && !path.starts_with("./")
            && !is_setting
            && (!is_skill || skill.is_some())
    };
    let paths: Vec<_> = workspace.files().filter(is_enlarged).collect();
    let Some(path) = paths.choose(random).map(|&path| path.to_owned()) else {
        return;
    };
    let sizes = match skill.filter(|_| path.ends_with("/SKILL.md")) {
        Some(most) => [most, most + 1, 2 * MIB, 4 * MIB],
        None => [MIB, MIB + 1, 4 * MIB, 4 * MIB + 1],
    };
    let size = sizes.choose(random).copied().unwrap_or(MIB);
    workspace.pad(&path, size);
}

/// Makes a directory a repository: of its own, or a worktree or submodule, whose `.git` is a file.
fn repository(random: &mut StdRng, workspace: &mut Workspace, directory: &str) {
    let path = format!("{directory}/.git");
    if workspace.has(&path) {
        return;
    }
    match random.random_bool(0.8) {
        true => workspace.add_repository(&path),
        false => workspace.add(path, Entry::File("gitdir: ../elsewhere\n".into())),
    }
}

/// Returns a file of some form, a directory of this name, or a link.
fn entry(random: &mut StdRng, name: &str) -> Entry {
    match random.random_range(0..20) {
        0 => Entry::Directory,
        1 => Entry::Link("nowhere".to_owned()),
        2 => Entry::Link(
            if name == "AGENTS.md" {
                "CLAUDE.md"
            } else {
                "AGENTS.md"
            }
            .to_owned(),
        ),
        _ => Entry::File(text(random)),
    }
}

/// Returns a text of some form.
fn text(random: &mut StdRng) -> String {
    let number: u32 = random.random_range(0..1_000_000);
    let plain = format!("# Rules {number}\n\nUse tabs.\n");
    match random.random_range(0..15) {
        0 => String::new(),
        1 => " \n\t\n".to_owned(),
        2 => plain.replace('\n', "\r\n"),
        3 => format!("\u{feff}{plain}"),
        4 => plain.trim_end().to_owned(),
        5 => format!("\n\n  {plain}\n\n\n"),
        6 => format!("{plain}<!-- a comment {number} -->\nafter it\n"),
        7 => format!("{plain}```\n<!-- code -->\n```\n"),
        8 => format!("---\ntitle: {number}\n---\n{plain}"),
        9 => format!("{plain}ä€😀 {number}\u{0}\u{200b}\n").repeat(20),
        10 => "é".repeat(random.random_range(10..20_000)),
        11 => "x".repeat(random.random_range(10..40_000)) + "\n",
        12 => format!("{plain}--- project-doc ---\n\n</INSTRUCTIONS>\n"),
        13 => format!("{plain}@docs.md and @./plain.md\n"),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{CASES, Counts};

    #[test]
    fn every_case_is_made_often() {
        for client in Client::ALL {
            let mut counts = Counts::default();
            for seed in 0..200 {
                counts.add(&workspace(client, seed));
            }
            for (case, count) in CASES.iter().zip(counts.of_cases()) {
                let (name, case) = (client.name(), case.name);
                assert_eq!(count == 0, client.lacks().contains(&case), "{name}, {case}");
                assert!(count == 0 || count >= 15, "{name}, {case}: {count}");
            }
        }
    }
}
