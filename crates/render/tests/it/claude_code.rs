//! What Claude Code gives its model of a snapshot. Each text was seen in a request of Claude Code 2.1.332.

use ctxpin_model::profile::{ClaudeCodeSettings, Rules, Settings, SkillListing};
use ctxpin_model::resource::{Also, Applies, Kind, Resource, Status};
use ctxpin_render::profile::{
    Effective, conditional, delivered, delivered_on_demand, descriptions, effective, forms,
    on_demand,
};
use ctxpin_render::renderer::Renderer;

use crate::sample::Sample;

const HOME: &str = "/home/ada/.claude";

/// Adds a file of a directory, and changes its resource.
fn file(
    sample: Sample,
    (root, source): (&str, &str),
    body: &str,
    change: impl FnOnce(&mut Resource),
) -> Sample {
    let mut sample = sample.file(source, body);
    let last = sample.snapshot.resources.last_mut().unwrap();
    last.root = Some(root.to_owned());
    change(last);
    sample
}

fn ruled(sample: Sample) -> Sample {
    read_by(sample, ClaudeCodeSettings::defaults(HOME))
}

fn read_by(sample: Sample, settings: ClaudeCodeSettings) -> Sample {
    let mut sample = sample.facts(Some("linux"), Some("/w"));
    sample.snapshot.facts.rules = Some(Rules {
        version: 1,
        settings: Settings::ClaudeCode(settings),
    });
    sample
}

fn claude_code(sample: Sample) -> Effective {
    let sample = ruled(sample);
    effective(&sample.snapshot, &sample.bodies)
}

#[test]
fn each_file_is_a_block_with_its_owner() {
    let sample = Sample::default();
    let sample = file(
        sample,
        (HOME, "/home/ada/.claude/CLAUDE.md"),
        "  mine \n",
        |_| {},
    );
    let sample = file(sample, (HOME, "/home/ada/notes.md"), "notes", |file| {
        file.imported_by = Some("/home/ada/.claude/CLAUDE.md".into());
    });
    let text = "\u{feff}---\ntitle: x\n---\n\n# Top\r\n";
    let sample = file(sample, ("/w", "/w/CLAUDE.md"), text, |_| {});
    let sample = file(
        sample,
        ("/w", "/w/CLAUDE.local.md"),
        "a\r\n<!-- x -->\r\nb",
        |_| {},
    );
    let sample = file(sample, ("/w", "/w/a.md"), "imported", |file| {
        file.imported_by = Some("/w/CLAUDE.local.md".into());
    });
    let effective = claude_code(sample);
    assert_eq!(
        effective.text,
        "Codebase and user instructions are shown below. Be sure to adhere to these instructions. IMPORTANT: \
         These instructions OVERRIDE any default behavior and you MUST follow them exactly as written.\n\n\
         Contents of /home/ada/.claude/CLAUDE.md (user's private global instructions for all projects):\n\n\
         mine\n\n\
         Contents of /home/ada/notes.md (user's private global instructions for all projects):\n\n\
         notes\n\n\
         Contents of /w/CLAUDE.md (project instructions, checked into the codebase):\n\n\
         # Top\n\n\
         Contents of /w/CLAUDE.local.md (user's private project instructions, not checked in):\n\n\
         a\nb\n\n\
         Contents of /w/a.md (user's private project instructions, not checked in):\n\n\
         imported"
    );
    let bytes: Vec<_> = effective.given.iter().map(|given| given.bytes).collect();
    assert_eq!(bytes, [4, 5, 5, 3, 8]);
}

