//! An open page, if the server stops to answer and its connections stay open, as those of a stopped process do.

use anyhow::Result;
use ctxpin_browser::Chromium;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::browser::create_chat;
use crate::flows::{LIVE, edition, signed_in};
use crate::server::{Agent, Server};

const STREAM: &str = "document.getElementById('stream').textContent";

/// A way to a server on which nothing moves while it is shut.
struct Gate(watch::Sender<bool>);

impl Gate {
    /// Starts a server behind a gate, which the browser goes through.
    async fn with_server() -> (Self, Server) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let public = vec![url.parse().unwrap()];
        let mut server = Server::start_with(|settings| settings.public_urls = public).await;
        let behind = server.url.socket_addrs(|| None).unwrap()[0];
        server.url = url.parse().unwrap();
        let (sender, is_open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (read, write) = stream.into_split();
                let behind = TcpStream::connect(behind).await.unwrap();
                let (answers, requests) = behind.into_split();
                tokio::spawn(pass(read, requests, is_open.clone()));
                tokio::spawn(pass(answers, write, is_open.clone()));
            }
        });
        (Self(sender), server)
    }

    fn open(&self, is_open: bool) {
        self.0.send_replace(is_open);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_open: watch::Receiver<bool>) {
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let passes = is_open.wait_for(|is_open| *is_open).await.is_ok();
        if !passes || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// Lets the page believe that so much time has passed.
async fn pass_time(browser: &mut Chromium, milliseconds: u32) -> Result<()> {
    let later = format!("{{ const now = Date.now; Date.now = () => now() + {milliseconds}; }}");
    browser.evaluate(&later).await?;
    Ok(())
}

#[tokio::test]
async fn a_page_does_not_stay_live_on_a_server_that_hangs() -> Result<()> {
    let (gate, server) = Gate::with_server().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    gate.open(false);
    pass_time(&mut browser, 13_000).await?;
    browser
        .until(&format!("{STREAM} === 'reconnecting'"))
        .await?;
    pass_time(&mut browser, 8_000).await?;
    let stale = format!("/^stale since \\d\\d:\\d\\d$/.test({STREAM})");
    browser.until(&stale).await?;
    gate.open(true);
    agent.push(&edition("Be quick.")).await;
    browser.until(LIVE).await?;
    browser
        .until("document.querySelector('#diff ins') !== null")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_quiet_stream_is_live() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/chats").await?;
    // The server says something before the page thinks that it hangs.
    browser
        .evaluate(
            "{ const now = Date.now(); window.heard = 0; \
             const source = new EventSource('/api/v1/watch?state=false'); \
             source.addEventListener('alive', () => { window.heard += 1; document.body.dataset.heard = ''; }); }",
        )
        .await?;
    browser.until("window.heard > 0").await?;
    assert_eq!(browser.evaluate(LIVE).await?, true);
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_decision_without_an_answer_says_so_and_lets_go() -> Result<()> {
    let (gate, server) = Gate::with_server().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    // The page says soon that it waits, and gives up when the test says so.
    browser
        .evaluate(
            "{ const wait = setTimeout; window.setTimeout = (done, ms, ...rest) => wait(done, ms / 100, ...rest); \
             const ends = new AbortController(); AbortSignal.timeout = () => ends.signal; window.giveUp = () => ends.abort(); }",
        )
        .await?;
    gate.open(false);
    // Who leaves the page meanwhile is asked first.
    let leave = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))";
    assert_eq!(browser.evaluate(leave).await?, false);
    browser.click("#decision button[value=all]").await?;
    let toast = "document.querySelector('.toast p')?.textContent";
    browser
        .until(&format!(
            "{toast}?.startsWith('The server has not answered yet.')"
        ))
        .await?;
    assert_eq!(browser.evaluate(leave).await?, true);
    browser.evaluate("window.giveUp()").await?;
    browser
        .until(&format!(
            "{toast}?.startsWith('The server did not answer.')"
        ))
        .await?;
    let busy = "document.querySelector('[aria-busy=true]') === null";
    assert_eq!(browser.evaluate(busy).await?, true);
    assert_eq!(browser.evaluate(leave).await?, false);
    server.stop().await;
    Ok(())
}
