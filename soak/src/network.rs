//! A small TCP proxy between an agent and the servers, whose network can be taken away: connections
//! are dropped, or they are taken and nothing passes any more.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// The state of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Well,
    /// Every connection is dropped, and each new one at once.
    Dropping,
    /// Connections stay and new ones are taken, but nothing passes. They are dropped when this
    /// state ends, as by a router that has lost its connections.
    Silent,
}

/// A running proxy. Dropping it ends it.
pub struct Proxy {
    port: u16,
    network: watch::Sender<Network>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy at `port`, or at a free port if that is 0. It connects to the servers in
    /// turns.
    pub async fn start(servers: &[Url], port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.context("listening for an agent")?;
        let port = listener.local_addr()?.port();
        let ports = servers
            .iter()
            .map(|server| server.port().context("a server without a port"));
        let ports = ports.collect::<anyhow::Result<Vec<u16>>>()?;
        let (network, state) = watch::channel(Network::Well);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::from(ports), state));
        Ok(Self {
            port,
            network,
            _tasks: tasks,
        })
    }

    /// Returns the address for the agent.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Switches the network off or on.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn accept(listener: TcpListener, ports: Arc<[u16]>, network: watch::Receiver<Network>) {
    let next = AtomicUsize::new(0);
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let port = ports[next.fetch_add(1, Ordering::Relaxed) % ports.len()];
            connections.spawn(pass(stream, port, network.clone()));
        }
        // Drops the connections that have ended.
        while connections.try_join_next().is_some() {}
    }
}

/// Forwards one connection while the network is on. A broken connection is no error here, because
/// the agent handles it.
async fn pass(mut stream: TcpStream, port: u16, mut network: watch::Receiver<Network>) {
    let is_well = |network: &Network| *network == Network::Well;
    if *network.borrow() == Network::Well {
        let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
            return;
        };
        let went_away = network.wait_for(|network| *network != Network::Well);
        tokio::select! {
            _ = copy_bidirectional(&mut stream, &mut server) => return,
            Ok(state) = went_away => {
                if *state == Network::Dropping {
                    return;
                }
            }
        }
        // Held, both sides of it, until the network is back.
        let _ = network.wait_for(is_well).await;
        drop(server);
        return;
    }
    if *network.borrow() == Network::Silent {
        let _ = network.wait_for(is_well).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Starts a server that sends back what it receives.
    async fn echo() -> Url {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        Url::parse(&format!("http://127.0.0.1:{port}")).expect("it is a URL")
    }

    #[tokio::test]
    async fn what_passes_depends_on_the_network() {
        let proxy = Proxy::start(&[echo().await], 0).await.expect("it listens");
        let connect = async || {
            TcpStream::connect(("127.0.0.1", proxy.port))
                .await
                .expect("taken")
        };
        let mut answer = [0; 1];
        let mut open = connect().await;
        open.write_all(b"a").await.expect("sent");
        open.read_exact(&mut answer).await.expect("answered");
        proxy.set(Network::Dropping);
        assert!(
            !matches!(open.read(&mut answer).await, Ok(1..)),
            "it was dropped"
        );
        proxy.set(Network::Silent);
        // Each connection listens to the network from the moment that it is taken.
        let before = proxy.network.receiver_count();
        let mut silent = connect().await;
        silent.write_all(b"a").await.expect("sent");
        while proxy.network.receiver_count() == before {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        proxy.set(Network::Well);
        let told = silent.read(&mut answer).await;
        assert!(
            !matches!(told, Ok(1..)),
            "it was dropped unanswered: {told:?}"
        );
        let mut open = connect().await;
        open.write_all(b"b").await.expect("sent");
        open.read_exact(&mut answer).await.expect("answered");
        assert_eq!(&answer, b"b");
    }
}