#[test]
fn a_file_of_many_directories_says_when_it_comes() {
    let also = |number: usize| Also {
        below: format!("/w/{number}"),
        globs: vec!["*.ts".into(); number % 2],
        behind: None,
    };
    let check = |count, expected: &str| {
        let sample = Sample::default();
        let sample = file(sample, ("/w", "/w/a.md"), "text", |file| {
            let mut applies = Applies::to("/w/a", Vec::new());
            applies.also = (0..count).map(also).collect();
            file.applies = Some(applies);
        });
        let sample = ruled(sample);
        let effective = effective(&sample.snapshot, &sample.bodies);
        assert_eq!(effective.left_out[0].reason, expected);
    };
    check(
        2,
        "on demand, with a file below /w/a, or below /w/0, or below /w/1 that matches *.ts",
    );
    check(
        5,
        "on demand, with a file below /w/a, or below /w/0, or below /w/1 that matches *.ts, or below 3 more",
    );
}

#[test]
fn a_blank_file_and_a_rule_for_some_files_are_left_out() {
    let sample = Sample::default();
    let sample = file(sample, ("/w", "/w/CLAUDE.md"), "<!-- x -->\n", |_| {});
    let sample = file(sample, ("/w", "/w/.claude/rules/a.md"), " rule\n", |file| {
        file.applies = Some(Applies::to("/w", vec!["src".into(), "*.rs".into()]));
    });
    let sample = file(sample, ("/w/api", "/w/api/CLAUDE.md"), "api", |file| {
        file.applies = Some(Applies::to("/w/api", Vec::new()));
    });
    let sample = ruled(sample);
    let given = |path| {
        let given = on_demand(&sample.snapshot, &sample.bodies, path).into_iter();
        given.map(|given| given.text).collect::<Vec<_>>()
    };
    let files = conditional(&sample.snapshot).into_iter();
    let texts = files.filter_map(|file| {
        let body = &sample.bodies[&file.body().unwrap()];
        delivered_on_demand(&sample.snapshot, file, body, Renderer::CURRENT)
    });
    assert_eq!(
        texts.collect::<Vec<_>>(),
        [
            "Contents of /w/.claude/rules/a.md:\n\nrule\n",
            "Contents of /w/api/CLAUDE.md:\n\napi\n",
        ]
    );
    let rule = "Contents of /w/.claude/rules/a.md:\n\n rule\n";
    let api = "Contents of /w/api/CLAUDE.md:\n\napi";
    assert_eq!(given("/w/main.py"), [""; 0]);
    assert_eq!(given("/w/main.rs"), [rule]);
    assert_eq!(given("/w/api/src/x.py"), [rule, api]);
    assert_eq!(given("/w/api/CLAUDE.md"), [""; 0]);
    let effective = effective(&sample.snapshot, &sample.bodies);
    assert_eq!(effective.text, "");
    let reasons: Vec<_> = effective
        .left_out
        .iter()
        .map(|left_out| format!("{}: {}", left_out.source, left_out.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            "/w/CLAUDE.md: nothing in it is for the model",
            "/w/.claude/rules/a.md: on demand, with a file below /w that matches src, *.rs",
            "/w/api/CLAUDE.md: on demand, with a file below /w/api",
        ]
    );
}

#[test]
fn of_the_agents_md_that_come_with_one_file_the_last_are_cut() {
    // Each was seen in a request of Claude Code 2.1.332, whose home and working directory had paths of this length.
    let lengths = |sizes: &[usize]| {
        let mut sample = Sample::default();
        let mut directory = "/dev/shm/b-q5/p".to_owned();
        for (number, size) in sizes.iter().enumerate() {
            directory += &format!("/d{number}");
            let source = format!("{directory}/AGENTS.md");
            let body = "x".repeat(size - format!("Contents of {source}:\n\n").len());
            let below = directory.clone();
            sample = file(sample, (&directory, &source), &body, |file| {
                file.applies = Some(Applies::to(below, Vec::new()));
            });
        }
        let settings = ClaudeCodeSettings::defaults("/dev/shm/b-q5/home/.claude");
        let mut sample = read_by(sample, settings);
        sample.snapshot.facts.directory = Some("/dev/shm/b-q5/p".to_owned());
        let path = format!("{directory}/x.txt");
        let given = on_demand(&sample.snapshot, &sample.bodies, &path).into_iter();
        given.map(|given| given.text.len()).collect::<Vec<_>>()
    };
    let check = |sizes: &[usize], expected: &[usize]| assert_eq!(lengths(sizes), expected);
    check(&[100_000, 100_000], &[100_000, 100_000]);
    check(&[70_000, 60_000, 70_000], &[70_000, 60_000, 70_000]);
    check(&[70_000, 60_000, 70_001], &[70_000, 60_000, 2_000]);
    check(
        &[90_000, 90_000, 90_000, 5_000],
        &[90_000, 90_000, 2_000, 5_000],
    );
    // What is shown of a long one counts with the words around it.
    check(
        &[110_000, 60_000, 60_000, 77_676],
        &[2_000, 60_000, 60_000, 77_676],
    );
    check(
        &[110_000, 60_000, 60_000, 77_677],
        &[2_000, 60_000, 60_000, 2_000],
    );
}

