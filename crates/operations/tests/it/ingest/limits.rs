//! Limits: a resource beyond a limit is listed without its bytes, and sizes come from the bytes.

use ctxpin_model::limits::{INSTRUCTION_FILE_BYTES_MAX, SKILL_FILE_BYTES_MAX, SKILL_FILES_MAX};
use ctxpin_model::mcp::{Detail, Tool};
use ctxpin_model::resource::{Kind, Resource, Status};
use ctxpin_testing::databases::TestService;

use super::{Intake, claim, file, instructions, of, pinned, require_unused, skill, skill_md};

ctxpin_testing::on_both_databases!(
    sizes_are_those_of_the_bytes,
    a_body_of_the_largest_size_is_kept,
    a_supporting_file_that_is_too_large_is_listed_alone,
    a_skill_keeps_as_many_files_as_fit,
    a_skill_keeps_as_many_bytes_as_fit,
    skills_past_the_limits_of_a_snapshot_are_excluded,
    of_skills_of_one_name_the_last_root_wins,
    bodies_past_the_limit_are_excluded_and_smaller_ones_still_fit,
    a_server_with_too_large_tools_is_oversize,
);

async fn sizes_are_those_of_the_bytes(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let text = skill_md("pdf", "Reads PDFs.");
    for claimed in [0, 1, 1_000_000, u64::MAX] {
        let mut agents_md = instructions("/w/AGENTS.md", b"12345");
        agents_md.size = claimed;
        let mut pdf = skill("/w", "pdf", text.as_bytes());
        pdf.size = claimed;
        let mut supporting = file("a", b"123");
        supporting.size = claimed;
        pdf.files.push(supporting);
        let sent: [&[u8]; 3] = [b"12345", text.as_bytes(), b"123"];
        let taken = intake
            .take(of(vec![agents_md, pdf]), &sent)
            .await
            .unwrap()
            .resources;
        assert_eq!((taken[0].status, taken[0].size), (Status::Ok, 5));
        assert_eq!(
            (taken[1].status, taken[1].size),
            (Status::Ok, text.len() as u64)
        );
        assert_eq!(taken[1].files[0].size, 3);
    }
}

async fn a_body_of_the_largest_size_is_kept(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let most = usize::try_from(INSTRUCTION_FILE_BYTES_MAX).unwrap();
    let fits = vec![b'x'; most];
    let taken = intake
        .take_one(instructions("/w/AGENTS.md", &fits), &[&fits])
        .await;
    assert_eq!(
        (taken.status, taken.size),
        (Status::Ok, INSTRUCTION_FILE_BYTES_MAX)
    );
}

async fn a_supporting_file_that_is_too_large_is_listed_alone(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let text = skill_md("pdf", "Reads PDFs.");
    let larger = vec![b'x'; usize::try_from(SKILL_FILE_BYTES_MAX).unwrap() + 1];
    let mut resource = skill("/w", "pdf", text.as_bytes());
    let mut script = file("b.sh", b"small");
    script.executable = true;
    resource.files = vec![script, file("a.bin", &larger)];
    intake.upload(&larger).await;
    let taken = intake
        .take_one(resource, &[text.as_bytes(), b"small"])
        .await;
    assert_eq!(taken.status, Status::Ok);
    let paths: Vec<_> = taken.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.bin", "b.sh"]);
    assert_eq!(taken.files[0].content, claim(&larger));
    assert!(
        taken.files[0]
            .error
            .as_deref()
            .is_some_and(|error| error.contains("512 KiB"))
    );
    assert_eq!(
        (taken.files[1].content, taken.files[1].executable),
        (pinned(b"small"), true)
    );
}

/// Returns how many files of a usable skill are pinned, and how many are only listed.
fn counted(taken: &Resource) -> (usize, usize) {
    assert_eq!(taken.status, Status::Ok);
    let files = taken.files.iter();
    let pinned = files.filter(|file| file.body().is_some()).count();
    (pinned, taken.files.len() - pinned)
}

async fn a_skill_keeps_as_many_files_as_fit(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let text = skill_md("pdf", "Reads PDFs.");
    for (count, expected) in [(512, (512, 0)), (513, (512, 1)), (540, (512, 1))] {
        let mut resource = skill("/w", "pdf", text.as_bytes());
        resource.files = (0..count)
            .map(|index| file(&format!("{index:04}"), b"x"))
            .collect();
        let taken = intake.take_one(resource, &[text.as_bytes(), b"x"]).await;
        assert_eq!(counted(&taken), expected);
    }
}

/// Returns a skill with `count` files of the same bytes.
fn skill_with(name: &str, skill_md: &str, count: usize, bytes: &[u8]) -> Resource {
    let mut resource = skill("/w", name, skill_md.as_bytes());
    let files = (0..count).map(|index| file(&format!("{index:04}"), bytes));
    resource.files = files.collect();
    resource
}

