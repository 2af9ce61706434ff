//! What tells directories of one name apart in a list of chats.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// Returns the ends of the paths of these agents' directories, each as long as it takes to tell it from the others of the
/// same name. An agent whose directory has a name of its own is left out.
pub fn twins(workspaces: &BTreeMap<Uuid, String>) -> BTreeMap<Uuid, String> {
    let paths: BTreeSet<_> = workspaces.values().map(String::as_str).collect();
    let apart = |path: &str| {
        let others: Vec<_> = paths.iter().filter(|other| **other != path).collect();
        let ends = ends(path);
        let is_shared = |end: &&str| others.iter().any(|other| self::ends(other).contains(end));
        let shared = ends.iter().filter(|end| is_shared(end)).count();
        let own = ends.get(shared).or(ends.last()).copied();
        own.filter(|_| shared > 0).map(str::to_owned)
    };
    let ends = workspaces.iter();
    let ends = ends.filter_map(|(agent, path)| Some((*agent, apart(path)?)));
    ends.collect()
}

/// Returns the ends of a path, the shortest first, and the whole path last.
fn ends(path: &str) -> Vec<&str> {
    let cuts = path.rmatch_indices('/').map(|(at, _)| &path[at + 1..]);
    let ends = cuts.filter(|end| !end.is_empty() && *end != path);
    ends.chain([path]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_one_name_are_told_apart() {
        let check = |paths: &[&str], expected: &[Option<&str>]| {
            let ids = (0..).map(Uuid::from_u128);
            let workspaces = ids.clone().zip(paths.iter().map(|path| (*path).to_owned()));
            let twins = twins(&workspaces.collect());
            let found = ids.take(paths.len()).map(|id| twins.get(&id));
            let found: Vec<_> = found.map(|end| end.map(String::as_str)).collect();
            assert_eq!(found, expected, "{paths:?}");
        };
        check(&[], &[]);
        check(&["/a/app", "/a/web"], &[None, None]);
        check(
            &["/a/app", "/b/app", "/b/web"],
            &[Some("a/app"), Some("b/app"), None],
        );
        check(
            &["/x/a/app", "/y/a/app", "/b/app"],
            &[Some("x/a/app"), Some("y/a/app"), Some("b/app")],
        );
        // One path is the end of another one.
        check(
            &["/app", "/a/app", "app"],
            &[Some("/app"), Some("a/app"), Some("app")],
        );
        // Agents of several tools have one directory.
        check(&["/a/app", "/a/app"], &[None, None]);
    }
}
