//! libFuzzer on the shape of a `.mcp.json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::mcp_config::check(bytes));