async fn a_skill_keeps_as_many_bytes_as_fit(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let text = skill_md("pdf", "Reads PDFs.");
    let largest = vec![b'x'; usize::try_from(SKILL_FILE_BYTES_MAX).unwrap()];
    // 32 files are 16 MiB.
    for (count, expected) in [(32, (32, 0)), (33, (32, 1))] {
        let resource = skill_with("pdf", &text, count, &largest);
        let taken = intake
            .take_one(resource, &[text.as_bytes(), &largest])
            .await;
        assert_eq!(counted(&taken), expected);
    }
}

async fn skills_past_the_limits_of_a_snapshot_are_excluded(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let largest = vec![b'x'; usize::try_from(SKILL_FILE_BYTES_MAX).unwrap()];
    // Three skills of 16 MiB fit with their SKILL.md, or seven of 512 files. Another skill without files
    // still fits.
    let small: &[u8] = b"x";
    for (fitting, count, bytes) in [(3, 32, &largest[..]), (7, SKILL_FILES_MAX, small)] {
        let names: Vec<_> = (0..fitting + 2)
            .map(|index| format!("skill-{index}"))
            .collect();
        let texts: Vec<_> = names.iter().map(|name| skill_md(name, "Large.")).collect();
        let mut resources: Vec<_> = (0..=fitting)
            .map(|index| skill_with(&names[index], &texts[index], count, bytes))
            .collect();
        resources.push(skill_with(
            &names[fitting + 1],
            &texts[fitting + 1],
            0,
            small,
        ));
        let mut sent: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        sent.push(bytes);
        let taken = intake.take(of(resources), &sent).await.unwrap().resources;
        assert!(
            taken[..fitting]
                .iter()
                .all(|skill| skill.status == Status::Ok)
        );
        require_unused(&taken[fitting], Status::Excluded, "64 MiB");
        assert_eq!(taken[fitting + 1].status, Status::Ok);
    }
}

async fn of_skills_of_one_name_the_last_root_wins(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let (user, project) = (
        skill_md("pdf", "Of the user."),
        skill_md("pdf", "Of the project."),
    );
    let mut second = skill("/w", "pdf", user.as_bytes());
    second.source = "/w/.claude/skills/pdf/SKILL.md".into();
    let resources = vec![
        skill("/home", "pdf", user.as_bytes()),
        skill("/w", "pdf", project.as_bytes()),
        second,
    ];
    let sent = [user.as_bytes(), project.as_bytes()];
    let taken = intake.take(of(resources), &sent).await.unwrap();
    let winner = "/w/skills/pdf/SKILL.md";
    assert_eq!(
        taken.skill("pdf").map(|skill| skill.source.as_str()),
        Some(winner)
    );
    for index in [0, 2] {
        let reason = format!("shadowed by {winner}");
        require_unused(&taken.resources[index], Status::Excluded, &reason);
    }
}

async fn bodies_past_the_limit_are_excluded_and_smaller_ones_still_fit(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let most = vec![b'x'; usize::try_from(INSTRUCTION_FILE_BYTES_MAX).unwrap()];
    let text = skill_md("pdf", "Reads PDFs.");
    // There is room for two of them. The second leaves room for the name and the description of a skill,
    // and for one byte. The skill's body takes none of it.
    let less = &most[..most.len() - "pdfReads PDFs.".len() - 1];
    let resources = vec![
        instructions("/w/0.md", &most),
        instructions("/w/1.md", less),
        skill("/w", "pdf", text.as_bytes()),
        instructions("/w/2.md", b"12"),
        instructions("/w/3.md", b"1"),
    ];
    let sent: [&[u8]; 5] = [&most, less, text.as_bytes(), b"12", b"1"];
    let taken = intake.take(of(resources), &sent).await.unwrap().resources;
    require_unused(&taken[3], Status::Excluded, "2 MiB");
    let ok = taken
        .iter()
        .filter(|resource| resource.status == Status::Ok);
    assert_eq!(ok.count(), 4);
}

async fn a_server_with_too_large_tools_is_oversize(test: &TestService) {
    let mut intake = Intake::new(test).await;
    let server = |name: &str, tools: usize, description: usize| {
        let mut resource = Resource::new(Kind::McpServer, name, Status::Ok);
        let tools = (0..tools).map(|index| Tool {
            name: format!("tool{index}"),
            description: Some("x".repeat(description)),
            input_schema: Default::default(),
        });
        resource.detail = Some(Detail::Tools(tools.collect()));
        resource
    };
    for (resource, status) in [
        (server("files", 128, 1), Status::Ok),
        (server("files", 1, 256 * 1024), Status::Oversize),
    ] {
        let taken = intake.take_one(resource, &[]).await;
        assert_eq!(
            (taken.status, taken.detail.is_some()),
            (status, status == Status::Ok)
        );
    }
    // The tools of all servers count together.
    let servers = (0..5).map(|index| server(&format!("server{index}"), 1, 250 * 1024));
    let taken = intake
        .take(of(servers.collect()), &[])
        .await
        .unwrap()
        .resources;
    let statuses: Vec<_> = taken.iter().map(|resource| resource.status).collect();
    assert_eq!(statuses[..4], [Status::Ok; 4]);
    assert_eq!(statuses[4], Status::Excluded);
}
