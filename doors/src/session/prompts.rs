//! Prompts to sessions between which the files change: a start, calls of tools, resumptions in new processes, forks.

use std::collections::BTreeMap;

use super::compare::{Asked, differences_of};
use super::place::{Files, More, Place, write};
use super::speed;
use crate::client::From;
use crate::standin::{DELEGATE, FILL, READ};

/// What the tool is asked if it shall call no tool.
pub const SAY: &str = "Say something.";

/// A prompt, and what happens before it.
struct Step {
    /// Which of the sessions it goes on with, by the number of its first step. `None` begins one.
    from: Option<(usize, How)>,
    /// When the instruction file and the skill change, if they do.
    change: Option<When>,
    what: What,
}

/// How a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Resume,
    Fork,
}

/// When files change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    /// Between the first request of the prompt and its answer.
    Meanwhile,
}

/// What the prompt wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Say,
    Read,
    Delegate,
    /// The tool compacts by itself, because its model has no room left.
    Fill,
    Compact,
    Clear,
}

const fn step(from: Option<(usize, How)>, change: Option<When>, what: What) -> Step {
    Step { from, change, what }
}

/// A start, a call of a tool, a change and two resumptions in new processes, forks before and behind a change, another
/// session; and one with a subagent, two compactions and a clearing, with a change before each takes effect.
const STEPS: [Step; 15] = [
    step(None, None, What::Say),
    step(Some((0, How::Resume)), None, What::Read),
    step(Some((0, How::Resume)), Some(When::Before), What::Say),
    step(Some((0, How::Resume)), None, What::Say),
    step(Some((0, How::Fork)), None, What::Say),
    step(Some((4, How::Resume)), Some(When::Before), What::Say),
    step(None, None, What::Read),
    step(None, Some(When::Meanwhile), What::Delegate),
    step(Some((7, How::Resume)), None, What::Say),
    step(Some((7, How::Resume)), Some(When::Meanwhile), What::Fill),
    step(Some((7, How::Resume)), None, What::Say),
    step(Some((7, How::Resume)), Some(When::Before), What::Compact),
    step(Some((7, How::Resume)), None, What::Say),
    step(Some((7, How::Resume)), Some(When::Before), What::Clear),
    step(Some((13, How::Resume)), None, What::Say),
];

/// Gives the prompts, measures the hooks, takes them out, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    place.watch()?;
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    // The sessions by their first steps.
    let mut begun: BTreeMap<usize, String> = BTreeMap::new();
    let mut asked: Vec<Asked> = Vec::new();
    let mut differences = Vec::new();
    for (number, step) in STEPS.iter().enumerate() {
        let Some(question) = question(place, step) else {
            continue;
        };
        let from = step.from.and_then(|(first, how)| {
            let session = begun.get(&first)?.clone();
            Some(match how {
                How::Resume => From::Resume(session),
                How::Fork => From::Fork(session),
            })
        });
        let mut read = files.len() - 1;
        if let Some(when) = step.change {
            let changed = revision(client.instruction_places(), files.len());
            files.push(changed.clone());
            let project = place.project();
            match when {
                When::Before => {
                    write(&project, &changed)?;
                    read += 1;
                }
                When::Meanwhile => sessions
                    .standin
                    .meanwhile(move || write(&project, &changed))?,
            }
        }
        let session = place
            .ask(from.as_ref(), &question, &More::default())
            .await?;
        begun.insert(number, session.clone());
        let requests = sessions.standin.take()?;
        let is_turn = !matches!(step.what, What::Compact | What::Clear);
        let new = Asked::new(client, &files, session, read, requests);
        let mut requests = new.requests.iter();
        let is_done = match step.what {
            What::Delegate => !new.subagents.is_empty(),
            What::Fill => {
                !client.compacts_by_itself(sessions.version)
                    || requests.any(|(_, request)| client.is_compacted(request))
            }
            What::Say | What::Read | What::Compact | What::Clear => true,
        };
        if !is_done {
            differences.push(format!("the tool does not follow: {question}"));
        }
        asked.push(Asked { is_turn, ..new });
    }
    differences.extend(differences_of(place, &files, &asked).await?);
    differences.extend(speed::slow(place)?);
    differences.extend(place.uninstalled()?);
    Ok(differences)
}

/// Returns what the tool is asked, or `None` if its commands have no such step. Steps that go on with a fork that is not
/// made begin a session instead.
fn question(place: &Place<'_>, step: &Step) -> Option<String> {
    let client = place.sessions.client;
    if step.from.is_some_and(|(_, how)| how == How::Fork) && !client.forks() {
        return None;
    }
    match step.what {
        What::Say => Some(SAY.to_owned()),
        What::Read => Some(format!("{READ}{}", place.notes())),
        What::Delegate => Some(format!("{DELEGATE}{SAY}")),
        What::Fill => Some(format!("{FILL}{}", place.notes())),
        What::Compact => client.orders().map(|[compact, _]| compact.to_owned()),
        What::Clear => client.orders().map(|[_, clear]| clear.to_owned()),
    }
}

/// Returns a revision of the instruction file and of the skill.
pub fn revision((file, skills): (&str, &str), number: usize) -> Files {
    let text = format!(
        "# How we work here\n\nRevision {number} says that every change has a test which would fail without it.\n"
    );
    let skill = format!(
        "---\nname: greet\ndescription: Greets as revision {number} of the house rules says.\n---\nGreet everybody in \
         one line, and do not forget that this is revision {number}.\n"
    );
    BTreeMap::from([
        (file.to_owned(), text),
        (format!("{skills}/greet/SKILL.md"), skill),
    ])
}
