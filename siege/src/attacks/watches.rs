//! Many watches of a user with many chats.

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use crate::api::{Caller, Connection as Plain};
use crate::frames::{Connection, END_HEADERS, END_STREAM, HEADERS, fields, frame, stream};

use super::Siege;

/// The number of chats, and how many are created at a time.
const CHATS: usize = 4_000;
const CHATS_AT_ONCE: usize = 8;

/// Connections, and watches on each.
const CONNECTIONS: usize = 3;
const WATCHES: u32 = 100;

/// How often it is looked whether the server has ended a connection or watches.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Creates the chats, with titles of the greatest length.
pub async fn prepare(caller: &Caller) -> anyhow::Result<()> {
    let mut made = JoinSet::new();
    for _ in 0..CHATS_AT_ONCE {
        let caller = caller.clone();
        made.spawn(async move {
            let mut connection = Plain::open(caller.address).await?;
            let chat = json!({"title": "T".repeat(200)});
            for _ in 0..CHATS / CHATS_AT_ONCE {
                caller
                    .call_on(&mut connection, "POST", "/chats", &chat)
                    .await?;
            }
            anyhow::Ok(())
        });
    }
    for made in made.join_all().await {
        made?;
    }
    Ok(())
}

/// Opens the watches, reads their events, and reopens those that end.
pub fn open(siege: &Siege, tasks: &mut JoinSet<()>) {
    siege.again(tasks, CONNECTIONS, |siege, _| async move {
        let connection = Connection::open(siege.means.address).await?;
        let fields = fields("GET", "/api/v1/watch", Some(&siege.means.token));
        for number in 0..WATCHES {
            let asked = frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &fields);
            connection.send(&asked).await?;
        }
        siege.add("watches asked for", u64::from(WATCHES));
        while !connection.is_closed() {
            sleep(LOOK_INTERVAL).await;
        }
        anyhow::bail!("the connection ended")
    });
}
