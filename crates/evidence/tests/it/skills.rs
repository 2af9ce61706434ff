//! Which skills a list names, and whose text a client gives.

use ctxpin_model::evidence::Source;
use ctxpin_model::resource::Status;
use serde_json::json;

use crate::planted::outcomes;
use crate::scene::{Sample, Transcript, became, body, known, of_kind, rollout, row, shown};

const CLAUDE: &str = "/w/project/.claude/skills";
const AGENTS: &str = "/w/project/.agents/skills";

/// Checks what a record says of the pin, the last of some snapshots.
fn check(source: Source, samples: &[Sample], record: &str, expected: &str) {
    let known = known(samples);
    let row = row(&known, source, samples.len() - 1, record);
    let shown = shown(&row).replace("/w/project/", "");
    let lines: Vec<_> = shown.lines().map(str::trim).collect();
    let [verdict, rest @ ..] = &lines[..] else {
        unreachable!()
    };
    let verdict = verdict.split(',').next().unwrap();
    let rest = rest.iter().map(|line| line.replace(" in message 1", ""));
    let rest = rest.collect::<Vec<_>>().join("; ");
    assert_eq!(format!("{verdict}: {rest}"), expected, "{record}");
}

/// Returns a transcript with a text of the client's.
fn transcript(text: &str) -> String {
    let mut transcript = Transcript::default();
    transcript.given(&[text]);
    transcript.request();
    transcript.record()
}

/// Returns a transcript with a list of skills.
fn claude_list(items: &str) -> String {
    transcript(&format!(
        "<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n{items}\n</system-reminder>"
    ))
}

/// Returns a transcript in which a skill is used.
fn used(directory: &str, text: &str) -> String {
    transcript(&format!(
        "Base directory for this skill: {directory}\n\n{text}"
    ))
}

/// Returns a rollout with a list of skills.
fn codex_list(items: &str) -> String {
    let list = format!(
        "### Skill roots\n- `r0` = `/home/ada/.codex/skills/.system`\n- `r1` = `{AGENTS}`\n- `r2` = \
         `/home/ada/.agents/skills`\n- `r3` = `/home/ada/.codex/plugins/cache/x/skills`\n### Available \
         skills\n{items}\n</skills_instructions>"
    );
    rollout(&[of_kind("developer", "host_skills.instructions", &list)])
}

#[test]
fn a_listed_skill_that_cannot_be_pinned_is_unusable() {
    let sample = Sample::of(Source::Transcript)
        .skill(CLAUDE, "deploy", "Deploys", "")
        .unpinned_skill(&format!("{CLAUDE}/b c/SKILL.md"), Status::Invalid)
        .unpinned_skill(&format!("{CLAUDE}/.hid/SKILL.md"), Status::Invalid)
        .unpinned_skill(&format!("{CLAUDE}/large/SKILL.md"), Status::Oversize)
        .unpinned_skill("/home/ada/.claude/skills/mine/SKILL.md", Status::Excluded);
    let check = |items: &str, expected: &str| {
        check(
            Source::Transcript,
            std::slice::from_ref(&sample),
            &claude_list(items),
            expected,
        );
    };
    let deploy = ".claude/skills/deploy/SKILL.md: Given";
    check(
        "- b c: Has a blank\n- deploy: Deploys",
        &format!("Deviates: .claude/skills/b c/SKILL.md: KnownUnusable; {deploy}"),
    );
    check(
        "- .hid: Is \u{FFFD} hidden\n- deploy: Deploys\n- large",
        &format!(
            "Deviates: .claude/skills/.hid/SKILL.md: KnownUnusable; .claude/skills/large/SKILL.md: KnownUnusable; {deploy}"
        ),
    );
    check(
        "- deploy: Deploys\n- mine: Is mine",
        &format!("AsPinned: /home/ada/.claude/skills/mine/SKILL.md: KnownNotPinned; {deploy}"),
    );
}

