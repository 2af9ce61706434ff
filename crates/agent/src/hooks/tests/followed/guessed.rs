//! Turns whose pin is a guess, and what the known heads say of them.

use super::*;

/// Returns a text that is long enough to be found anywhere.
fn rules(number: usize) -> String {
    format!(
        "# Rules\n\nRevision {number} says that every change has a test which fails without it.\n"
    )
}

/// What becomes of a session that began while nobody saw it.
struct Guess {
    /// The number of the text that its request has.
    given: usize,
    /// How many heads there were, each with the text of its number. The last one is the guess.
    heads: usize,
    /// Whether the session begins anew before its evidence is read, so that its pin has moved on.
    is_over: bool,
    /// The number of a head that the server does not know.
    never_pushed: Option<usize>,
}

impl Guess {
    /// Checks the verdict of the session's turn. `None` is no row.
    async fn check(&self, expected: Option<&str>) {
        let followed = Followed::new().await;
        let snapshot = |number| followed.snapshot_with("w", Some(&rules(number)));
        let newest = snapshot(self.heads);
        {
            let mut kept = lock(&followed.kept);
            kept.head = json!(newest.id.to_string());
            kept.never_pushed = json!(self.never_pushed.map(|head| snapshot(head).id.to_string()));
        }
        for head in (1..self.heads).map(snapshot).chain([Arc::clone(&newest)]) {
            followed.hooks.evidence.note_head(Uuid::nil(), &head);
        }
        followed.newest.send_replace(Some(newest));
        followed.start_with("s", Box::pin(async { None })).await;
        followed.prompt("s", "t1").await;
        followed.settle().await;
        if self.is_over {
            followed.start("s").await;
        }
        followed.write("s", "session_meta", &json!({"id": "s"}));
        let file = rules(self.given);
        let said =
            format!("# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\n{file}\n</INSTRUCTIONS>");
        followed.request_with("s", "t1", &said);
        followed.stop("s").await;
        let kept = lock(&followed.kept);
        let mut verdicts = kept.row_bodies.iter().map(|row| row["verdict"].as_str());
        let Self { given, heads, .. } = self;
        assert_eq!(
            verdicts.next().flatten(),
            expected,
            "{given} of {heads} heads, over: {}, never pushed: {:?}",
            self.is_over,
            self.never_pushed
        );
    }
}

#[tokio::test]
async fn requests_that_no_known_head_has_deviate_from_no_guess_if_a_head_was_forgotten() {
    let check = async |given: usize, heads: usize, is_over: bool, expected: Option<&str>| {
        let guess = Guess {
            given,
            heads,
            is_over,
            never_pushed: None,
        };
        guess.check(expected).await;
    };
    check(3, 3, false, Some("as-pinned")).await;
    check(1, 3, false, Some("as-pinned")).await;
    check(0, 3, false, Some("deviates")).await;
    check(1, 18, false, None).await;
    check(18, 18, false, Some("as-pinned")).await;
    check(3, 3, true, Some("as-pinned")).await;
    check(1, 3, true, None).await;
}

#[tokio::test]
async fn requests_that_a_head_has_which_was_never_pushed_deviate_from_no_guess() {
    let check = async |given: usize, expected: Option<&str>| {
        let guess = Guess {
            given,
            heads: 3,
            is_over: false,
            never_pushed: Some(2),
        };
        guess.check(expected).await;
    };
    check(3, Some("as-pinned")).await;
    check(2, None).await;
    check(1, Some("as-pinned")).await;
    check(0, Some("deviates")).await;
}
