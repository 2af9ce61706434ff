//! Evidence as the readers of clients' records hand it in.

use anyhow::Context as _;
use ctxpin_client::Client;
use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::{AnyHash, BlobHash};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::evidence::{EvidenceRow, ForeignText, ResourceResult};
use ctxpin_protocol::http::page::PageQuery;

use super::company::Person;

/// The records of a person's clients.
pub struct Records<'p> {
    client: &'p Client,
    key: EvidenceKey,
}

impl<'p> Records<'p> {
    /// Asks for the person's key.
    pub async fn of(person: &'p Person) -> anyhow::Result<Self> {
        let key = person.client.evidence_key().await?;
        let key: AnyHash = format!("sha256:{}", key.key.expose()).parse()?;
        Ok(Self {
            client: &person.client,
            key: EvidenceKey::new(*key.bytes()),
        })
    }

    /// Says of the turns that are stamped with a chat's present pin that they had what is pinned.
    pub async fn confirm(&self, chat: ChatId) -> anyhow::Result<()> {
        let context = self.client.context(chat).await?;
        let turns = self.client.turns(chat, &PageQuery::default()).await?;
        let own = turns.items.into_iter();
        let own = own.filter(|turn| turn.snapshot == context.pin.snapshot);
        for turn in own {
            let given = self.given(chat).await?;
            self.hand_in(chat, turn.number, "as-pinned", given).await?;
        }
        Ok(())
    }

    /// Says of the last turn of a chat that it had everything that is pinned except for these: each outcome is that of
    /// the resource whose path ends so. The worst come first.
    pub async fn contradict(
        &self,
        chat: ChatId,
        outcomes: &[(&str, &str)],
        foreign: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let given = self.given(chat).await?;
        let mut results: Vec<_> = foreign
            .iter()
            .map(|(path, text)| self.foreign(path, text))
            .collect();
        for (path, outcome) in outcomes {
            let result = given.iter().find(|result| is_at(result, path));
            let result = result.with_context(|| format!("no {path}"))?.clone();
            results.push(ResourceResult {
                outcome: (*outcome).to_owned(),
                request: 2,
                ..result
            });
        }
        let is_other =
            |result: &ResourceResult| outcomes.iter().all(|(path, _)| !is_at(result, path));
        results.extend(given.into_iter().filter(is_other));
        let last = self.last(chat).await?;
        self.hand_in(chat, last, "deviates", results).await
    }

    /// Says of the last turn of a chat that the client summed it up, so that not every request is whole.
    pub async fn lose_a_part(&self, chat: ChatId) -> anyhow::Result<()> {
        let (given, last) = (self.given(chat).await?, self.last(chat).await?);
        self.hand_in(chat, last, "incomplete", given).await
    }

    async fn last(&self, chat: ChatId) -> anyhow::Result<i64> {
        let turns = self.client.turns(chat, &PageQuery::default()).await?;
        let last = turns.items.first().context("no turn")?;
        Ok(last.number)
    }

    /// Returns the results of a turn that had everything that the chat is pinned to.
    async fn given(&self, chat: ChatId) -> anyhow::Result<Vec<ResourceResult>> {
        let context = self.client.context(chat).await?;
        let resources = context.resources.into_iter();
        let resources = resources.filter(|resource| {
            resource.status == "ok"
                && ["instruction_file", "skill"].contains(&resource.kind.as_str())
        });
        let given = resources.map(|resource| ResourceResult {
            path: Some(resource.source),
            kind: Some(resource.kind),
            content_hash: resource.content_hash,
            outcome: "given".to_owned(),
            given_bytes: None,
            size_bytes: None,
            body: None,
            within: false,
            request: 1,
            place: None,
            foreign: None,
        });
        Ok(given.collect())
    }

    fn foreign(&self, path: &str, text: &str) -> ResourceResult {
        let names = [text.to_owned(), format!("{text}\n")];
        let names = names.map(|text| BlobHash::of(text.as_bytes()));
        ResourceResult {
            path: Some(path.to_owned()),
            kind: None,
            content_hash: None,
            outcome: "foreign".to_owned(),
            given_bytes: None,
            size_bytes: None,
            body: None,
            within: false,
            request: 2,
            place: None,
            foreign: Some(ForeignText {
                size_bytes: text.len() as u64,
                names: names.map(|hash| self.key.name_of_foreign(hash).to_string()),
            }),
        }
    }

    async fn hand_in(
        &self,
        chat: ChatId,
        turn: i64,
        verdict: &str,
        resources: Vec<ResourceResult>,
    ) -> anyhow::Result<()> {
        let is_whole = verdict != "incomplete";
        let requests = 2 + turn.unsigned_abs() % 4;
        let row = EvidenceRow {
            owner_key: self.key.name().to_string(),
            source: "transcript".to_owned(),
            client_version: Some("2.1.332".to_owned()),
            key: AnyHash::of(format!("{chat} {turn}").as_bytes()).hex(),
            verdict: verdict.to_owned(),
            requests,
            whole: requests - u64::from(!is_whole),
            gaps: match is_whole {
                true => Vec::new(),
                false => vec!["compaction".to_owned()],
            },
            first_different: (verdict == "deviates").then_some(2),
            resources,
            left_out: 0,
            shows: None,
        };
        self.client.evidence_add(chat, turn, &row).await?;
        Ok(())
    }
}

fn is_at(result: &ResourceResult, path: &str) -> bool {
    let own = result.path.as_deref();
    own.is_some_and(|own| own.ends_with(path))
}