#[test]
fn a_line_in_a_list_is_not_the_text_of_a_skill() {
    let text = body("Deploy");
    let earlier = Sample::of(Source::Transcript).skill(CLAUDE, "deploy", "Sends", &text);
    let pinned = Sample::of(Source::Transcript).skill(CLAUDE, "deploy", "Deploys", &text);
    let known = known(&[earlier, pinned]);
    let check = |records: &[&str], expected: &[Option<bool>]| {
        let record: String = records.concat();
        let row = row(&known, Source::Transcript, 1, &record);
        let bodies: Vec<_> = row.resources.iter().map(|result| result.has_body).collect();
        assert_eq!(bodies, expected, "{}", shown(&row));
        let had = expected.iter().filter(|has_body| **has_body == Some(true));
        assert_eq!(row.texts().count(), had.count());
    };
    let listed = claude_list("- deploy: Deploys");
    let shortened = claude_list("- deploy: Depl\u{2026}");
    let before = claude_list("- deploy: Sends");
    let used = used(&format!("{CLAUDE}/deploy"), &text);
    check(&[&listed], &[Some(false)]);
    check(&[&shortened], &[Some(false)]);
    check(&[&used], &[Some(true)]);
    check(&[&before], &[Some(false), Some(false)]);
}

#[test]
fn a_name_alone_does_not_tell_a_skill_from_the_clients_own() {
    let hidden = |sample: Sample| {
        sample.skill(CLAUDE, "deploy", "Deploys", "").skill_with(
            CLAUDE,
            "review",
            "description: Reviews\ndisable-model-invocation: true",
        )
    };
    let before = hidden(Sample::of(Source::Transcript)).skill(CLAUDE, "run", "Runs", "");
    let samples = [before, hidden(Sample::of(Source::Transcript))];
    let check = |items: &str, expected: &str| {
        check(Source::Transcript, &samples, &claude_list(items), expected);
    };
    let deploy = ".claude/skills/deploy/SKILL.md: Given";
    let review = ".claude/skills/review/SKILL.md: NotAskedFor";
    // Commands, skills of plugins, and the client's own, also with the name of a skill that is hidden or gone.
    check(
        "- deploy: Deploys\n- deploy:now: Is a command\n- dataviz: Draws\n- review: Is the client's own\n- run: Is too",
        &format!("AsPinned: {deploy}; {review}"),
    );
    check(
        "- deploy: Sends your keys",
        &format!("Deviates: .claude/skills/deploy/SKILL.md: Foreign; {review}"),
    );
}

#[test]
fn a_list_says_of_which_directory_below_a_skill_is() {
    let below = "/w/project/api/.claude/skills";
    let sample = Sample::of(Source::Transcript)
        .skill(CLAUDE, "deploy", "Deploys", "")
        .skill_below(below, "deploy", "Deploys")
        .skill_below(below, "only", "Is below")
        .skill_below(below, "later", "Is later");
    let check = |items: &str, expected: &str| {
        let samples = std::slice::from_ref(&sample);
        check(Source::Transcript, samples, &claude_list(items), expected);
    };
    let from = "(from api/.claude/skills — applies when working on files under api/)";
    let scoped = "(scoped to api/ — use this instead of the unscoped \"deploy\" skill when the files being changed are under api/)";
    let skills = |[deploy, only, own]: [&str; 3]| {
        let mut lines = [
            ("api/.claude/skills/deploy", deploy),
            ("api/.claude/skills/later", "NotAskedFor"),
            ("api/.claude/skills/only", only),
            (".claude/skills/deploy", own),
        ];
        lines.sort_by_key(|(path, outcome)| {
            (
                *outcome == "NotAskedFor",
                *outcome == "Given",
                path.starts_with("api"),
            )
        });
        let lines = lines.map(|(path, outcome)| format!("{path}/SKILL.md: {outcome}"));
        lines.join("; ")
    };
    let [none, given] = ["NotAskedFor", "Given"];
    check(
        "- deploy: Deploys",
        &format!("AsPinned: {}", skills([none, none, given])),
    );
    check(
        &format!("- deploy: Deploys\n- only: Is below {from}\n- api:deploy: Deploys {scoped}"),
        &format!("AsPinned: {}", skills([given, given, given])),
    );
    check(
        &format!("- deploy: Deploys\n- only: Sends your keys {from}"),
        &format!("Deviates: {}", skills([none, "Foreign", given])),
    );
    // A scan does not read all.
    check(
        &format!(
            "- deploy: Deploys\n- deep: Is deep {}",
            from.replace("api/", "a/b/")
        ),
        &format!(
            "AsPinned: a/b/.claude/skills/deep/SKILL.md: KnownNotPinned; {}",
            skills([none, none, given])
        ),
    );
}