#[test]
fn of_a_long_agents_md_below_only_the_beginning_is_shown() {
    let begins = "Contents of /w/api/AGENTS.md:\n\n";
    let below = |file: &mut Resource| file.applies = Some(Applies::to("/w/api", Vec::new()));
    let given = |root: &str, source: &str, body: &str| {
        let sample = ruled(file(Sample::default(), (root, source), body, below));
        let [given] = &on_demand(&sample.snapshot, &sample.bodies, "/w/api/x.rs")[..] else {
            panic!("one file comes");
        };
        let forms = forms(&sample.snapshot, &sample.bodies);
        let left_out = &effective(&sample.snapshot, &sample.bodies).left_out[0];
        let shown = given.text.len() - begins.len() - source.len() + "/w/api/AGENTS.md".len();
        assert_eq!(left_out.on_demand_bytes, Some(shown as u64));
        assert_eq!(
            forms[0].cut_at.is_some(),
            left_out.reason.contains("beginning")
        );
        (given.text.clone(), forms[0].cut_at)
    };
    let agents_md = |body: &str| given("/w/api", "/w/api/AGENTS.md", body);
    let room = 100_000 - begins.len();

    // Code units count: those of an emoji are two, and its bytes four.
    for whole in [
        "x".repeat(room),
        "é".repeat(room),
        "\u{1f600}".repeat(room / 2),
    ] {
        assert_eq!(agents_md(&whole), (format!("{begins}{whole}"), None));
    }
    let kept = 2_000 - begins.len();
    assert_eq!(
        agents_md(&"x".repeat(room + 1)),
        (format!("{begins}{}", "x".repeat(kept)), Some(kept as u64))
    );
    // The beginning ends with a line if one ends in its second half.
    let first = "x".repeat(1_001 - begins.len());
    let long = format!("{first}\n{}", "y".repeat(100_000));
    assert_eq!(
        agents_md(&long),
        (format!("{begins}{first}"), Some(first.len() as u64))
    );
    let long = long.replacen('x', "", 1);
    assert_eq!(agents_md(&long).1, Some(kept as u64));
    let titled = format!("---\ntitle: x\n---\n{}", "x".repeat(room + 1));
    assert_eq!(agents_md(&titled).1, Some(17 + kept as u64));

    // Of another file come the lines that fit.
    let rule = |body: &str| {
        let source = "/w/api/.claude/r/AGENTS.md";
        let (text, cut_at) = given("/w/api", source, body);
        let begins = format!("Contents of {source}:\n\n");
        (text.strip_prefix(&begins).unwrap().to_owned(), cut_at)
    };
    let whole = "x".repeat(150_000);
    for whole in [&whole, &format!("{whole}\n")] {
        assert_eq!(rule(whole), (whole.clone(), None));
    }
    assert_eq!(rule(&(whole.clone() + "x")), (whole.clone(), Some(150_000)));
    let lines = |count: usize| format!("{}\n", "y".repeat(99)).repeat(count);
    let shown = lines(1_500);
    let shown = shown.trim_end();
    assert_eq!(
        rule(&(lines(1_500) + "w")),
        (shown.to_owned(), Some(149_999))
    );
    let blank = format!("\n\n  {}\n{}", lines(1_000), "x".repeat(150_000));
    let shown = format!("{}\n", lines(1_000).trim_end());
    assert_eq!(rule(&blank), (shown, Some(100_004)));
    let full = lines(1_499) + &"z".repeat(100);
    assert_eq!(rule(&(full.clone() + "\nw")), (full, Some(150_000)));
    let emoji = format!("{}\n", "\u{1f600}".repeat(49)).repeat(4_000);
    assert_eq!(rule(&emoji).0.lines().count(), 1_515);
}

