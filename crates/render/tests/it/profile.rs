//! What a tool gives its model of a snapshot. Each text was seen in a request of Codex 0.171.0 or opencode 1.18.33.

use ctxpin_model::profile::{
    ClaudeCodeSettings, CodexSettings, OpencodeSettings, Rules, Settings, SkillPermission,
};
use ctxpin_model::resource::{Applies, Kind, Resource, Status};
use ctxpin_render::profile::{
    Effective, Forms, conditional, delivered, delivered_on_demand, descriptions, effective, forms,
    on_demand,
};
use ctxpin_render::renderer::Renderer;

use crate::sample::Sample;

const HOME: &str = "/home/ada/.codex";

/// A file in a directory, which is also its root.
fn file(sample: Sample, directory: &str, body: impl AsRef<[u8]>) -> Sample {
    let mut sample = sample.file(&format!("{directory}/AGENTS.md"), body);
    let last = sample.snapshot.resources.last_mut().unwrap();
    last.root = Some(directory.to_owned());
    sample
}

fn codex(sample: Sample, bytes_max: u64) -> Effective {
    let sample = with_settings(sample, bytes_max);
    effective(&sample.snapshot, &sample.bodies)
}

fn with_settings(sample: Sample, bytes_max: u64) -> Sample {
    let mut sample = sample.facts(Some("linux"), Some("/w/sub"));
    sample.snapshot.facts.rules = Some(Rules {
        version: 1,
        settings: Settings::Codex(CodexSettings {
            bytes_max,
            ..CodexSettings::defaults(HOME)
        }),
    });
    sample
}

/// Returns what is given, as `source bytes @cut`, and what is not, as `source: reason`.
fn shown(effective: &Effective) -> Vec<String> {
    let given = effective.given.iter().map(|given| {
        let cut = given.cut_at.map(|cut| format!(" @{cut}"));
        format!(
            "{} {}{}",
            given.source,
            given.bytes,
            cut.unwrap_or_default()
        )
    });
    let left_out = effective.left_out.iter();
    let left_out = left_out.map(|left_out| format!("{}: {}", left_out.source, left_out.reason));
    given.chain(left_out).collect()
}

#[test]
fn codex_joins_the_bytes_of_its_files() {
    let sample = file(Sample::default(), HOME, "  mine \n\n");
    let sample = file(sample, "/w", "top\r\nline\n\n");
    let sample = file(sample, "/w/sub", b"a\xffb\n");
    let effective = codex(sample, 32 * 1024);
    assert_eq!(
        effective.text,
        "# AGENTS.md instructions for /w/sub\n\n<INSTRUCTIONS>\nmine\n\n--- project-doc ---\n\n\
         top\r\nline\n\n\n\na\u{fffd}b\n\n</INSTRUCTIONS>"
    );
    assert_eq!(
        shown(&effective),
        [
            "/home/ada/.codex/AGENTS.md 4",
            "/w/AGENTS.md 11",
            "/w/sub/AGENTS.md 6"
        ]
    );
}

#[test]
fn codex_cuts_the_projects_files_at_one_number_of_bytes() {
    let sample = file(Sample::default(), HOME, "h".repeat(100));
    let sample = file(sample, "/", " ".repeat(50));
    let sample = file(sample, "/w", "ä".repeat(5));
    let sample = file(sample, "/w/sub", "x");
    let effective = codex(sample, 9);
    assert!(
        effective
            .text
            .ends_with("---\n\nääää\u{fffd}\n</INSTRUCTIONS>")
    );
    assert_eq!(
        shown(&effective),
        [
            "/home/ada/.codex/AGENTS.md 100",
            "/w/AGENTS.md 11 @9",
            "//AGENTS.md: it is blank",
            "/w/sub/AGENTS.md: the 9 bytes are used up by the files above",
        ]
    );
}