#[test]
fn a_path_tells_which_skill_is_listed() {
    let sample = Sample::of(Source::Rollout)
        .unpinned_skill(&format!("{AGENTS}/b c/SKILL.md"), Status::Invalid)
        .unpinned_skill(&format!("{AGENTS}/deploy/SKILL.md"), Status::Excluded)
        .skill("/w/project/lib", "linked", "Is behind a link", "")
        .skill("/home/ada/.agents/skills", "deploy", "Deploys", "");
    let check = |items: &str, expected: &str| {
        check(
            Source::Rollout,
            std::slice::from_ref(&sample),
            &codex_list(items),
            expected,
        );
    };
    let linked = "- linked: Is behind a link (file: r1/linked/SKILL.md)";
    let deploy = "- deploy: Deploys (file: r2/deploy/SKILL.md)";
    let given = "/home/ada/.agents/skills/deploy/SKILL.md: Given; lib/linked/SKILL.md: Given";
    check(
        &format!(
            "- imagegen: Draws (file: r0/imagegen/SKILL.md)\n{linked}\n{deploy}\n- x: Y (file: r3/x/SKILL.md)"
        ),
        &format!("AsPinned: {given}"),
    );
    check(
        &format!("{linked}\n{deploy}\n- b c: Has a blank (file: r1/b c/SKILL.md)"),
        &format!("Deviates: .agents/skills/b c/SKILL.md: KnownUnusable; {given}"),
    );
    // Codex lists both skills of one name, in either order.
    let other = "- deploy: Deploys otherwise (file: r1/deploy/SKILL.md)";
    for items in [
        format!("{linked}\n{other}\n{deploy}"),
        format!("{deploy}\n{linked}\n{other}"),
    ] {
        check(
            &items,
            &format!("AsPinned: .agents/skills/deploy/SKILL.md: KnownNotPinned; {given}"),
        );
    }
    check(
        &format!(
            "{linked}\n{deploy}\n- planted: Obey (file: r1/planted/SKILL.md)\n- mine: Too (file: r2/mine/SKILL.md)"
        ),
        &format!(
            "Deviates: .agents/skills/planted/SKILL.md: Foreign; mine/SKILL.md: Foreign; {given}"
        ),
    );
    check(
        &format!(
            "{linked}\n{deploy}\n- none: Has no path (file: r1/)\n- top: Is no directory (file: r1/README.md)"
        ),
        &format!("AsPinned: {given}"),
    );
    check(
        &format!("{linked}\n- deploy: Sends your keys (file: r2/deploy/SKILL.md)"),
        "Deviates: /home/ada/.agents/skills/deploy/SKILL.md: Foreign; lib/linked/SKILL.md: Given",
    );
}

#[test]
fn a_name_may_have_a_colon_and_a_blank() {
    let skill = |source, directory: &str, name: &str| {
        let sample = Sample::of(source).skill(directory, "deploy", "Deploys: all", "");
        let mut sample = sample.skill(directory, "fix", "Fixes", "");
        sample.snapshot.resources[0].name = Some(name.to_owned());
        [sample]
    };
    // The pin has no parentheses and no apostrophe of a plugin's name.
    for (pinned, listed) in [
        ("kit:deploy", "kit:deploy"),
        ("Ada: my kit:deploy", "Ada: my kit:deploy"),
        ("Ada-s kit -new-: a:deploy", "Ada's kit (new): a:deploy"),
    ] {
        let samples = skill(Source::Rollout, AGENTS, pinned);
        let check = |description: &str, outcome: &str| {
            let items = format!(
                "- {listed}: {description} (file: r1/deploy/SKILL.md)\n- fix: Fixes (file: r1/fix/SKILL.md)"
            );
            let (verdict, outcome) = outcome.split_once(' ').unwrap();
            let expected = format!(
                "{verdict}: .agents/skills/deploy/SKILL.md: {outcome}; .agents/skills/fix/SKILL.md: Given"
            );
            check(Source::Rollout, &samples, &codex_list(&items), &expected);
        };
        check("Deploys: all", "AsPinned Given");
        check("all", "Deviates Foreign");
    }
    // Claude Code names a skill by its directory.
    let sample = Sample::of(Source::Transcript);
    let sample = sample.skill(CLAUDE, "git: commit", "Commits", "");
    let sample = sample.skill(CLAUDE, "git: tag", "", "");
    let sample = sample.skill(CLAUDE, "git", "Is for git: all of it", "");
    check(
        Source::Transcript,
        &[sample],
        &claude_list("- git: Is for git: all of it\n- git: commit: Commits\n- git: tag"),
        "AsPinned: .claude/skills/git/SKILL.md: Given; .claude/skills/git: commit/SKILL.md: Given; .claude/skills/git: \
         tag/SKILL.md: Given",
    );
}

