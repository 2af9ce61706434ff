//! The lists of skills in which a client names each with its description.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use ctxpin_model::limits::cut;
use ctxpin_model::profile::Profile;

use crate::frame::{Ahead, CLAUDE_SKILLS};

/// A skill in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'s> {
    pub name: &'s str,
    /// Where the list says that the skill is from.
    pub origin: Origin<'s>,
    /// Where the description begins in the string. Where it ends depends on the description.
    pub at: usize,
    /// What the list has behind a description.
    ends: &'static [&'static str],
}

/// Where a list says that a skill is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin<'s> {
    /// The list says nothing of it.
    Unsaid,
    /// The path of its `SKILL.md`.
    Path(Cow<'s, str>),
    /// A directory below the working directory, relative to that, such as `api/.claude/skills`.
    Below(Cow<'s, str>),
}

/// What begins and ends the lists of a client, and those of ctxpin.
const CODEX: (&str, &str) = ("### Available skills\n", "</skills_instructions>");
const OPENCODE: (&str, &str) = ("<available_skills>\n", "</available_skills>");
const OURS: (&str, &str) = ("<available-skills>\n", "</available-skills>");

/// What the lists have behind a description.
const LINE_ENDS: &[&str] = &["\n"];
const BELOW_ENDS: &[&str] = &[CLAUDE_FROM, CLAUDE_SCOPED, "\n"];
const CODEX_ENDS: &[&str] = &[" (file: ", "\n"];
const ELEMENT_ENDS: &[&str] = &["</description>", "\n</description>"];

/// What stands between a description of Codex and the path, and around the short names of the directories in paths.
const CODEX_FILE: &str = " (file: ";
const CODEX_ROOTS: &str = "### Skill roots\n";

/// What stands between a description of Claude Code and the directory below the working directory: that of the skill, or
/// the one for whose files it is. And what stands behind it.
const CLAUDE_FROM: &str = " (from ";
const CLAUDE_SCOPED: &str = " (scoped to ";
const CLAUDE_FROM_END: &str = " — ";

/// What stands between a name and its description.
const COLON: &str = ": ";

/// What a client writes where it shortened a description.
const ELLIPSES: [&str; 2] = ["…", "..."];

/// How many of the colons in a line are looked at for the end of a name.
const COLONS_MAX: usize = 8;

/// Returns the skills that a string at an instruction place lists, or `None` if it has no list. `is_known` says whether a
/// skill has a name: a name may have a colon and a blank, as that of a plugin of Codex, or of a directory.
pub fn items<'t>(
    client: Profile,
    text: &'t str,
    is_known: &impl Fn(&str) -> bool,
) -> Option<Vec<Item<'t>>> {
    let own = match client {
        Profile::ClaudeCode => Some((CLAUDE_SKILLS, "</system-reminder>", LINE_ENDS)),
        Profile::Codex => Some((CODEX.0, CODEX.1, CODEX_ENDS)),
        Profile::Opencode => Some((OPENCODE.0, OPENCODE.1, ELEMENT_ENDS)),
        Profile::Neutral => None,
    };
    let mut items = None;
    for (begin, end, ends) in own.into_iter().chain([(OURS.0, OURS.1, LINE_ENDS)]) {
        let Some(begin) = text.find(begin).map(|at| at + begin.len()) else {
            continue;
        };
        let end = text[begin..].find(end).map_or(text.len(), |at| begin + at);
        let items = items.get_or_insert_with(Vec::new);
        let list = begin..end;
        match ends == ELEMENT_ENDS {
            true => elements(text, list, items),
            false if ends == CODEX_ENDS => {
                let roots = codex_roots(&text[..begin]);
                let origin = |item| codex_origin(&roots, item);
                lines((text, list), ends, items, is_known, origin);
            }
            false if client == Profile::ClaudeCode && ends == LINE_ENDS => {
                lines((text, list), ends, items, is_known, claude_origin);
            }
            false => lines((text, list), ends, items, is_known, |_| Origin::Unsaid),
        }
    }
    items
}

