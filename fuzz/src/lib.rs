//! The guarantees of the code that reads content from outside, with one module for each target.
//!
//! A target is a plain function of bytes that panics if a guarantee is broken. So the same function
//! runs under libFuzzer (`cargo xtask fuzz`) and, with the corpus and generated inputs, among the
//! tests. A target checks a guarantee in another way than the code under test keeps it.
//!
//! It must not know databases, HTTP or files: only what is a pure function of its input can be
//! tried thousands of times a second.

pub mod canonical;
pub mod diff;
pub mod evidence;
pub mod finder;
pub mod frontmatter;
pub mod manifest;
pub mod mcp_config;
mod patch;
mod pieces;
pub mod sanitiser;
mod snapshots;

/// A target of the fuzzer.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its binary, of its module and of the folder of its corpus.
    pub name: &'static str,
    /// Panics if the input breaks a promise.
    pub check: fn(&[u8]),
}

/// Every target, by name.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "canonical",
        check: canonical::check,
    },
    Target {
        name: "diff",
        check: diff::check,
    },
    Target {
        name: "evidence",
        check: evidence::check,
    },
    Target {
        name: "finder",
        check: finder::check,
    },
    Target {
        name: "frontmatter",
        check: frontmatter::check,
    },
    Target {
        name: "manifest",
        check: manifest::check,
    },
    Target {
        name: "mcp_config",
        check: mcp_config::check,
    },
    Target {
        name: "sanitiser",
        check: sanitiser::check,
    },
];
