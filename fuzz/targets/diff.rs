//! libFuzzer on what differs between two snapshots and two texts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::diff::check(bytes));