/// Returns the directories that Codex names before its list, by the short names that the paths have for them.
fn codex_roots(before: &str) -> HashMap<&str, &str> {
    let table = before.rfind(CODEX_ROOTS).map(|at| &before[at..]);
    let lines = table.unwrap_or_default().lines();
    let roots = lines.filter_map(|line| {
        let line = line.strip_prefix("- `")?.strip_suffix('`')?;
        line.split_once("` = `")
    });
    roots.collect()
}

fn codex_origin<'s>(roots: &HashMap<&str, &str>, item: &'s str) -> Origin<'s> {
    let path = item
        .strip_suffix(')')
        .and_then(|item| item.rsplit_once(CODEX_FILE));
    let Some((_, path)) = path else {
        return Origin::Unsaid;
    };
    let below = path.split_once('/');
    let below = below.and_then(|(root, below)| Some((*roots.get(root)?, below)));
    Origin::Path(match below {
        Some((root, below)) => format!("{}/{below}", root.trim_end_matches('/')).into(),
        None => path.into(),
    })
}

fn claude_origin(item: &str) -> Origin<'_> {
    let directory = |mark: &str| {
        let (_, place) = item.strip_suffix(')')?.rsplit_once(mark)?;
        Some(place.split_once(CLAUDE_FROM_END)?.0)
    };
    let from = directory(CLAUDE_FROM).filter(|from| from.ends_with("/skills"));
    if let Some(from) = from {
        return Origin::Below(from.into());
    }
    let scope = directory(CLAUDE_SCOPED).and_then(|scope| scope.strip_suffix('/'));
    scope.map_or(Origin::Unsaid, |scope| {
        Origin::Below(format!("{scope}/.claude/skills").into())
    })
}

/// Returns the name at the beginning of an item, with what may stand behind it before the colon: the longest one that a
/// skill has, or else what stands before the first colon with a blank.
fn named<'s>(item: &'s str, is_known: &impl Fn(&str) -> bool) -> &'s str {
    let ends = item.match_indices(COLON).map(|(at, _)| &item[..at]);
    let all = item.trim_end_matches(':');
    let names = ends.take(COLONS_MAX).chain([all]);
    let known = names.clone().filter(|name| is_known(own(name))).last();
    known.or_else(|| names.clone().next()).unwrap_or(all)
}

/// Returns a name without the one of the frontmatter, which Claude Code has behind that of the directory.
fn own(name: &str) -> &str {
    let is_named_twice = name.ends_with(')');
    let own = name.split_once(" (").filter(|_| is_named_twice);
    own.map_or(name, |(own, _)| own)
}

fn lines<'s>(
    (text, list): (&'s str, Range<usize>),
    ends: &'static [&'static str],
    items: &mut Vec<Item<'s>>,
    is_known: &impl Fn(&str) -> bool,
    origin: impl Fn(&'s str) -> Origin<'s>,
) {
    let mut at = list.start;
    for line in text[list].split_inclusive('\n') {
        if let Some(item) = line.strip_prefix("- ") {
            let item = item.trim_end_matches('\n');
            // A name may have a colon: Claude Code puts the directory of a skill or a command before some.
            let name = named(item, is_known);
            let behind = item[name.len()..].strip_prefix(':').unwrap_or_default();
            let blanks = behind.len() - behind.trim_start_matches(' ').len();
            let colon = usize::from(name.len() < item.len());
            let origin = origin(item);
            let ends = match origin {
                Origin::Below(_) => BELOW_ENDS,
                Origin::Unsaid | Origin::Path(_) => ends,
            };
            items.push(Item {
                name: own(name),
                origin,
                at: at + "- ".len() + name.len() + colon + blanks,
                ends,
            });
        }
        at += line.len();
    }
}

