//! People whose rights end while they write: a token is revoked or its user disabled while several
//! writers use the token. A request after the acknowledgement must have no effect.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::id::{ChatId, TokenId, UserId};
use ctxpin_protocol::http::chats::{ChatChange, ChatCreate};
use ctxpin_protocol::http::people::{Secret, TokenCreate, TokenRevoke, UserChange, UserCreate};
use ctxpin_protocol::problem::ProblemName;
use rand::RngExt as _;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use crate::caller::{Caller, Outcome};
use crate::ledger::Ledger;

/// Writers with one token.
const WRITERS: usize = 3;

/// Shortest and longest time that they write before their right ends, in milliseconds.
const WRITE_MILLIS: std::ops::Range<u64> = 500..2_500;

/// Requests that a writer sends after its right has ended.
const LATE_REQUESTS: u32 = 3;

/// A requested title, and when it was requested.
type Asked = (String, Instant);

/// The shared state of the writers of one token.
#[derive(Default)]
struct Writing {
    /// Every requested title.
    asked: Mutex<Vec<Asked>>,
    /// When the end of the right was requested, and when it was acknowledged.
    end: Mutex<(Option<Instant>, Option<Instant>)>,
}

impl Writing {
    fn ended(&self) -> (Option<Instant>, Option<Instant>) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_end(&self, end: (Option<Instant>, Option<Instant>)) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }
}

/// The servers of the writers, their user and their chat.
struct Scene {
    addresses: Vec<Url>,
    ledger: Arc<Ledger>,
    user: Uuid,
    chat: Uuid,
    /// A token of the user that is never revoked.
    keeper: Secret,
}

/// Ends the rights of writers repeatedly until `deadline`. `admin` may do everything.
pub async fn run(mut admin: Caller, addresses: Vec<Url>, round: u64, deadline: Instant) {
    let Some(scene) = set_up(&mut admin, addresses, round).await else {
        return;
    };
    let mut turn = 0;
    while Instant::now() + Duration::from_millis(WRITE_MILLIS.end) < deadline {
        turn += 1;
        if end_once(&mut admin, &scene, turn).await.is_none() {
            return;
        }
    }
}

async fn set_up(admin: &mut Caller, addresses: Vec<Url>, round: u64) -> Option<Scene> {
    let user = UserCreate {
        name: format!("writer-{round}"),
        roles: vec!["member".to_owned()],
    };
    let create = |client: Client| {
        let user = user.clone();
        async move { client.user_create(&user).await }
    };
    let user = expect(admin, "user create", create).await?.id;
    let keeper = token(admin, user).await?.1;
    let mut caller = caller(admin, &addresses, &keeper)?;
    let request = ChatCreate {
        client: Some("soak-people".to_owned()),
        reference: Some(format!("{round}")),
        ..ChatCreate::default()
    };
    let create = |client: Client| {
        let request = request.clone();
        async move { client.chat_create(&request).await }
    };
    let chat = expect(&mut caller, "create", create).await?.chat.id;
    Some(Scene {
        addresses,
        ledger: Arc::clone(&admin.ledger),
        user,
        chat,
        keeper,
    })
}

/// Starts writers, ends their right, and compares the result with the requests that were sent in
/// time.
async fn end_once(admin: &mut Caller, scene: &Scene, turn: u32) -> Option<()> {
    let (id, secret) = token(admin, scene.user).await?;
    let writing = Arc::new(Writing::default());
    let mut writers = JoinSet::new();
    for number in 1..=WRITERS {
        let writer = caller(admin, &scene.addresses, &secret)?;
        let prefix = format!("{turn}-{number}");
        writers.spawn(write(writer, Arc::clone(&writing), scene.chat, prefix));
    }
    let millis = admin.random.random_range(WRITE_MILLIS);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    let began = Instant::now();
    writing.note_end((Some(began), None));
    let disables = admin.chance(40);
    if disables {
        disable(admin, scene.user, true).await?;
    } else {
        let revoke = |client: Client| async move {
            client
                .token_revoke(TokenId::from(id), &TokenRevoke::default())
                .await
        };
        match admin.call_until_answered("revoke", revoke).await? {
            // A repeated request finds it revoked.
            Ok(_) | Err(Some(ProblemName::NotFound)) => {}
            Err(name) => {
                let says = format!("a token was not revoked: {name:?}");
                admin.ledger.open().violation(says);
                return None;
            }
        }
    }
    writing.note_end((Some(began), Some(Instant::now())));
    while let Some(ended) = writers.join_next().await {
        if let Err(error) = ended {
            admin
                .ledger
                .open()
                .violation(format!("a writer failed: {error}"));
        }
    }
    if disables {
        disable(admin, scene.user, false).await?;
    }
    compare(admin, scene, &writing).await?;
    scene.ledger.open().faults.revocations += 1;
    Some(())
}

