//! What a reader has just decided about a change, in the address of its page, so that the page says it also when it is
//! loaded again. The address proves that this session decided it: anybody can type a number.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::pending_change::PendingChangeId;

use super::parts::number::counted;

/// The hexadecimal digits of a seal. Nobody gains anything with a made-up one.
const SEAL_DIGITS: usize = 16;

/// What somebody decided about a change.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    /// The number of chats for which the reader has just taken the change.
    taken: Option<u64>,
    /// The number of chats whose pins the reader has just kept.
    kept: Option<u64>,
    /// What proves it. `None` before there is an address.
    seal: Option<String>,
}

impl Decided {
    /// Reads what the query of the page says.
    pub fn of(taken: Option<u64>, kept: Option<u64>, seal: Option<String>) -> Self {
        Self { taken, kept, seal }
    }

    pub fn taken(chat_count: u64) -> Self {
        Self {
            taken: Some(chat_count),
            ..Self::default()
        }
    }

    pub fn kept(chat_count: u64) -> Self {
        Self {
            kept: Some(chat_count),
            ..Self::default()
        }
    }

    /// Returns the address of the change's page that says this. `page_value` is the value that only the pages of the
    /// session hold.
    pub fn address(&self, change: PendingChangeId, page_value: &str) -> String {
        let (seal, fields) = (self.sealing(change, page_value), self.fields());
        format!("/changes/{change}?{fields}&seal={seal}")
    }

    /// Returns the decision as a title. `None` if this session did not make it.
    pub fn title(&self, change: PendingChangeId, page_value: &str) -> Option<String> {
        if self.seal.as_deref() != Some(&*self.sealing(change, page_value)) {
            return None;
        }
        match (self.taken, self.kept) {
            (Some(taken), _) => Some(format!("Taken for {}", counted(taken, "chat"))),
            (None, Some(1)) => Some("The pin of 1 chat is kept".to_owned()),
            (None, Some(kept)) => Some(format!("The pins of {} are kept", counted(kept, "chat"))),
            (None, None) => None,
        }
    }

    fn fields(&self) -> String {
        match (self.taken, self.kept) {
            (Some(taken), _) => format!("taken={taken}"),
            (None, kept) => format!("kept={}", kept.unwrap_or(0)),
        }
    }

    fn sealing(&self, change: PendingChangeId, page_value: &str) -> String {
        let sealed = format!("{page_value} {change} {}", self.fields());
        BlobHash::of(sealed.as_bytes()).hex()[..SEAL_DIGITS].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_only_what_its_session_decided() {
        let change: PendingChangeId = "0f85843b53bc0f85843b53bc0f85843b".parse().unwrap();
        let read = |address: &str| {
            let url = url::Url::parse("http://a/").unwrap().join(address).unwrap();
            let field = |name: &str| {
                let mut pairs = url.query_pairs();
                pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
            };
            let number = |name| field(name).map(|text| text.parse().unwrap());
            Decided::of(number("taken"), number("kept"), field("seal")).title(change, "mine")
        };
        let taken = Decided::taken(3).address(change, "mine");
        assert_eq!(read(&taken).as_deref(), Some("Taken for 3 chats"));
        let kept = Decided::kept(1).address(change, "mine");
        assert_eq!(read(&kept).as_deref(), Some("The pin of 1 chat is kept"));
        for made_up in [
            taken.replace("taken=3", "taken=7"),
            Decided::taken(3).address(change, "another"),
            "/changes/x?taken=3".to_owned(),
            "/changes/x?".to_owned(),
        ] {
            assert_eq!(read(&made_up), None, "{made_up}");
        }
    }
}