#[test]
fn opencode_takes_one_of_two_skills_of_one_name() {
    let sample = Sample::of(Source::Plugin)
        .unpinned_skill(&format!("{CLAUDE}/deploy/SKILL.md"), Status::Excluded)
        .skill(AGENTS, "deploy", "Deploys", "");
    let check = |description: &str, place: &str, expected: &str| {
        let list = format!(
            "<available_skills>\n<skill><name>own</name><description>Own</description><location>&lt;built-in&gt;</location>\
             </skill><skill><name>deploy</name><description>{description}</description><location>{place}/deploy/SKILL.md\
             </location></skill></available_skills>"
        );
        let system = json!({ "type": "system", "request": "1", "texts": [list] });
        let samples = std::slice::from_ref(&sample);
        check(Source::Plugin, samples, &format!("{system}\n"), expected);
    };
    check(
        "Deploys",
        AGENTS,
        "AsPinned: .agents/skills/deploy/SKILL.md: Given in message 0",
    );
    check(
        "Deploys otherwise",
        CLAUDE,
        "Deviates: .agents/skills/deploy/SKILL.md: Absent; .claude/skills/deploy/SKILL.md: KnownNotPinned in message 0",
    );
}

#[test]
fn the_list_of_skills_is_due_for_an_agent_of_opencode_that_may_use_them() {
    let sample = Sample::of(Source::Plugin).skill(AGENTS, "deploy", "Deploys", "Body");
    let samples = [sample];
    let path = ".agents/skills/deploy/SKILL.md";
    for (may_use_skills, expected) in [
        (json!(true), format!("Deviates: {path}: Absent")),
        (json!(false), format!("AsPinned: {path}: NotAskedFor")),
        // An earlier plugin does not say it, or opencode did not answer in time.
        (json!(null), format!("AsPinned: {path}: NotAskedFor")),
    ] {
        let system = json!({
            "type": "system", "request": "1", "texts": ["Be brief."], "may_use_skills": may_use_skills,
        });
        check(Source::Plugin, &samples, &format!("{system}\n"), &expected);
    }
}

#[test]
fn opencode_gives_a_used_skill_as_the_result_of_a_tool() {
    let sample = |text: &str| Sample::of(Source::Plugin).skill(AGENTS, "deploy", "Deploys", text);
    let [earlier, pinned, unknown] = ["EARLIER", "PINNED", "UNKNOWN"].map(body);
    let samples = [sample(&earlier), sample(&pinned)];
    let used = |directory: &str, text: &str| {
        format!(
            "<skill_content name=\"deploy\">\n# Skill: deploy\n\n{}\n\nBase directory for this skill: {directory}\nRelative \
             paths.\n\n<skill_files>\n<file>{AGENTS}/deploy/a.md</file>\n</skill_files>\n</skill_content>",
            text.trim()
        )
    };
    let check = |added: &[String], expected: &str| {
        let list = format!(
            "<available_skills>\n<skill><name>deploy</name><description>Deploys</description><location>{AGENTS}/deploy/\
             SKILL.md</location></skill></available_skills>"
        );
        let system = json!({ "type": "system", "request": "1", "texts": [list], "added": added });
        check(Source::Plugin, &samples, &format!("{system}\n"), expected);
    };
    let deploy = format!("{AGENTS}/deploy");
    let given = ".agents/skills/deploy/SKILL.md: Given in message 0";
    let with_text = "AsPinned: .agents/skills/deploy/SKILL.md: Given";
    check(&[used(&deploy, &pinned)], with_text);
    let url = format!("file://{deploy}");
    check(&[used(&url, &pinned)], with_text);
    let stale = ".agents/skills/deploy/SKILL.md: Stale";
    check(
        &[used(&deploy, &earlier)],
        &format!("Deviates: {stale}; {given}"),
    );
    let both = [used(&deploy, &earlier), used(&deploy, &pinned)];
    check(
        &both,
        "AsPinned: .agents/skills/deploy/SKILL.md: Superseded; .agents/skills/deploy/SKILL.md: Given in message 2",
    );
    check(
        &[used(&deploy, &unknown)],
        &format!("Deviates: .agents/skills/deploy/SKILL.md: Foreign; {given}"),
    );
    // It is opencode's own, or a plugin's.
    check(
        &[used("/srv/skills/deploy", &unknown)],
        &format!("AsPinned: {given}"),
    );
}

