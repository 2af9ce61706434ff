//! Every limit of a snapshot and of the texts in it, with its reason.

/// Longest instruction file and longest `SKILL.md`, in bytes. Of real ones one in three hundred has more
/// than 64 KiB, and what tools give their models of them is cut by the tools' own budgets.
pub const PROMPT_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Longest MCP configuration, in bytes. No honest one comes near it, and its shape is told to people.
pub const MCP_CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// Longest supporting file of a skill that is pinned with it, in bytes.
pub const SKILL_FILE_BYTES_MAX: u64 = 512 * 1024;

/// Most supporting files in one skill that are pinned with it, as the MCP Skills extension asks of hosts.
pub const SKILL_FILES_MAX: usize = 512;

/// Most bytes of supporting files in one skill that are pinned with it, as the MCP Skills extension asks
/// of hosts.
pub const SKILL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most files in one skill that are listed without being pinned, the line of all others counted too. A
/// thousand skills that list so many still fit into a push.
pub const SKILL_UNPINNED_MAX: usize = 32;

/// Most files in one skill that are listed.
pub const SKILL_LISTED_MAX: usize = SKILL_FILES_MAX + SKILL_UNPINNED_MAX;

/// Deepest directory below a skill's own that is looked into.
pub const SKILL_DEPTH_MAX: usize = 16;

/// Most files of all skills of one snapshot, each `SKILL.md` with them.
pub const SNAPSHOT_SKILL_FILES_MAX: usize = 4_096;

/// Most bytes of files of all skills of one snapshot, each `SKILL.md` with them.
pub const SNAPSHOT_SKILL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most bytes of what stands in the prompt of one snapshot: instruction files, and the names and
/// descriptions of skills.
pub const SNAPSHOT_PROMPT_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Most `ok` resources in one snapshot.
pub const SNAPSHOT_RESOURCES_MAX: usize = 1_000;

/// Most resources that one snapshot lists, with those that are not used. What would be past it is told
/// by one line in the snapshot's error.
pub const SNAPSHOT_LISTED_MAX: usize = 2_000;

/// Most tools of one MCP server.
pub const SERVER_TOOLS_MAX: usize = 128;

/// Most bytes of one MCP server's tools, as canonical JSON.
pub const SERVER_TOOLS_BYTES_MAX: u64 = 256 * 1024;

/// Most bytes of all MCP servers' tools in one snapshot, as canonical JSON.
pub const SNAPSHOT_TOOLS_BYTES_MAX: u64 = 1024 * 1024;

/// Longest source and longest path of a skill's file, in bytes of UTF-8.
pub const SOURCE_BYTES_MAX: usize = 1_024;

/// Longest error of a resource or of a snapshot, in bytes of UTF-8.
pub const ERROR_BYTES_MAX: usize = 4_096;

/// Longest fact about a workspace, in bytes of UTF-8.
pub const FACT_BYTES_MAX: usize = 1_024;

/// Longest name of a skill, in characters (Agent Skills specification).
pub const SKILL_NAME_CHARS_MAX: usize = 64;

/// Longest frontmatter of a `SKILL.md` that is read, in bytes: honest ones have a few hundred, and each
/// is parsed at every scan and push.
pub const FRONTMATTER_BYTES_MAX: usize = 64 * 1024;

/// Longest description of a skill, in characters (Agent Skills specification).
pub const SKILL_DESCRIPTION_CHARS_MAX: usize = 1_024;

/// Longest `compatibility` of a skill, in characters (Agent Skills specification).
pub const SKILL_COMPATIBILITY_CHARS_MAX: usize = 500;

/// Longest name that a person or a client gives to something (an agent, a user, a chat's title, a
/// token's label), in characters.
pub const LABEL_CHARS_MAX: usize = 200;

/// Most bytes that one agent may have uploaded ahead of a push.
pub const AGENT_UPLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most uploads of an agent that wait for a push: a snapshot names fewer bodies.
pub const AGENT_UPLOADS_MAX: u64 = 8_192;

/// Cuts `text` to at most `bytes_max` bytes, at a character.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// How many bytes a text takes as JSON.
pub fn json_bytes(text: &str) -> u64 {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        ..=0x1f => 6,
        _ => 1,
    });
    escaped.sum::<u64>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aé", 9), "aé");
    }

    #[test]
    fn a_text_is_as_long_as_its_json() {
        for text in ["", "a\"\\b\u{1}\n\r\t\u{8}\u{c}\u{7f}\u{e9}"] {
            let json = serde_json::to_string(text).expect("a text is JSON");
            assert_eq!(json_bytes(text), json.len() as u64);
        }
    }
}
