//! Connections that are held and say nothing.

use rustix::process::{Resource, getrlimit};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Siege;

/// Sockets: a few hundred more than the server takes connections.
const SOCKETS: u64 = 10_400;

/// Files that this process needs besides.
const OTHER_FILES: u64 = 200;

/// Opens as many sockets as this process may have, and reopens those that the server closes.
pub fn hold(siege: &Siege, tasks: &mut JoinSet<()>) {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let sockets = SOCKETS.min(allowed.saturating_sub(OTHER_FILES));
    // The figure shows how many sockets could be opened.
    siege.add("sockets held", sockets);
    siege.again(tasks, sockets as usize, |siege, _| async move {
        let mut stream = TcpStream::connect(siege.means.address).await?;
        let _ = stream.read_u8().await;
        siege.add("opened again", 1);
        Ok(())
    });
}