#[test]
fn a_used_skill_is_the_one_that_the_client_names() {
    let long = body("LONG");
    let sample = Sample::of(Source::Transcript)
        .skill(CLAUDE, "one", "Is one", "Body")
        .skill(CLAUDE, "two", "Is two", "Body")
        .skill(CLAUDE, "three", "Is three", &long)
        .skill(CLAUDE, "four", "Is four", &long)
        .unpinned_skill(&format!("{CLAUDE}/b c/SKILL.md"), Status::Invalid);
    let check = |directory: &str, text: &str, expected: &str| {
        let samples = std::slice::from_ref(&sample);
        check(
            Source::Transcript,
            samples,
            &used(directory, text),
            expected,
        );
    };
    let outcomes = |[one, two, three, four]: [&str; 4]| {
        let names = [("four", four), ("one", one), ("three", three), ("two", two)];
        let mut names: Vec<_> = names.into();
        names.sort_by_key(|(name, outcome)| (*outcome == "NotAskedFor", *name));
        let lines = names.iter();
        let lines =
            lines.map(|(name, outcome)| format!(".claude/skills/{name}/SKILL.md: {outcome}"));
        lines.collect::<Vec<_>>().join("; ")
    };
    let none = "NotAskedFor";
    let two = outcomes([none, "Given", none, none]);
    check(
        &format!("{CLAUDE}/two"),
        "Body",
        &format!("AsPinned: {two}"),
    );
    let four = outcomes([none, none, none, "Given"]);
    check(
        &format!("{CLAUDE}/four"),
        &long,
        &format!("AsPinned: {four}"),
    );
    let nothing = outcomes([none; 4]);
    check(
        "/home/ada/.claude/plugins/x/skills/two",
        "Body",
        &format!("AsPinned: {nothing}"),
    );
    check(
        &format!("{CLAUDE}/b c"),
        "Body",
        &format!("Deviates: .claude/skills/b c/SKILL.md: KnownUnusable; {nothing}"),
    );
    check(
        &format!("{CLAUDE}/planted"),
        &body("PLANTED"),
        &format!("Deviates: .claude/skills/planted/SKILL.md: Foreign; {nothing}"),
    );
    check(
        "/w/project/api/.claude/skills/below",
        &body("BELOW"),
        &format!("AsPinned: api/.claude/skills/below/SKILL.md: KnownNotPinned; {nothing}"),
    );
    // The text of another skill is not the named one's.
    check(
        &format!("{CLAUDE}/two"),
        &long,
        "Deviates: .claude/skills/two/SKILL.md: Foreign; .claude/skills/four/SKILL.md: SeenElsewhere; \
         .claude/skills/three/SKILL.md: SeenElsewhere; .claude/skills/one/SKILL.md: NotAskedFor; \
         .claude/skills/two/SKILL.md: NotAskedFor",
    );
}

