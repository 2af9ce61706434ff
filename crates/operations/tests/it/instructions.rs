//! The instruction files that come with a file.

use ctxpin_model::diff::effect::{Effect, strongest};
use ctxpin_testing::databases::TestService;

use crate::scene::{Scene, agents_md};

ctxpin_testing::on_both_databases!(a_change_of_it_keeps_the_prompt);

async fn a_change_of_it_keeps_the_prompt(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let rule = |text: &str, globs: &[&str]| agents_md("a").file_for("r.md", text, "/w", globs);
    for (pin, head, effect) in [
        (rule("one", &["a"]), rule("two", &["a"]), Effect::OnDemand),
        (rule("one", &["a"]), rule("one\n", &["a"]), Effect::None),
        (rule("one", &["a"]), rule("one", &["b"]), Effect::OnDemand),
        (rule("one", &["a"]), agents_md("a"), Effect::OnDemand),
        (agents_md("a"), rule("one", &["a"]), Effect::OnDemand),
        (agents_md("a"), rule("<!-- -->", &[]), Effect::None),
        (
            rule("one", &[]),
            agents_md("a").file("r.md", "one"),
            Effect::Prompt,
        ),
        (
            rule("one", &[]).file_for("s.md", "s", "/w", &[]),
            agents_md("a")
                .file_for("s.md", "s", "/w", &[])
                .file_for("r.md", "one", "/w", &[]),
            Effect::OnDemand,
        ),
        (
            rule("one", &[]),
            agents_md("b").file_for("r.md", "two", "/w", &[]),
            Effect::Prompt,
        ),
    ] {
        scene.push(&pin).await;
        let chat = scene.chat().await;
        let before = chat.prompt().await;
        scene.push(&head).await;
        let context = chat.context().await;
        let changes = context.changes();
        let found = strongest(&changes, context.sides());
        assert_eq!(found, effect, "{changes:?}");
        let mut effects = changes.iter().map(|change| change.effect(context.sides()));
        let loses_cache = effects.any(Effect::loses_cache);
        chat.refresh().await.unwrap();
        assert_eq!(chat.prompt().await != before, loses_cache);
    }
}
