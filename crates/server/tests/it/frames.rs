//! HTTP/2 frame by frame (RFC 9113), for what no client of ours sends: each ends with its own
//! connection and with nothing else.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw::connect;
use crate::server::{SOON, Server, with_connections};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames, and flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET /healthz` of the host `x` and `GET /api/v1/openapi.json` of `localhost`, packed as RFC 7541 says.
const HEALTH: &[u8] = b"\x82\x86\x41\x01x\x04\x08/healthz";
const DOCUMENT: &[u8] = b"\x82\x86\x41\x09localhost\x04\x14/api/v1/openapi.json";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Opens a connection and sends the preface and the client's settings.
async fn begin(server: &Server, settings: &[u8]) -> TcpStream {
    let mut stream = connect(server).await;
    stream.write_all(PREFACE).await.unwrap();
    let settings = frame(SETTINGS, 0, 0, settings);
    stream.write_all(&settings).await.unwrap();
    stream
}

/// Sends the frames, as far as the server reads them, and returns the codes of the server's GOAWAY frames
/// before the connection ended.
async fn sent_to_the_end(mut stream: TcpStream, frames: Vec<u8>) -> Vec<u32> {
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let both = async {
        let writing = async {
            let _ = writing.write_all(&frames).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = reading.read_to_end(&mut answer) => {}
            () = writing => {}
        }
    };
    timeout(SOON, both).await.expect("the connection ends");
    goodbyes(&answer)
}

fn goodbyes(mut answer: &[u8]) -> Vec<u32> {
    let mut codes = Vec::new();
    while answer.len() >= 9 {
        let length = u32::from_be_bytes([0, answer[0], answer[1], answer[2]]) as usize;
        let Some(payload) = answer.get(9..9 + length) else {
            break;
        };
        if answer[3] == GOAWAY {
            codes.push(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        answer = &answer[9 + length..];
    }
    codes
}

/// Returns the numbers of a client's streams, which are odd.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let server = Server::start().await;
    let attack = begin(&server, &[]).await;
    let frames = streams(10_000).flat_map(|stream| {
        let asked = frame(HEADERS, END_STREAM | END_HEADERS, stream, HEALTH);
        let taken_back = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        [asked, taken_back].concat()
    });
    let codes = sent_to_the_end(attack, frames.collect()).await;
    assert!(codes.contains(&ENHANCE_YOUR_CALM), "{codes:?}");
    server.client.health_check().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn streams_that_the_server_must_break_off() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let server = Server::start().await;
    let attack = begin(&server, &[]).await;
    // A window that gets too large is an error of the stream (section 6.9.1).
    let frames = streams(10_000).flat_map(|stream| {
        let asked = frame(HEADERS, END_HEADERS, stream, HEALTH);
        let broken = frame(WINDOW_UPDATE, 0, stream, &i32::MAX.to_be_bytes());
        [asked, broken].concat()
    });
    let codes = sent_to_the_end(attack, frames.collect()).await;
    assert!(codes.contains(&ENHANCE_YOUR_CALM), "{codes:?}");
    server.client.health_check().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_head_without_end() {
    let server = Server::start().await;
    let attack = begin(&server, &[]).await;
    // A field of 16,000 bytes without indexing, repeatedly.
    let field = [b"\x00\x01a\x7f\x81\x7c".as_slice(), &[b'a'; 16_000]].concat();
    let mut frames = frame(HEADERS, END_STREAM, 1, HEALTH);
    for _ in 0..1_000 {
        frames.extend(frame(CONTINUATION, 0, 1, &field));
    }
    let codes = sent_to_the_end(attack, frames).await;
    assert!(!codes.is_empty() && !codes.contains(&0), "{codes:?}");
    server.client.health_check().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn pings_and_settings_whose_answers_nobody_reads() {
    let limits = with_connections(ctxpin_listener::Limits {
        quiet_time_max: Duration::from_millis(50),
        ..Default::default()
    });
    let server = Server::start_limited(limits).await;
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut attack = begin(&server, &[]).await;
        let flood = flood.repeat(1_000);
        // Nothing is read, so that sending stalls or fails once what waits is bounded.
        let sending = async { while attack.write_all(&flood).await.is_ok() {} };
        timeout(SOON, sending).await.expect("the connection ends");
        server.client.health_check().await.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn answers_for_which_there_is_no_window() {
    let limits = with_connections(ctxpin_listener::Limits {
        quiet_time_max: Duration::from_millis(50),
        ..Default::default()
    });
    let server = Server::start_limited(limits).await;
    // SETTINGS_INITIAL_WINDOW_SIZE (section 6.5.2) is 0, or 1.
    for window in [0, 1] {
        let attack = begin(&server, &[0, 4, 0, 0, 0, window]).await;
        let frames = streams(100)
            .flat_map(|stream| frame(HEADERS, END_STREAM | END_HEADERS, stream, DOCUMENT));
        let codes = sent_to_the_end(attack, frames.collect()).await;
        assert_eq!(codes.last(), Some(&0), "it says goodbye: {codes:?}");
        server.client.health_check().await.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn more_data_than_the_window() {
    const FLOW_CONTROL_ERROR: u32 = 3;
    let server = Server::start().await;
    let attack = begin(&server, &[]).await;
    let mut frames = frame(HEADERS, END_HEADERS, 1, HEALTH);
    for _ in 0..100 {
        frames.extend(frame(DATA, 0, 1, &[0; 16_384]));
    }
    let codes = sent_to_the_end(attack, frames).await;
    assert!(codes.contains(&FLOW_CONTROL_ERROR), "{codes:?}");
    server.client.health_check().await.unwrap();
    server.stop().await;
}
