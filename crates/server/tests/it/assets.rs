//! The style and the script that pages name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_model::hash::BlobHash;

use crate::browser::{Browser, between};
use crate::server::Server;

#[tokio::test]
async fn pages_name_the_hash_of_their_style_and_script() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let sign_in = browser.page("/sign-in").await;
    for page in [browser.page("/chats").await, sign_in] {
        for begin in ["rel=\"stylesheet\" href=\"", "type=\"module\" src=\""] {
            let path = between(&page, begin, "\"");
            let asset = browser.get(path).send().await.unwrap();
            let bytes = asset.bytes().await.unwrap();
            let hash = STANDARD.encode(BlobHash::of(&bytes).bytes());
            let named = format!("{path}\" integrity=\"sha256-{hash}\"");
            assert!(page.contains(&named), "{named}");
        }
    }
    server.stop().await;
}