fn elements<'s>(text: &'s str, list: Range<usize>, items: &mut Vec<Item<'s>>) {
    const NAME: &str = "<name>";
    const DESCRIPTION: &str = "<description>";
    const LOCATION: &str = "<location>";
    let (begin, end) = (list.start, list.end);
    let text = &text[..end];
    let marks = [
        NAME,
        "</name>",
        DESCRIPTION,
        LOCATION,
        "</location>",
        "</skill>",
    ];
    let [
        mut names,
        mut ends,
        mut descriptions,
        mut locations,
        mut location_ends,
        mut skill_ends,
    ] = marks.map(|mark| Ahead::new(text, mark));
    let mut at = begin;
    while let Some(name) = names.from(at).map(|found| found + NAME.len())
        && let Some(name_end) = ends.from(name)
    {
        at = name_end;
        let description = descriptions.from(at);
        let skill_end = skill_ends.from(at).unwrap_or(end);
        let location = locations.from(at).filter(|found| *found < skill_end);
        let location = location.map(|found| found + LOCATION.len());
        let location = location.and_then(|begin| {
            let end = location_ends.from(begin)?;
            Some(Origin::Path(without_references(&text[begin..end])))
        });
        items.push(Item {
            name: &text[name..name_end],
            origin: location.unwrap_or(Origin::Unsaid),
            at: description.map_or(end, |found| found + DESCRIPTION.len()),
            ends: ELEMENT_ENDS,
        });
    }
}

/// Returns a path of opencode's list, which has references for some characters.
fn without_references(path: &str) -> Cow<'_, str> {
    if !path.contains('&') {
        return path.into();
    }
    let path = path.replace("&lt;", "<").replace("&gt;", ">");
    let path = path.replace("&quot;", "\"").replace("&apos;", "'");
    path.replace("&amp;", "&").into()
}

/// How much of a description a list gives. More is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// It is another description.
    Other,
    /// So many of its first bytes.
    First(usize),
    Whole,
}

/// The longest beginning of a description that is compared, in bytes. Clients give fewer.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;