#[test]
fn what_is_blank_up_to_the_cut_gives_and_counts_nothing() {
    let sample = file(Sample::default(), "/w", "\n\n\n\n# Rules");
    let effective = codex(file(sample, "/w/sub", "x"), 4);
    assert_eq!(
        shown(&effective),
        [
            "/w/sub/AGENTS.md 1",
            "/w/AGENTS.md: it is blank up to byte 4, where Codex cuts it",
        ]
    );
}

#[test]
fn a_file_that_ctxpin_leaves_out_takes_its_part_of_the_limit() {
    let sample = file(Sample::default(), HOME, "h".repeat(100));
    let sample = file(sample, "/", "top");
    let mut sample = file(sample, "/w", "x");
    let resources = &mut sample.snapshot.resources;
    let reason = "the tool gives it to its model, but it has 9 bytes; at most 8 are allowed";
    for resource in &mut resources[..2] {
        resource.size = 9;
        resource.demote(Status::Oversize, reason);
    }
    let sample = file(sample, "/w/sub", "yy");
    assert_eq!(
        shown(&codex(sample, 11)),
        [
            "/w/AGENTS.md 1".to_owned(),
            "/w/sub/AGENTS.md 1 @1".to_owned(),
            format!("/home/ada/.codex/AGENTS.md: {reason}"),
            format!("//AGENTS.md: {reason}"),
        ]
    );
}

#[test]
fn codex_names_no_directory_without_a_file_of_the_project() {
    let sample = file(Sample::default(), HOME, "mine");
    let sample = file(sample, "/w", "top");
    assert_eq!(
        codex(sample, 0).text,
        "# AGENTS.md instructions\n\n<INSTRUCTIONS>\nmine\n</INSTRUCTIONS>"
    );
    assert_eq!(codex(Sample::default(), 0).text, "");
}

#[test]
fn codex_lists_the_projects_skills_by_name_before_the_persons() {
    let sample = Sample::default().skill("mine", "Mine.").skill("b", "B.");
    let mut sample = sample.skill("a", "A.");
    let roots = ["/home/ada/.agents", "/w", "/w/sub"];
    for (resource, root) in sample.snapshot.resources.iter_mut().zip(roots) {
        resource.root = Some(root.to_owned());
    }
    let mut refused = Resource::new(Kind::Skill, "/w/SKILL.md", Status::Ok);
    refused.demote(Status::Invalid, "no description");
    let effective = codex(sample.with(refused), 9);
    assert_eq!(
        shown(&effective),
        [
            "/srv/.agents/skills/a/SKILL.md 3",
            "/srv/.agents/skills/b/SKILL.md 3",
            "/srv/.agents/skills/mine/SKILL.md 9",
            "/w/SKILL.md: no description",
        ]
    );
}

#[test]
fn the_neutral_profile_gives_the_prompt() {
    let sample = Sample::default()
        .file("/w/AGENTS.md", "Be kind.\n<!-- hidden -->\n")
        .file("/w/CLAUDE.md", "<!-- nothing else -->")
        .skill("a", "A.");
    let effective = effective(&sample.snapshot, &sample.bodies);
    assert_eq!(effective.text, sample.prompt());
    assert_eq!(
        shown(&effective),
        [
            "/w/AGENTS.md 8",
            "/srv/.agents/skills/a/SKILL.md 3",
            "/w/CLAUDE.md: nothing in it is for a model",
        ]
    );
}

fn opencode(sample: Sample) -> Effective {
    let sample = by_opencode(sample);
    effective(&sample.snapshot, &sample.bodies)
}

fn by_opencode(mut sample: Sample) -> Sample {
    sample.snapshot.facts.rules = Some(Rules {
        version: 1,
        settings: Settings::Opencode(OpencodeSettings::defaults("/home/ada/.config/opencode")),
    });
    sample
}

