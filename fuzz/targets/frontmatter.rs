//! libFuzzer on the frontmatter of a `SKILL.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::frontmatter::check(bytes));
