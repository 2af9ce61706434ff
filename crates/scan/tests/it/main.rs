//! Scans of real directories.

mod agents_md;
mod below;
mod claude_code;
mod claude_code_skills;
mod codex;
mod codex_plugins;
mod codex_roles;
mod config;
mod instruction_files;
mod limits;
mod linked_out;
mod links;
mod notes;
mod opencode;
mod opencode_agents;
mod permissions;
mod roots;
mod shared_files;
mod signals;
mod skills;
mod skills_below;
mod skills_taken;
mod swap;
mod trust;
mod unpinned;
mod workspace;