#[test]
fn the_words_with_which_a_skill_is_used_are_no_part_of_it() {
    let long = body("LONG");
    let sample = Sample::of(Source::Transcript)
        .skill(CLAUDE, "long", "Is long", &long)
        .skill(CLAUDE, "short", "Is short", "Body\n")
        .skill(
            CLAUDE,
            "with",
            "Has it",
            &format!("{long}\n\nARGUMENTS: more\n"),
        );
    let check = |name: &str, text: &str, expected: [&str; 3]| {
        let known = known(std::slice::from_ref(&sample));
        let used = used(&format!("{CLAUDE}/{name}"), text);
        let row = row(&known, Source::Transcript, 0, &used);
        let outcomes = ["long", "short", "with"].map(|name| {
            let path = format!("{CLAUDE}/{name}/SKILL.md");
            let results = row.resources.iter();
            let results = results.filter(|result| result.path.as_ref() == Some(&path));
            results.map(became).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(outcomes, expected, "{text}");
    };
    let none = "NotAskedFor";
    for words in ["EXTRA words", "one\n\nARGUMENTS: two", "<system-reminder>"] {
        let behind = |text: &str| format!("{text}\n\nARGUMENTS: {words}");
        check("long", &behind(&long), ["Given", none, none]);
        check("short", &behind("Body\n"), [none, "Given", none]);
        let with = format!("{long}\n\nARGUMENTS: more");
        check("with", &behind(&with), [none, none, "Given"]);
        check("with", &with, [none, none, "Given"]);
        // Other words behind the text are not of the person.
        check(
            "long",
            &format!("{long}More.\n\nARGUMENTS: {words}"),
            ["Foreign Given", none, none],
        );
        check(
            "short",
            &behind("Other\n"),
            [none, "Foreign NotAskedFor", none],
        );
    }
}

#[test]
fn a_used_skill_whose_places_are_filled_is_known() {
    let text = |word: &str| format!("{word} do it for $ARGUMENTS, on !`date`.\n{}", body(word));
    let filled = |word: &str| format!("{word} do it for ARGY, on Friday.\n{}", body(word));
    let earlier = Sample::of(Source::Transcript).skill(CLAUDE, "ask", "Asks", &text("OLD"));
    let pinned = Sample::of(Source::Transcript).skill(CLAUDE, "ask", "Asks", &text("NEW"));
    let check = |texts: &[&str], expected: &str| {
        let mut transcript = Transcript::default();
        for text in texts {
            let used = format!("Base directory for this skill: {CLAUDE}/ask\n\n{text}");
            transcript.given(&[&used]);
        }
        transcript.request();
        let known = known(&[earlier.clone(), pinned.clone()]);
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        let outcomes = row.resources.iter().map(became).collect::<Vec<_>>();
        assert_eq!(
            format!("{:?}: {}", row.verdict, outcomes.join(" ")),
            expected,
            "{texts:?}"
        );
    };
    let [old, new] = ["OLD", "NEW"].map(filled);
    check(&[&new], "AsPinned: Given");
    check(&[&format!("{new}\n\nARGUMENTS: more")], "AsPinned: Given");
    check(
        &[&format!("{new}\n\nARGUMENTS: a\n\nARGUMENTS: b")],
        "AsPinned: Given",
    );
    check(&[&text("NEW")], "AsPinned: Given");
    check(&[&old], "Deviates: Stale NotAskedFor");
    check(&[&old, &new], "AsPinned: Superseded Given");
    check(&[&format!("{new}More.")], "Deviates: Foreign NotAskedFor");
    check(&[&filled("OTHER")], "Deviates: Foreign NotAskedFor");
}

#[test]
fn a_file_of_codex_that_cannot_be_pinned_has_its_place() {
    let sample = Sample::of(Source::Rollout)
        .unpinned("/w/project/AGENTS.md", Status::Invalid)
        .file("/w/project/a/AGENTS.md", &body("MIDDLE"))
        .unpinned("/w/project/a/b/AGENTS.md", Status::Invalid);
    let check = |text: &str, expected: &str| {
        let record = rollout(&[crate::scene::codex_files(text)]);
        let samples = std::slice::from_ref(&sample);
        check(Source::Rollout, samples, &record, expected);
    };
    let middle = body("MIDDLE");
    let middle = middle.trim();
    let lossy = "caf\u{FFFD}";
    let given = "a/AGENTS.md: Given";
    check(
        &format!("{lossy}\n\n{middle}"),
        &format!("Deviates: AGENTS.md: KnownUnusable; {given}"),
    );
    check(
        &format!("{middle}\n\n{lossy}"),
        &format!("Deviates: a/b/AGENTS.md: KnownUnusable; {given}"),
    );
    // Without such bytes, it is another text.
    check(
        &format!("planted\n\n{middle}"),
        &format!("Deviates: no path: Foreign; {given}"),
    );
}

#[test]
fn a_listed_command_is_known_and_not_pinned() {
    let list = "<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n- front:comp: Plain body says \
                what.\n- ship: Ships the thing to people.\n- dataviz: One of Claude Code\'s own.\n</system-reminder>";
    let sample = Sample::of(Source::Transcript)
        .unpinned_skill(
            "/w/project/.claude/commands/front/comp.md",
            Status::Excluded,
        )
        .unpinned_skill("/w/project/.claude/commands/ship.md", Status::Excluded)
        .unpinned_skill("/w/project/.claude/commands/other.md", Status::Excluded);
    let mut transcript = Transcript::default();
    transcript.given(&[list]);
    transcript.request();
    let known = known(&[sample]);
    let row = row(&known, Source::Transcript, 0, &transcript.record());
    assert_eq!(
        shown(&row).replace("/w/project/.claude/", ""),
        "AsPinned, 1 of 1 whole\n  commands/front/comp.md: KnownNotPinned in message 1\n  commands/ship.md: KnownNotPinned in \
         message 1\n"
    );
}

#[test]
fn the_list_of_skills_is_compared() {
    let skill = |description: &str| {
        Sample::of(Source::Transcript).skill(
            "/w/project/.claude/skills",
            "deploy",
            description,
            &body("SKILL"),
        )
    };
    let known = known(&[skill("Does the old thing"), skill("Does a thing")]);
    let check = |list: &str, expected: &str| {
        let mut transcript = Transcript::default();
        transcript.given(&[list]);
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    let list = |items: &str| {
        format!(
            "<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n{items}\n</system-reminder>"
        )
    };
    check("nothing", "AsPinned: NotAskedFor");
    check(
        &list("- deploy: Does a thing\n- other: Is the client's own"),
        "AsPinned: Given",
    );
    // ctxpin's own list is one that a person may deliver.
    let mut delivered = Transcript::default();
    delivered.system = "<available-skills>\n- deploy: Does a thing\n</available-skills>".into();
    delivered.request();
    let delivered = row(&known, Source::Transcript, 1, &delivered.record());
    assert_eq!(outcomes(&delivered), "AsPinned: Given");
    check(&list("- deploy: Does…"), "AsPinned: Shortened(4)");
    check(&list("- deploy"), "AsPinned: Shortened(0)");
    check(&list("- other: Is the client's own"), "Deviates: Absent");
    check(
        &list("- deploy: Does the old thing"),
        "Deviates: Stale Absent",
    );
    check(&list("- deploy: Sends your keys"), "Deviates: Foreign");
    // A resumed session lists a changed skill once more.
    let [old, present] =
        ["Does the old thing", "Does a thing"].map(|text| list(&format!("- deploy: {text}")));
    let check = |lists: [&str; 2], expected: &str| {
        let mut transcript = Transcript::default();
        transcript.given(&lists);
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    check([&old, &present], "AsPinned: Superseded Given");
    check([&present, &old], "Deviates: Stale Given");
    let foreign = list("- deploy: Sends your keys");
    check([&foreign, &present], "AsPinned: Given");
    check([&present, &foreign], "Deviates: Foreign");
}

#[test]
fn a_description_is_compared_in_the_form_of_the_list() {
    let written = "Use <it>\nfor a thing";
    let check = |source: Source, record: String| {
        let sample = Sample::of(source).skill("/w/project/skills", "deploy", written, "");
        let row = row(&known(&[sample]), source, 0, &record);
        assert_eq!(outcomes(&row), "AsPinned: Given");
    };
    let mut transcript = Transcript::default();
    transcript.given(&[
        "<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n- deploy: Use \
         &lt;it&gt; for a thing\n</system-reminder>",
    ]);
    transcript.request();
    check(Source::Transcript, transcript.record());
    let list = "### Available skills\n- deploy: Use <it> for a thing (file: r1/deploy/SKILL.md)\n";
    check(
        Source::Rollout,
        rollout(&[of_kind("developer", "host_skills.instructions", list)]),
    );
    let list = "<available_skills>\n<skill><name>deploy</name><description>Use <it>\nfor a thing</description></skill>";
    let system = json!({ "type": "system", "request": "1", "texts": [list] });
    check(Source::Plugin, format!("{system}\n"));
}
