//! What a reader has just decided about a change, in the address of its page, so that the page says it also when it is
//! loaded again. The address proves that this session decided it: anybody can type a number.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::pending_change::PendingChangeId;

use super::parts::number::counted;

/// The hexadecimal digits of a seal. Nobody gains anything with a made-up one.
const SEAL_DIGITS: usize = 16;

/// What somebody decided about a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Decided {
    /// The change was taken for so many chats.
    Taken(u64),
    /// The pins of so many chats were kept.
    Kept(u64),
}

impl Decided {
    /// Returns the address of the change's page that says this. `page_value` is the value that only the pages of the
    /// session hold.
    pub fn address(self, change: PendingChangeId, page_value: &str) -> String {
        let (seal, field) = (self.seal(change, page_value), self.field());
        format!("/changes/{change}?{field}&seal={seal}")
    }

    /// Returns the decision as a title. `None` if the seal in the address is not that of this session.
    pub fn title(
        self,
        change: PendingChangeId,
        page_value: &str,
        seal: Option<&str>,
    ) -> Option<String> {
        if seal != Some(&*self.seal(change, page_value)) {
            return None;
        }
        Some(match self {
            Self::Taken(count) => format!("Taken for {}", counted(count, "chat")),
            Self::Kept(1) => "The pin of 1 chat is kept".to_owned(),
            Self::Kept(count) => format!("The pins of {} are kept", counted(count, "chat")),
        })
    }

    fn field(self) -> String {
        match self {
            Self::Taken(count) => format!("taken={count}"),
            Self::Kept(count) => format!("kept={count}"),
        }
    }

    fn seal(self, change: PendingChangeId, page_value: &str) -> String {
        let sealed = format!("{page_value} {change} {}", self.field());
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
            let decided = number("taken").map(Decided::Taken);
            let decided = decided.or(number("kept").map(Decided::Kept))?;
            decided.title(change, "mine", field("seal").as_deref())
        };
        let taken = Decided::Taken(3).address(change, "mine");
        assert_eq!(read(&taken).as_deref(), Some("Taken for 3 chats"));
        let kept = Decided::Kept(1).address(change, "mine");
        assert_eq!(read(&kept).as_deref(), Some("The pin of 1 chat is kept"));
        for made_up in [
            taken.replace("taken=3", "taken=7"),
            Decided::Taken(3).address(change, "another"),
            "/changes/x?taken=3".to_owned(),
            "/changes/x?".to_owned(),
        ] {
            assert_eq!(read(&made_up), None, "{made_up}");
        }
    }
}