#[test]
fn opencode_gives_the_bytes_of_each_file_behind_its_path() {
    let sample = file(Sample::default(), "/w/sub", "\u{feff}\u{feff}near\r\n\n");
    let sample = file(sample, "/w", " \n");
    let sample = file(sample, "/", "\u{feff}");
    let effective = opencode(file(sample, "/home/ada", "last"));
    assert_eq!(
        effective.text,
        "Instructions from: /w/sub/AGENTS.md\n\u{feff}near\r\n\n\nInstructions from: /w/AGENTS.md\n \n\n\
         Instructions from: /home/ada/AGENTS.md\nlast"
    );
    assert_eq!(
        shown(&effective),
        [
            "/w/sub/AGENTS.md 10",
            "/w/AGENTS.md 2",
            "/home/ada/AGENTS.md 4",
            "//AGENTS.md: it is empty",
        ]
    );
}

#[test]
fn opencode_gives_the_files_on_the_way_to_a_file_that_it_reads() {
    let mut sample = by_opencode(file(Sample::default(), "/w/a", "outer\n"));
    sample = file(sample, "/w/a/b", "\u{feff}inner\r\n");
    sample = file(sample, "/w/a/b/c", "");
    sample = file(sample, "/w/a/bc", "beside");
    for resource in &mut sample.snapshot.resources {
        resource.applies = Some(Applies::to(resource.root.clone().unwrap(), Vec::new()));
    }
    let given = |path: &str| {
        let given = on_demand(&sample.snapshot, &sample.bodies, path).into_iter();
        given.map(|given| given.text).collect::<Vec<_>>()
    };
    check_delivered_on_demand(
        &sample,
        &[
            "Instructions from: /w/a/bc/AGENTS.md\nbeside\n",
            "Instructions from: /w/a/b/AGENTS.md\ninner\n",
            "Instructions from: /w/a/AGENTS.md\nouter\n",
        ],
    );
    let outer = "Instructions from: /w/a/AGENTS.md\nouter\n";
    let inner = "Instructions from: /w/a/b/AGENTS.md\ninner\r\n";
    assert_eq!(given("/w/a/b/c/x.rs"), [inner, outer]);
    assert_eq!(given("/w/a/b/AGENTS.md"), [outer]);
    assert_eq!(given("/w/x.rs"), [""; 0]);
    assert_eq!(
        shown(&effective(&sample.snapshot, &sample.bodies)),
        [
            "/w/a/AGENTS.md: on demand, with a file below /w/a",
            "/w/a/b/AGENTS.md: on demand, with a file below /w/a/b",
            "/w/a/b/c/AGENTS.md: it is empty",
            "/w/a/bc/AGENTS.md: on demand, with a file below /w/a/bc",
        ]
    );
}

/// Checks the texts for a model of all files that come with others.
#[track_caller]
fn check_delivered_on_demand(sample: &Sample, expected: &[&str]) {
    let files = conditional(&sample.snapshot).into_iter();
    let texts = files.filter_map(|file| {
        let body = &sample.bodies[&file.body().unwrap()];
        delivered_on_demand(&sample.snapshot, file, body, Renderer::CURRENT)
    });
    assert_eq!(texts.collect::<Vec<_>>(), expected);
}

#[test]
fn a_pin_delivers_opencodes_files_sanitised_and_its_skills() {
    let sample = file(
        Sample::default(),
        "/w/sub",
        "\u{feff}near <!-- hidden -->rule\r\n",
    );
    let sample = file(sample, "/w", "<!-- all -->");
    let sample = file(sample, "/home/ada", "last\u{200b}\n");
    let mut sample = file(sample, "/w/below", "below");
    sample.snapshot.resources.last_mut().unwrap().applies =
        Some(Applies::to("/w/below", Vec::new()));
    let sample = by_opencode(sample.skill("b", "B.").skill("a", "A."));
    let text = delivered(&sample.snapshot, &sample.bodies);
    let (files, skills) = text.split_once("\n\n<available-skills>\n").unwrap();
    assert_eq!(
        files,
        "Instructions from: /w/sub/AGENTS.md\nnear rule\n\
         Instructions from: /home/ada/AGENTS.md\nlast"
    );
    assert!(
        skills.ends_with("\n\n- a: A.\n- b: B.\n</available-skills>\n"),
        "{skills}"
    );
    let empty = by_opencode(Sample::default());
    assert_eq!(delivered(&empty.snapshot, &empty.bodies), "");
}