async fn disable(admin: &mut Caller, user: Uuid, disabled: bool) -> Option<()> {
    let change = UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    };
    let kind = if disabled { "disable" } else { "enable" };
    let call = |client: Client| {
        let change = change.clone();
        async move { client.user_change(UserId::from(user), &change).await }
    };
    expect(admin, kind, call).await.map(drop)
}

/// Writes titles until the writer's right has ended, and a few more.
async fn write(mut writer: Caller, writing: Arc<Writing>, chat: Uuid, prefix: String) {
    let mut late = 0;
    for number in 0_u32.. {
        let title = format!("{prefix}-{number}");
        let began = Instant::now();
        {
            let mut asked = writing.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push((title.clone(), began));
        }
        let was_ended = writing.ended().1.is_some_and(|ended| ended < began);
        let change = ChatChange {
            title: Some(Some(title)),
            ..ChatChange::default()
        };
        let client = writer.client();
        let call = client.chat_change(ChatId::from(chat), &change);
        match writer.call("writer's title", call).await {
            Outcome::Acknowledged(..) => {
                let mut state = writer.ledger.open();
                state.check(!was_ended, || {
                    format!("chat {chat}: a caller whose right had ended was answered: done")
                });
            }
            Outcome::Refused(name) => {
                let holds =
                    name == Some(ProblemName::Unauthenticated) && writing.ended().0.is_some();
                let mut state = writer.ledger.open();
                state.check(holds, || {
                    format!("chat {chat}: a writer was refused: {name:?}")
                });
                drop(state);
                if !holds {
                    return;
                }
                late += u32::from(was_ended);
            }
            Outcome::Unknown => {
                if !writer.await_any().await {
                    return;
                }
            }
        }
        if late >= LATE_REQUESTS {
            return;
        }
        writer.pause(40).await;
    }
}

/// Checks that the present title was requested before the right ended.
async fn compare(admin: &mut Caller, scene: &Scene, writing: &Writing) -> Option<()> {
    let mut keeper = caller(admin, &scene.addresses, &scene.keeper)?;
    let read = |client: Client| async move { client.chat(ChatId::from(scene.chat)).await };
    let title = expect(&mut keeper, "chat", read).await?.title;
    let asked = writing.asked.lock().unwrap_or_else(PoisonError::into_inner);
    let mut state = scene.ledger.open();
    let holds = is_in_time(&asked, writing.ended().1, title.as_deref());
    state.check(holds, || {
        format!(
            "chat {}: {title:?} was asked for after the right had ended",
            scene.chat
        )
    });
    Some(())
}

/// Returns whether the title was not requested after `ended`. Titles of earlier writers are not in
/// `asked`.
fn is_in_time(asked: &[Asked], ended: Option<Instant>, title: Option<&str>) -> bool {
    asked
        .iter()
        .filter(|(other, _)| Some(other.as_str()) == title)
        .all(|(_, began)| ended.is_none_or(|ended| *began <= ended))
}

/// Creates a token for the user.
async fn token(admin: &mut Caller, user: Uuid) -> Option<(Uuid, Secret)> {
    let request = TokenCreate {
        label: None,
        scopes: None,
        expires_at: None,
        user: Some(user),
    };
    let create = |client: Client| {
        let request = request.clone();
        async move { client.token_create(&request).await }
    };
    let created = expect(admin, "token create", create).await?;
    Some((created.token.id, created.secret))
}

/// Sends a request until it succeeds. A refusal is a violation.
async fn expect<T, F>(
    caller: &mut Caller,
    kind: &'static str,
    request: impl Fn(Client) -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, ClientError>>,
{
    match caller.call_until_answered(kind, request).await? {
        Ok((answer, _)) => Some(answer),
        Err(name) => {
            let mut state = caller.ledger.open();
            state.violation(format!("{kind} was refused: {name:?}"));
            None
        }
    }
}

fn caller(admin: &mut Caller, addresses: &[Url], token: &Secret) -> Option<Caller> {
    let seed = admin.random.random();
    match Caller::new(addresses, token, &admin.ledger, seed) {
        Ok(caller) => Some(caller),
        Err(error) => {
            admin.ledger.open().violation(error);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_of_a_late_request_is_found() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let asked = [("early".to_owned(), at(1)), ("late".to_owned(), at(3))];
        assert!(is_in_time(&asked, Some(at(2)), Some("early")));
        assert!(!is_in_time(&asked, Some(at(2)), Some("late")));
        assert!(is_in_time(&asked, Some(at(2)), Some("of another token")));
        assert!(is_in_time(&asked, Some(at(2)), None));
    }
}