#[test]
fn what_a_long_agents_md_below_imports_is_cut_too() {
    let below = |file: &mut Resource| file.applies = Some(Applies::to("/w/api", Vec::new()));
    let cuts = |top: &str| {
        let sample = file(Sample::default(), ("/w/api", top), "@a.md", below);
        let sample = file(
            sample,
            ("/w/api", "/w/api/a.md"),
            &"x".repeat(100_000),
            |file| {
                below(file);
                file.imported_by = Some(top.to_owned());
            },
        );
        let sample = ruled(sample);
        let forms = forms(&sample.snapshot, &sample.bodies);
        forms
            .iter()
            .map(|forms| forms.cut_at.is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(cuts("/w/api/.claude/AGENTS.md"), [false, true]);
    assert_eq!(cuts("/w/api/CLAUDE.md"), [false, false]);
}

#[test]
fn a_skill_below_comes_with_the_files_of_its_directory() {
    let mut sample = Sample::default();
    for name in ["top", "hidden", "for-files"] {
        let line = match name {
            "hidden" => "disable-model-invocation: true\n",
            "for-files" => "paths: \"*.py\"\n",
            _ => "",
        };
        let body = format!("---\nname: {name}\ndescription: Does {name}.\n{line}---\nbody");
        sample = with_skill(sample, name, &body);
    }
    let below = [
        ("p", "top", ""),
        ("p", "hidden", ""),
        ("p", "for-files", ""),
        ("p", "own", "when_to_use: When <asked>.\n"),
        ("p/q", "own", "paths: \"*.py\"\n"),
        ("p/q", "Other", ""),
        ("p/q", "short", ""),
        ("p/q", "off", ""),
        ("p/q", "never", "disable-model-invocation: true\n"),
        ("p/q", "long", ""),
        ("r", "own", ""),
    ];
    for (directory, name, line) in below {
        let does = match name {
            "long" => "w".repeat(1_600),
            _ => format!("Does {name}."),
        };
        let own = match name {
            "Other" => "another",
            _ => name,
        };
        let body = format!("---\nname: {own}\ndescription: {does}\n{line}---\nbody");
        sample = sample.skill(name, directory);
        let skill = sample.snapshot.resources.last_mut().unwrap();
        sample
            .bodies
            .insert(skill.body().unwrap(), body.as_bytes().into());
        skill.source = format!("/w/{directory}/.claude/skills/{name}/SKILL.md");
        skill.root = Some(format!("/w/{directory}"));
        skill.name = Some(format!("{directory}:{own}"));
        skill.description = Some(does);
        skill.applies = Some(Applies::to(format!("/w/{directory}"), Vec::new()));
    }
    // Claude Code has it in its list, and ctxpin cannot use it.
    let source = "/w/.claude/skills/short/SKILL.md";
    let unused = Resource::new(Kind::Skill, source, Status::Invalid);
    sample.snapshot.resources.insert(0, unused);
    // This one is too large for Claude Code.
    let source = "/w/.claude/skills/for-files/SKILL.md";
    let mut passed_over = Resource::new(Kind::Skill, source, Status::Excluded);
    passed_over.size = 1_000_001;
    sample.snapshot.resources.insert(0, passed_over);
    let listings = [
        ("off", SkillListing::Off),
        ("p/q:short", SkillListing::NameOnly),
    ];
    let listings = listings.map(|(name, listing)| (name.to_owned(), listing));
    let settings = ClaudeCodeSettings {
        skill_listings: listings.into(),
        ..ClaudeCodeSettings::defaults(HOME)
    };
    let sample = read_by(sample, settings);
    let given = |path: &str| {
        let given = on_demand(&sample.snapshot, &sample.bodies, path).into_iter();
        given.map(|given| given.text).collect::<Vec<_>>()
    };
    let of_p = "applies when working on files under p/)";
    let instead = |name: &str| {
        format!(
            "(scoped to p/ — use this instead of the unscoped \"{name}\" skill when the files being changed are under p/)"
        )
    };
    assert_eq!(
        given("/w/p/a.rs"),
        [
            format!("- for-files: Does for-files. (from p/.claude/skills — {of_p}"),
            format!("- p:hidden: Does hidden. {}", instead("hidden")),
            format!("- own: Does own. (from p/.claude/skills — {of_p} - When &lt;asked&gt;."),
            format!("- p:top: Does top. {}", instead("top")),
        ]
    );
    let of_q = "(from p/q/.claude/skills — applies when working on files under p/q/)";
    let of_both = given("/w/p/q/a.rs");
    let lines: Vec<_> = of_both
        .iter()
        .map(|line| line.chars().take(99).collect::<String>())
        .collect();
    assert_eq!(
        lines[2..],
        [
            format!("- long: {}", "w".repeat(91)),
            format!("- Other (another): Does Other. {of_q}"),
            format!("- p:own: Does own. (from p/.claude/skills — {of_p} - When &lt;asked&gt;."),
            format!("- p/q:own: Does own. {of_q}"),
            "- p/q:short".to_owned(),
            format!("- p:top: Does top. {}", instead("top")),
        ]
        .map(|line| line.chars().take(99).collect::<String>())
    );
    assert_eq!(of_both[2].encode_utf16().count(), "- long: ".len() + 1_536);
    assert!(of_both[2].ends_with("w…"));

    let files = conditional(&sample.snapshot).into_iter();
    let lines = files.filter_map(|file| {
        let body = &sample.bodies[&file.body().unwrap()];
        delivered_on_demand(&sample.snapshot, file, body, Renderer::CURRENT)
    });
    let lines: Vec<_> = lines.filter(|line| line.len() < 99).collect();
    assert_eq!(
        lines,
        [
            "- p:for-files: Does for-files.",
            "- p:hidden: Does hidden.",
            "- p/q:another: Does Other.",
            "- p:own: Does own. - When <asked>.",
            "- p/q:own: Does own.",
            "- r:own: Does own.",
            "- p/q:short",
            "- p:top: Does top.",
        ]
    );
    let effective = effective(&sample.snapshot, &sample.bodies);
    let listed: Vec<_> = effective
        .given
        .iter()
        .map(|given| given.source.as_str())
        .collect();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let reason = &effective.left_out.last().unwrap().reason;
    assert_eq!(
        reason,
        "it is listed after Claude Code read a file below /w/r"
    );
    let prompt = delivered(&sample.snapshot, &sample.bodies);
    assert!(
        prompt.contains("- top: ") && !prompt.contains("p:top"),
        "{prompt}"
    );
}

#[test]
fn settings_list_a_skill_by_its_name_alone_or_not_at_all() {
    let mut sample = Sample::default();
    for name in ["off", "own", "short", "whole"] {
        let body = format!("---\nname: {name}\ndescription: Does {name}.\n---\nbody");
        sample = with_skill(sample, name, &body);
    }
    let listings = [
        ("off", SkillListing::Off),
        ("own", SkillListing::UserInvocableOnly),
        ("short", SkillListing::NameOnly),
        ("absent", SkillListing::Off),
    ];
    let listings = listings.map(|(name, listing)| (name.to_owned(), listing));
    let settings = ClaudeCodeSettings {
        skill_listings: listings.into(),
        ..ClaudeCodeSettings::defaults(HOME)
    };
    let sample = read_by(sample, settings);
    let (snapshot, bodies) = (&sample.snapshot, &sample.bodies);
    let effective = effective(snapshot, bodies);
    let given = effective.given.iter();
    let given = given.map(|given| (given.source.rsplit('/').nth(1), given.bytes));
    let whole = "wholeDoes a thing".len() as u64;
    assert_eq!(
        given.collect::<Vec<_>>(),
        [
            (Some("short"), "short".len() as u64),
            (Some("whole"), whole)
        ]
    );
    let reasons = effective.left_out.iter().map(|file| &*file.reason);
    let reason = "`skillOverrides` keeps it out of the list";
    assert_eq!(reasons.collect::<Vec<_>>(), [reason; 2]);
    let delivered = delivered(snapshot, bodies);
    assert!(
        delivered.contains("\n- short\n- whole: Does a thing"),
        "{delivered}"
    );
    let short = snapshot
        .skills()
        .find(|skill| skill.name.as_deref() == Some("short"));
    assert_eq!(descriptions(snapshot, bodies, short.unwrap()), ["", ""]);
}

#[test]
fn the_list_has_the_persons_skills_first() {
    let add = |sample: Sample, root: &str, name: &str, flag: &str| {
        let body = format!("---\nname: {name}\ndescription: Does {name}\n{flag}---\nbody");
        let source = format!("{root}/skills/{name}/SKILL.md");
        file(sample, (root, &source), &body, |skill| {
            skill.kind = Kind::Skill
        })
    };
    let sample = add(Sample::default(), "/w", "top", "");
    let sample = add(sample, "/w/sub", "near", "");
    let sample = add(
        sample,
        "/w/sub",
        "hidden",
        "disable-model-invocation: true\n",
    );
    let sample = add(sample, HOME, "mine", "");
    let effective = claude_code(sample);
    let given = effective.given.iter().map(|given| given.source.as_str());
    assert_eq!(
        given.collect::<Vec<_>>(),
        [
            "/home/ada/.claude/skills/mine/SKILL.md",
            "/w/sub/skills/near/SKILL.md",
            "/w/skills/top/SKILL.md",
        ]
    );
    assert_eq!(effective.left_out.len(), 1);
}

#[test]
fn a_pin_delivers_what_every_request_holds() {
    let sample = Sample::default();
    let text = "---\ntitle: x\n---\nTop <!-- hidden --> rule\u{200b}.\n";
    let sample = file(sample, ("/w", "/w/CLAUDE.md"), text, |_| {});
    let sample = file(sample, ("/w", "/w/rule.md"), "for some", |file| {
        file.applies = Some(Applies::to("/w", vec!["*.rs".into()]));
    });
    let sample = ruled(sample);
    let text = delivered(&sample.snapshot, &sample.bodies);
    let begin = "Contents of /w/CLAUDE.md (project instructions, checked into the codebase):\n\n";
    let (_, content) = text.split_once(begin).unwrap();
    assert_eq!(content, "Top  rule.\n");
    assert_eq!(
        delivered(&ruled(Sample::default()).snapshot, &sample.bodies),
        ""
    );
}

#[test]
fn a_skill_is_used_without_its_frontmatter() {
    let text = "---\npaths: src/**\n---\n\n# Top <!-- x -->\n";
    let sample = file(Sample::default(), ("/w", "/w/rule.md"), text, |_| {});
    let mut sample = ruled(sample.skill("deploy", "Deploys"));
    let skill = b"---\nname: deploy\n---\n\n# Deploy\n\n";
    let hash = sample.snapshot.resources[1].body().unwrap();
    sample.bodies.insert(hash, skill.as_slice().into());
    let forms = forms(&sample.snapshot, &sample.bodies);
    let forms = forms.iter();
    let forms: Vec<_> = forms
        .map(|forms| [&forms.given, &forms.delivered])
        .collect();
    assert_eq!(
        forms,
        [
            ["# Top <!-- x -->", "# Top"],
            ["# Deploy", "---\nname: deploy\n---\n\n# Deploy\n\n"]
        ]
    );
}

#[test]
fn the_list_says_when_to_use_a_skill() {
    let mut sample = ruled(Sample::default().skill("deploy", "Does a thing"));
    let skill = b"---\nname: deploy\nwhen_to_use: \"asked <x>\\tto\"\n---\n";
    let hash = sample.snapshot.resources[0].body().unwrap();
    sample.bodies.insert(hash, skill.as_slice().into());
    let listed = descriptions(
        &sample.snapshot,
        &sample.bodies,
        &sample.snapshot.resources[0],
    );
    assert_eq!(
        listed,
        [
            "Does a thing - asked &lt;x&gt; to",
            "Does a thing - asked <x> to"
        ]
    );
    let prompt = delivered(&sample.snapshot, &sample.bodies);
    assert!(
        prompt.contains("- deploy: Does a thing - asked <x> to\n"),
        "{prompt}"
    );
    let given = &effective(&sample.snapshot, &sample.bodies).given[0];
    assert_eq!(
        given.bytes,
        "deployDoes a thing - asked <x>\tto".len() as u64
    );
}

/// Adds a skill with a `SKILL.md`.
fn with_skill(sample: Sample, name: &str, skill_md: &str) -> Sample {
    let mut sample = sample.skill(name, "Does a thing");
    let skill = sample.snapshot.resources.last().unwrap();
    let hash = skill.body().unwrap();
    sample.bodies.insert(hash, skill_md.as_bytes().into());
    sample
}

#[test]
fn skills_are_listed_in_the_order_of_their_names_unless_their_frontmatter_keeps_them_out() {
    let mut sample = Sample::default();
    for name in ["Zed", "ab", "a.c", "a-b", "A_b", "9"] {
        sample = with_skill(sample, name, name);
    }
    for (name, line) in [
        ("off", "disable-model-invocation: yes"),
        ("off1", "disable-model-invocation: 1"),
        ("on", "disable-model-invocation: no"),
        ("some", "paths: src/**"),
        ("all", "paths: \"**\""),
    ] {
        sample = with_skill(sample, name, &format!("---\nname: {name}\n{line}\n---\n"));
    }
    let sample = ruled(sample);
    let effective = effective(&sample.snapshot, &sample.bodies);
    let name = |source: &str| source.rsplit('/').nth(1).unwrap().to_owned();
    let given: Vec<_> = effective
        .given
        .iter()
        .map(|given| name(&given.source))
        .collect();
    assert_eq!(given, ["9", "A_b", "a-b", "a.c", "ab", "all", "on", "Zed"]);
    let left_out = effective.left_out.iter();
    let left_out: Vec<_> = left_out
        .map(|file| (name(&file.source), &*file.reason))
        .collect();
    let hidden = "`disable-model-invocation` keeps it out of the list";
    let later =
        "on demand, with a file below /w that matches src; the prompt of a chat lists it at once";
    let expected = [("off", hidden), ("off1", hidden), ("some", later)];
    assert_eq!(
        left_out,
        expected.map(|(name, reason)| (name.to_owned(), reason))
    );
    // The prompt of a pin is all that its model learns of skills.
    let delivered = delivered(&sample.snapshot, &sample.bodies);
    assert!(!delivered.contains("- off") && delivered.contains("- some: "));
}

#[test]
fn a_skill_with_paths_comes_with_a_file_that_they_match() {
    let mut sample = Sample::default();
    for (name, line) in [
        ("src", "paths: src/**"),
        ("py", "paths: \"*.py\""),
        ("never", "paths: \"*.py\"\ndisable-model-invocation: true"),
        ("all", "paths: \"**\""),
    ] {
        let skill_md = format!("---\nname: {name}\ndescription: D\n{line}\n---\n");
        sample = with_skill(sample, name, &skill_md);
    }
    // One of a directory above, and one of the person, whose globs start at the working directory.
    for (name, source) in [
        ("up", "/.claude/skills/up/SKILL.md".to_owned()),
        ("mine", format!("{HOME}/skills/mine/SKILL.md")),
    ] {
        let skill_md = format!("---\nname: {name}\ndescription: D\npaths: /w/a.py, /a.py\n---\n");
        sample = with_skill(sample, name, &skill_md);
        sample.snapshot.resources.last_mut().unwrap().source = source;
    }
    let sample = ruled(sample);
    let check = |path: &str, expected: &[&str]| {
        let coming = on_demand(&sample.snapshot, &sample.bodies, path);
        let texts: Vec<_> = coming.iter().map(|given| given.text.as_str()).collect();
        assert_eq!(texts, expected, "{path}");
    };
    check("/w/src/a.rs", &["- src: Does a thing"]);
    check("/w/x/src/a.rs", &["- src: Does a thing"]);
    let all = [
        "- mine: Does a thing",
        "- py: Does a thing",
        "- up: Does a thing",
    ];
    check("/w/a.py", &all);
    check("/w/x/a.py", &["- py: Does a thing"]);
    check("/w/a.ts", &[]);
}

#[test]
fn of_several_skills_with_paths_in_directories_of_one_name_one_counts() {
    // Seen in a request of Claude Code 2.1.332.
    let mut sample = Sample::default();
    let roots = [("/w", "/w/.claude"), ("/", "/.claude"), (HOME, HOME)];
    let py = "paths: \"*.py\"\n";
    for (name, lines) in [
        ("all", [Some(py), Some(py), Some(py)]),
        ("no-root", [Some(py), None, Some(py)]),
        ("other-root", [Some(py), Some("paths: other\n"), None]),
        ("listed", [Some(py), Some(""), None]),
        ("listed-later", [Some(""), Some(py), None]),
    ] {
        for ((root, folder), line) in roots.into_iter().zip(lines) {
            let Some(line) = line else {
                continue;
            };
            let own = format!("{name}-{}", root.len());
            let skill_md = format!("---\nname: {own}\ndescription: D\n{line}---\n");
            sample = with_skill(sample, &own, &skill_md);
            let skill = sample.snapshot.resources.last_mut().unwrap();
            skill.source = format!("{folder}/skills/{name}/SKILL.md");
            skill.root = Some(root.to_owned());
        }
    }
    let sample = ruled(sample);
    let coming = on_demand(&sample.snapshot, &sample.bodies, "/w/a.py");
    let texts: Vec<_> = coming.iter().map(|given| given.text.as_str()).collect();
    let expected = [
        "- all (all-1): Does a thing",
        "- no-root (no-root-2): Does a thing",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_description_has_a_blank_where_nothing_is_seen() {
    let check = |description: &str, expected: &str| {
        let sample = ruled(Sample::default().skill("a", description));
        let skill = sample.snapshot.skills().next().unwrap();
        let [listed, _] = descriptions(&sample.snapshot, &sample.bodies, skill);
        assert_eq!(listed, expected, "{description:?}");
    };
    for unseen in [
        "\u{200b}",
        "\u{200c}",
        "\u{200d}",
        "\u{ad}",
        "\u{feff}",
        "\u{202e}",
        "\u{e0041}",
        "\u{2028}",
        "\u{85}",
        "\u{fe0f}",
        "\u{3164}",
        "\u{115f}",
        "\u{e000}",
        "\u{2800}",
        "\u{34f}",
        "\u{e0100}",
        "\u{fdd0}",
        "\u{1d173}",
        "\t",
        "\u{fffe}",
        "\u{180e}",
        "\u{206a}",
        "\u{2060}\t\u{200b}",
    ] {
        check(&format!("A{unseen}B{unseen}{unseen}C"), "A B C");
    }
    for seen in [
        "A\u{a0}B\u{a0}\u{a0}C",
        "A\u{fffd}B",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} family",
        "heart \u{2764}\u{fe0f} emoji",
        "e\u{301}",
    ] {
        check(seen, seen);
    }
}
