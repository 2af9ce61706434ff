//! A server under requests that try to fill its memory, and a command against a hostile server.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use ctxpin_testing::proofs::proof_answer;

use crate::bench::{Bench, Served, assert_says, said};

/// Maximum growth of the server's peak memory, in KiB: a few bodies of 12 MiB, compressed, decompressed and
/// parsed, and the overhead of the allocator. One bomb alone would take a GiB.
const GROWTH_KIB_MAX: u64 = 160 * 1024;

/// Returns the peak memory of a process, in KiB.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

/// Returns a zstd frame of `length` zeros (RFC 8878, section 3.1.1): blocks of 128 KiB that repeat one
/// byte, at four bytes each. Its window is 8 MiB, the largest that the server accepts.
fn zeros_packed(length: u32) -> Vec<u8> {
    const BLOCK_BYTES: u32 = 128 * 1024;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    let blocks = length / BLOCK_BYTES;
    for block in 1..=blocks {
        let is_last = u32::from(block == blocks);
        let header = (BLOCK_BYTES << 3) | (1 << 1) | is_last;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

#[test]
fn bombs_do_not_fill_the_memory() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let Served { server, url, token } = bench.serve(&app, &[]);
    let address = url.strip_prefix("http://").unwrap().to_owned();
    let agent = app.join("agent-token");
    let arguments = [
        "agent",
        "create",
        "--server",
        &url,
        "--token-file",
        &token,
        "--workspace",
        "app",
        "--write-token",
        agent.to_str().unwrap(),
    ];
    let created = bench.command(&app, &arguments).output().unwrap();
    assert!(created.status.success(), "{created:?}");
    let known = format!("Bearer {}", fs::read_to_string(agent).unwrap().trim());
    let stranger = format!("Bearer ctxpin_{}_{}", "0".repeat(32), "0".repeat(64));

    let begin = |authorization: &str, encoding: &str, length: usize| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!(
            "PUT /api/v1/agent/context HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             authorization: {authorization}\r\ncontent-type: application/json\r\n\
             content-encoding: {encoding}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let status = |mut stream: TcpStream| {
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        String::from_utf8(status[9..].to_vec()).unwrap()
    };
    let send = |authorization: &str, encoding: &str, body: &[u8]| {
        let mut stream = begin(authorization, encoding, body.len());
        stream.write_all(body).unwrap();
        status(stream)
    };
    assert_eq!(send(&known, "identity", b"{}"), "422");
    let before = peak_kib(server.id());

    let gibibyte = zeros_packed(1 << 30);
    assert!(gibibyte.len() < 40_000, "{}", gibibyte.len());
    let zeros = format!("{{\"resources\":[{}0]}}", "0,".repeat(6 * 1024 * 1024 - 20));
    let members: String = (0..1_000_000).map(|n| format!("\"{n}\":0,")).collect();
    let members = format!("{{\"facts\":{{{members}\"x\":0}}}}");
    for _ in 0..5 {
        assert_eq!(send(&stranger, "zstd", &gibibyte), "401");
        // The server refuses this before it reads the body.
        assert_eq!(status(begin(&stranger, "identity", zeros.len())), "401");
        assert_eq!(send(&known, "zstd", &gibibyte), "413");
        assert_eq!(send(&known, "identity", zeros.as_bytes()), "413");
        assert_eq!(send(&known, "identity", members.as_bytes()), "413");
    }
    let growth = peak_kib(server.id()) - before;
    assert!(growth < GROWTH_KIB_MAX, "it grew by {growth} KiB");
    eprintln!("the server grew by {growth} KiB at its peak");
    assert_eq!(server.terminate(), Some(0));
}

/// A token that the hostile server knows.
const TOKEN: &str = "ctxpin_00000000000000000000000000000007_\
    abababababababababababababababababababababababababababababababab";

/// Proves its identity, then answers every request of a connection with an empty page that names a next
/// one.
fn serve_endless_list(stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    for page in 1.. {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let answer = proof_answer(&head, TOKEN).unwrap_or_else(|| {
            let body = format!(r#"{{"items":[],"next":"{page}"}}"#);
            let length = body.len();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
        });
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn finding_19_a_list_without_end_is_left() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve_endless_list(stream));
        }
    });
    for arguments in [
        ["chat", "show", "abcd"].as_slice(),
        &["chat", "list", "--agent", "abcd"],
        &["user", "disable", "abcd"],
        &["token", "revoke", "abcd"],
        &[
            "chat",
            "rollback",
            "abcd",
            "--chat",
            "0192f0c1-1111-7abc-8def-0123456789ab",
        ],
    ] {
        let mut command = bench.command(&app, arguments);
        command.args(["--server", &server]);
        let told = said(command.env("CTXPIN_TOKEN", TOKEN));
        assert_eq!(told.code, Some(1), "{arguments:?}: {}", told.err);
        assert_says(&told.err, &["the server's list does not end after"]);
    }
}