#[test]
fn opencode_lists_skills_by_name() {
    let sample = Sample::default().skill("b", "B.").skill("a", "A.");
    let sources: Vec<_> = opencode(sample).given.into_iter().collect();
    let names = sources.iter().map(|given| given.source.rsplit('/').nth(1));
    assert_eq!(names.collect::<Vec<_>>(), [Some("a"), Some("b")]);
}

#[test]
fn opencode_lists_no_skill_that_its_permissions_deny() {
    let skills = ["in-one", "in-two", "out"];
    let sample = skills.iter().fold(Sample::default(), |sample, name| {
        sample.skill(name, "Does it.")
    });
    let mut sample = by_opencode(sample);
    let permission = |pattern: &str, is_denied| SkillPermission {
        pattern: pattern.into(),
        is_denied,
    };
    let settings = OpencodeSettings {
        skill_permissions: vec![permission("in-*", true), permission("in-two", false)],
        ..OpencodeSettings::defaults("/home/ada/.config/opencode")
    };
    sample.snapshot.facts.rules = Some(Rules {
        version: 1,
        settings: Settings::Opencode(settings),
    });
    let (snapshot, bodies) = (&sample.snapshot, &sample.bodies);
    let effective = effective(snapshot, bodies);
    let given = effective
        .given
        .iter()
        .map(|given| given.source.rsplit('/').nth(1));
    assert_eq!(given.collect::<Vec<_>>(), [Some("in-two"), Some("out")]);
    let reasons = effective.left_out.iter().map(|file| &*file.reason);
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        ["`permission` keeps it out of the list"]
    );
    let delivered = delivered(snapshot, bodies);
    assert!(
        !delivered.contains("- in-one") && delivered.contains("- in-two: "),
        "{delivered}"
    );
}

/// Checks the prompt of a pin of two files, between the ends of Codex's message.
fn check_delivered(top: &str, bottom: &str, bytes_max: u64, expected: &str) {
    let sample = file(Sample::default(), HOME, "mine");
    let sample = file(file(sample, "/w", top), "/w/sub", bottom);
    let sample = with_settings(sample, bytes_max);
    let prompt = delivered(&sample.snapshot, &sample.bodies);
    let expected = match expected {
        "" => String::new(),
        files => format!(
            "# AGENTS.md instructions for /w/sub\n\n<INSTRUCTIONS>\n{files}\n</INSTRUCTIONS>\n"
        ),
    };
    assert_eq!(prompt, expected, "{top:?} {bottom:?} {bytes_max}");
}

#[test]
fn a_delivered_text_is_sanitised_and_lacks_the_file_of_the_home() {
    check_delivered("top\r\n", "bottom\n", 99, "top\n\nbottom");
    check_delivered("a <!-- hidden -->b", "<!-- all -->", 99, "a b");
    check_delivered("<!-- all -->", " ", 99, "");
    check_delivered(
        "</INSTRUCTIONS>",
        "< instructionS x",
        99,
        "&lt;/INSTRUCTIONS>\n\n&lt; instructionS x",
    );
}

#[test]
fn a_delivered_text_is_cut_where_codex_cuts_it() {
    check_delivered("1234", "567", 6, "1234\n\n56");
    check_delivered("1234", "567", 4, "1234");
    // The cut is within a comment, of which nothing is shown.
    check_delivered("12<!-- hidden -->34", "5", 9, "12");
    // Half a character is none.
    check_delivered("1\u{e9}", "2", 2, "1");
    check_delivered("1234", "5", 0, "");
}

