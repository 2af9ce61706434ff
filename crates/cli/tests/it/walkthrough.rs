//! The walk through the API in docs/http.md, as a reader pastes it into a shell.

use std::fs;

use ctxpin_cluster::install;

use crate::bench::{Bench, said};
use crate::session::stable;

const PAGE: &str = include_str!("../../../../docs/http.md");

/// Returns the blocks of a page for a shell, in their order.
fn blocks(page: &str) -> String {
    let blocks = page.split("\n```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("\n```").unwrap().0);
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_walk_through_the_api_goes_to_its_end() {
    for program in ["curl", "jq", "openssl"] {
        install::program(program, "The walk through the API needs it").unwrap();
    }
    let bench = Bench::new();
    let directory = bench.root();
    let served = bench.serve(&directory, &[]);
    let address = served.url.strip_prefix("http://").unwrap();
    let script = blocks(PAGE)
        .replace("127.0.0.1:7878", address.trim_end_matches('/'))
        .replace("/tmp/ctxpin-demo/admin-token", &served.token);
    let path = directory.join("walkthrough");
    fs::write(&path, script).unwrap();
    // The page's reader has a shell that goes on after a failure, which would hide it here.
    let line = "exec bash -euo pipefail walkthrough";
    let said = said(&mut bench.shell(&directory, line));
    assert_eq!((said.code, &*said.err), (Some(0), ""), "{}", said.out);
    insta::with_settings!({
        snapshot_path => "../golden",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!("walkthrough", stable(&said.out)) });
}
