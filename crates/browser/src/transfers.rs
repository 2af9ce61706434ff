//! The requests of pages and the sizes of their responses, as the browser's network domain reports them.

use serde_json::Value;

use crate::text;

/// A request of a page, with its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub url: String,
    /// What the browser uses the response for, such as `Document`, `Script`, `Fetch` or `EventSource`.
    pub kind: String,
    /// The bytes of the response with its head, as they travelled. 0 until the response has ended.
    pub bytes: u64,
}

/// The requests so far, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    /// The ids that the browser gives to the requests.
    ids: Vec<String>,
    transfers: Vec<Transfer>,
}

impl Transfers {
    /// Notes what an event says of a request.
    pub fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let id = text(&params["requestId"]);
        match event["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                // A redirect keeps the id, and brings the head of the response before it.
                let bytes = &params["redirectResponse"]["encodedDataLength"];
                self.end(&id, bytes);
                self.ids.push(id);
                self.transfers.push(Transfer {
                    url: text(&params["request"]["url"]),
                    kind: text(&params["type"]),
                    bytes: 0,
                });
            }
            Some("Network.loadingFinished") => self.end(&id, &params["encodedDataLength"]),
            _ => {}
        }
    }

    /// Returns the requests since the last call. A response of one of them that ends later is not noted.
    pub fn take(&mut self) -> Vec<Transfer> {
        self.ids.clear();
        std::mem::take(&mut self.transfers)
    }

    fn end(&mut self, id: &str, bytes: &Value) {
        let found = self.ids.iter().rposition(|known| known == id);
        if let (Some(found), Some(bytes)) = (found, bytes.as_f64()) {
            self.transfers[found].bytes = bytes as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_redirect_is_a_request_of_its_own() {
        let mut transfers = Transfers::default();
        let sent = |url: &str, redirected: Value| {
            json!({ "method": "Network.requestWillBeSent", "params": {
                "requestId": "1", "type": "Document", "request": { "url": url },
                "redirectResponse": redirected,
            }})
        };
        transfers.note(&sent("/", Value::Null));
        transfers.note(&sent("/sign-in", json!({ "encodedDataLength": 200 })));
        transfers.note(&json!({ "method": "Network.loadingFinished", "params": {
            "requestId": "1", "encodedDataLength": 3000.0,
        }}));
        let transfer = |url: &str, bytes| Transfer {
            url: url.to_owned(),
            kind: "Document".to_owned(),
            bytes,
        };
        assert_eq!(
            transfers.take(),
            [transfer("/", 200), transfer("/sign-in", 3_000)]
        );
        assert_eq!(transfers.take(), []);
    }
}