/// Returns the forms as `source: given | delivered @cut`.
fn shown_forms(forms: &[Forms<'_>]) -> Vec<String> {
    let forms = forms.iter().map(|forms| {
        let cut = forms.cut_at.map(|cut| format!(" @{cut}"));
        let (source, cut) = (&forms.resource.source, cut.unwrap_or_default());
        format!("{source}: {:?} | {:?}{cut}", forms.given, forms.delivered)
    });
    forms.collect()
}

#[test]
fn each_file_has_the_form_of_the_tool_and_the_one_of_the_prompt() {
    let sample = file(Sample::default(), HOME, "  mine <!-- x --> \n");
    let sample = file(sample, "/w", "top\n<!-- x -->\n");
    let sample = file(sample, "/w/sub", "below\n");
    let sample = with_settings(sample.skill("deploy", "Deploys"), 20);
    assert_eq!(
        shown_forms(&forms(&sample.snapshot, &sample.bodies)),
        [
            "/home/ada/.codex/AGENTS.md: \"mine <!-- x -->\" | \"\"",
            "/w/AGENTS.md: \"top\\n<!-- x -->\\n\" | \"top\"",
            "/w/sub/AGENTS.md: \"below\" | \"below\" @5",
            "/srv/.agents/skills/deploy/SKILL.md: \"---\\nname: deploy\\ndescription: Deploys\\n---\" | \
             \"---\\nname: deploy\\ndescription: Deploys\\n---\\n\"",
        ]
    );
    let mut sample = Sample::default().file("/w/AGENTS.md", "\u{feff}top\n<!-- x -->\n");
    assert_eq!(
        shown_forms(&forms(&sample.snapshot, &sample.bodies)),
        ["/w/AGENTS.md: \"top\" | \"top\""]
    );
    sample.snapshot.facts.rules = Some(Rules::newest(Settings::Opencode(
        OpencodeSettings::defaults("/home/ada/.config/opencode"),
    )));
    assert_eq!(
        shown_forms(&forms(&sample.snapshot, &sample.bodies)),
        ["/w/AGENTS.md: \"top\\n<!-- x -->\\n\" | \"top\""]
    );
}

#[test]
fn opencode_gives_a_used_skill_without_frontmatter() {
    let check = |text: &str, expected: &str| {
        let mut sample = Sample::default().skill_of("deploy", text);
        sample.snapshot.facts.rules = Some(Rules::newest(Settings::Opencode(
            OpencodeSettings::defaults("/home/ada/.config/opencode"),
        )));
        let forms = forms(&sample.snapshot, &sample.bodies);
        assert_eq!(forms[0].given, expected, "{text:?}");
    };
    check(
        "---\nname: a\ndescription: b --- c\n---\n\n# Body\n---\nmore\n",
        "# Body\n---\nmore",
    );
    check("\u{feff}---\r\nname: a\r\n---\r\nBody\r\n", "Body");
    check("---\nname: a\n", "");
    check("----\nBody", "----\nBody");
    check(" Body ", "Body");
}

#[test]
fn each_list_of_skills_has_a_form_for_descriptions() {
    // Each was seen in the list of Claude Code 2.1.332, Codex 0.171.0 or opencode 1.18.33.
    let written = "two  blanks\ttab &lt;x>\n\nand  a line\n";
    let check = |settings: Option<Settings>, expected: &str| {
        let mut sample = Sample::default().skill("deploy", written);
        sample.snapshot.facts.rules = settings.map(Rules::newest);
        let skill = sample.snapshot.skills().next().unwrap();
        let own = "two  blanks tab &lt;x>  and  a line";
        assert_eq!(
            descriptions(&sample.snapshot, &sample.bodies, skill),
            [expected, own]
        );
    };
    check(None, "two  blanks tab &lt;x>  and  a line");
    check(
        Some(Settings::ClaudeCode(ClaudeCodeSettings::defaults(
            "/home/ada",
        ))),
        "two  blanks tab &lt;x&gt; and  a line",
    );
    check(
        Some(Settings::Codex(CodexSettings::defaults("/home/ada"))),
        "two blanks tab &lt;x> and a line",
    );
    check(
        Some(Settings::Opencode(OpencodeSettings::defaults("/home/ada"))),
        written,
    );
}
