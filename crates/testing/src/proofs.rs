//! The proof that a fake server gives to a client that is about to send its token.

use ctxpin_model::proof::{Challenge, Nonce};
use ctxpin_model::token::Token;

/// Returns the response of a server that knows `token` to a request with this head, if the head
/// requests a proof. The connection stays open.
///
/// # Panics
/// Panics if `token` is not a token.
pub fn proof_answer(head: &str, token: &str) -> Option<String> {
    let query = head.lines().next()?.split_once("/readyz?token=")?.1;
    let nonce = query.split_once("nonce=")?.1.split(' ').next()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let (_, host) = lines.find(|(name, _)| name.eq_ignore_ascii_case("host"))?;
    let token: Token = token.parse().expect("a token");
    let challenge = Challenge::new(nonce.parse::<Nonce>().ok()?, host);
    let proof = challenge.proof(&token.credential().secret_hash);
    let body = format!(r#"{{"status":"ok","proof":"{proof}"}}"#);
    let length = body.len();
    Some(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}