/// Returns how much of `description` an item of a list in a string has, compared up to [`DESCRIPTION_BYTES_MAX`].
pub fn share(text: &str, item: &Item<'_>, description: &str) -> Share {
    let at = item.at;
    let compared = cut(description, DESCRIPTION_BYTES_MAX);
    let here = text.as_bytes().get(at..).unwrap_or_default();
    let pairs = here.iter().zip(compared.as_bytes());
    let common = pairs.take_while(|(a, b)| a == b).count();
    let common = compared.floor_char_boundary(common);
    let behind = |length: usize| &text[(at + length).min(text.len())..];
    let ends = |length: usize, marks: &[&str]| {
        let behind = behind(length);
        marks.iter().any(|mark| behind.starts_with(mark))
    };
    // A mark may begin with the blank that the description goes on with.
    let trimmed = compared[..common].trim_end().len();
    let is_end = behind(common).is_empty() || ends(common, item.ends) || ends(trimmed, item.ends);
    if common == compared.len() && (is_end || compared.len() < description.len()) {
        return Share::Whole;
    }
    match is_end || ends(common, &ELLIPSES) || ends(trimmed, &ELLIPSES) {
        true => Share::First(trimmed),
        false => Share::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: Profile, text: &str, expected: &[(&str, &str, Share)]) {
        let items = items(client, text, &|_| false).unwrap();
        let found: Vec<_> = items
            .iter()
            .zip(expected)
            .map(|(item, (_, description, _))| (item.name, share(text, item, description)))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, _, share)| (*name, *share))
            .collect();
        assert_eq!(items.len(), expected.len());
        assert_eq!(found, expected);
    }

    #[test]
    fn each_client_has_a_list_of_its_own() {
        check(
            Profile::ClaudeCode,
            "Agents.\n\nThe following skills are available for use with the Skill tool:\n\n- one: Does a thing\n\
             - two: Does…\n- three\n- four: Was: changed\n- five (other-name): Does a thing\n",
            &[
                ("one", "Does a thing", Share::Whole),
                ("two", "Does another", Share::First(4)),
                ("three", "Has none", Share::First(0)),
                ("four", "Is changed", Share::Other),
                ("five", "Does a thing", Share::Whole),
            ],
        );
        check(
            Profile::Codex,
            "### Available skills\n- one: Does a thing (file: r1/one/SKILL.md)\n</skills_instructions>- no: x",
            &[("one", "Does a thing", Share::Whole)],
        );
        check(
            Profile::Opencode,
            "<available_skills>\n  <skill>\n    <name>one</name>\n    <description>Does a thing</description>\n  \
             </skill>\n</available_skills>",
            &[("one", "Does a thing", Share::Whole)],
        );
        check(
            Profile::Codex,
            "<available-skills>\nRead them.\n\n- one: Does a thing\n</available-skills>",
            &[("one", "Does a thing", Share::Whole)],
        );
        assert_eq!(items(Profile::ClaudeCode, "none", &|_| false), None);
    }

    #[test]
    fn a_list_may_say_where_a_skill_is_from() {
        let check = |client, text: &str, expected: &[(&str, Origin<'_>)]| {
            let items = items(client, text, &|_| false).unwrap();
            let items = items.into_iter().map(|item| (item.name, item.origin));
            assert_eq!(items.collect::<Vec<_>>(), expected);
        };
        let path = |path: &'static str| Origin::Path(path.into());
        check(
            Profile::Codex,
            "### Skill roots\n- `r0` = `/home/ada/.codex/skills/.system`\n- `r1` = `/w/a b/.agents/skills`\n### Available \
             skills\n- imagegen: Draws (file: x) (file: r0/imagegen/SKILL.md)\n- b c: Blank (file: r1/b c/SKILL.md)\n- \
             old: Absolute (file: /w/.agents/skills/old/SKILL.md)\n- cut\n</skills_instructions>",
            &[
                (
                    "imagegen",
                    path("/home/ada/.codex/skills/.system/imagegen/SKILL.md"),
                ),
                ("b c", path("/w/a b/.agents/skills/b c/SKILL.md")),
                ("old", path("/w/.agents/skills/old/SKILL.md")),
                ("cut", Origin::Unsaid),
            ],
        );
        check(
            Profile::Opencode,
            "<available_skills>\n<skill><name>own</name><description>x</description><location>&lt;built-in&gt;</location>\
             </skill><skill><name>none</name><description>x</description></skill><skill><name>a&b</name>\
             <description>x</description><location>/w/a&amp;b/SKILL.md</location></skill></available_skills>",
            &[
                ("own", path("<built-in>")),
                ("none", Origin::Unsaid),
                ("a&b", path("/w/a&b/SKILL.md")),
            ],
        );
        check(
            Profile::ClaudeCode,
            "The following skills are available for use with the Skill tool:\n\n- top: At the top\n- git:commit: A \
             command (from here)\n- only: Below (from api/.claude/skills — applies when working on files under \
             api/)\n- api:top: Below too (scoped to api/ — use this instead of the unscoped \"top\" skill when the files \
             being changed are under api/)\n- bare:\n",
            &[
                ("top", Origin::Unsaid),
                ("git:commit", Origin::Unsaid),
                ("only", Origin::Below("api/.claude/skills".into())),
                ("api:top", Origin::Below("api/.claude/skills".into())),
                ("bare", Origin::Unsaid),
            ],
        );
    }

    fn check_share(ends: &'static [&'static str], text: &str, expected: Share) {
        let item = Item {
            name: "",
            origin: Origin::Unsaid,
            at: 0,
            ends,
        };
        assert_eq!(share(text, &item, "many words\nmore"), expected, "{text}");
    }

    #[test]
    fn a_cut_may_be_before_a_blank_or_in_a_word() {
        let check = |text, expected| check_share(CODEX_ENDS, text, expected);
        check("many (file: r1/x/SKILL.md)", Share::First(4));
        check("many  (file: r1/x/SKILL.md)", Share::First(4));
        check("many wor (file: r1/x/SKILL.md)", Share::First(8));
        check("many …", Share::First(4));
        check("many words...", Share::First(10));
        check("many", Share::First(4));
    }

    #[test]
    fn a_description_that_goes_on_otherwise_is_another() {
        let check = |ends, text| check_share(ends, text, Share::Other);
        check(CODEX_ENDS, "many others (file: r1/x/SKILL.md)");
        check(LINE_ENDS, "many words\nmore, and evil\n");
        check(LINE_ENDS, "many - evil");
        check(LINE_ENDS, "many words (file: evil)");
        check(ELEMENT_ENDS, "many words\nevil</description>");
        check_share(
            ELEMENT_ENDS,
            "many words\nmore\n</description>",
            Share::Whole,
        );
        check_share(LINE_ENDS, "many words\nmore", Share::Whole);
    }
}
