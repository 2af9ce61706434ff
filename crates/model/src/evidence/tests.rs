use super::*;

fn row(verdict: Verdict, whole: u64) -> Row {
    Row {
        source: Source::Transcript,
        client_version: None,
        key: AnyHash::of(b"request-1 request-2"),
        verdict,
        requests: 2,
        whole,
        gaps: Vec::from_iter((whole < 2).then_some(Gap::Cut)),
        first_different: (verdict == Verdict::Deviates).then_some(1),
        resources: Vec::new(),
        left_out: 0,
    }
}

fn result(path: &str, outcome: Outcome) -> ResourceResult {
    ResourceResult {
        path: Some(path.to_owned()),
        kind: Some(Kind::InstructionFile),
        content: Some(BlobHash::of(b"text")),
        outcome,
        given_bytes: outcome.counts_bytes().then_some(7),
        size_bytes: (outcome != Outcome::Foreign && outcome.has_size()).then_some(9),
        has_body: None,
        is_within: false,
        request: 1,
        place: None,
        foreign: None,
    }
}

fn foreign(path: &str) -> ResourceResult {
    ResourceResult {
        kind: None,
        content: None,
        place: Some(Place {
            message: 1,
            string: 2,
            at: 3,
        }),
        foreign: Some(ForeignText {
            bytes: 9,
            names: [[1; 32], [2; 32]].map(ForeignName::from),
        }),
        ..result(path, Outcome::Foreign)
    }
}

#[test]
fn the_strongest_witness_decides() {
    use Verdict::{AsPinned, Deviates, Disputed, Incomplete};
    use Witness::{Client, Server};
    let check = |rows: &[(Witness, Verdict, u64)], expected: Option<(Verdict, Witness)>| {
        let rows: Vec<_> = rows
            .iter()
            .map(|(witness, verdict, whole)| RowSummary {
                witness: *witness,
                ..row(*verdict, *whole).summary()
            })
            .collect();
        let together = together(&rows);
        assert_eq!(
            together.map(|together| (together.verdict, together.witness)),
            expected
        );
    };
    check(&[], None);
    check(&[(Client, AsPinned, 2)], Some((AsPinned, Client)));
    check(
        &[(Client, AsPinned, 2), (Client, Deviates, 2)],
        Some((Deviates, Client)),
    );
    check(
        &[(Client, AsPinned, 2), (Client, Incomplete, 1)],
        Some((Incomplete, Client)),
    );
    check(
        &[(Client, AsPinned, 2), (Server, AsPinned, 2)],
        Some((AsPinned, Server)),
    );
    check(
        &[(Client, AsPinned, 2), (Server, Deviates, 2)],
        Some((Disputed, Server)),
    );
    check(
        &[(Client, AsPinned, 2), (Server, Incomplete, 1)],
        Some((AsPinned, Client)),
    );
    check(
        &[(Client, Incomplete, 1), (Server, AsPinned, 2)],
        Some((AsPinned, Server)),
    );
}

#[test]
fn the_newest_version_is_told() {
    let check = |versions: &[Option<&str>], expected: Option<&str>| {
        let rows = versions.iter().map(|version| RowSummary {
            client_version: version.map(|version| version.parse().unwrap()),
            ..row(Verdict::AsPinned, 2).summary()
        });
        let told = together(&rows.collect::<Vec<_>>()).unwrap();
        let told = told.client_version.map(|version| version.to_string());
        assert_eq!(told.as_deref(), expected);
    };
    check(&[None], None);
    check(&[Some("1.0"), Some("1.1")], Some("1.1"));
    check(&[Some("1.0"), None], Some("1.0"));
}

#[test]
fn the_worst_of_several_rows_is_told() {
    let rows = [
        vec![result("b", Outcome::Given), result("a", Outcome::Absent)],
        vec![result("b", Outcome::Repeated), foreign("c")],
    ];
    let rows = rows.map(|resources| Row {
        resources,
        ..row(Verdict::Deviates, 2)
    });
    let worst = worst_of(rows.into());
    let told: Vec<_> = worst
        .iter()
        .map(|result| (result.path.as_deref().unwrap(), result.outcome))
        .collect();
    let expected = [
        ("c", Outcome::Foreign),
        ("a", Outcome::Absent),
        ("b", Outcome::Repeated),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_row_reads_back() {
    let check = |row: Row| {
        let json = row.canonical_json();
        assert_eq!(
            Row::from_canonical_json(json.as_bytes()),
            Some(row),
            "{json}"
        );
    };
    check(row(Verdict::AsPinned, 2));
    check(Row {
        client_version: Some("2.1.332".parse().unwrap()),
        ..row(Verdict::AsPinned, 2)
    });
    let resources = vec![
        foreign("c"),
        ResourceResult {
            is_within: true,
            ..result("a", Outcome::Absent)
        },
        result("b", Outcome::GivenUpTo),
    ];
    check(Row {
        resources,
        left_out: 3,
        ..row(Verdict::Deviates, 1)
    });
    for broken in ["", "{}", "[]", "null", "{\"source\":\"transcript\"}"] {
        assert_eq!(Row::from_canonical_json(broken.as_bytes()), None);
    }
}

#[test]
fn the_texts_of_a_row_are_those_that_requests_had() {
    let had = |result: ResourceResult| {
        let row = Row {
            resources: vec![result],
            ..row(Verdict::Deviates, 2)
        };
        row.texts().collect::<Vec<_>>()
    };
    let content = *BlobHash::of(b"text").bytes();
    assert_eq!(had(result("a", Outcome::Stale)), [content]);
    assert_eq!(had(result("a", Outcome::SeenElsewhere)), [content]);
    assert!(had(result("a", Outcome::Absent)).is_empty());
    assert!(had(result("a", Outcome::Shortened)).is_empty());
    assert_eq!(had(foreign("a")), [[1; 32], [2; 32]]);
    let within = ResourceResult {
        is_within: true,
        ..result("a", Outcome::Absent)
    };
    assert_eq!(had(within), [content]);
}

/// Changes a row that fits, and returns the member that then does not fit. Empty if all do.
fn refused(verdict: Verdict, whole: u64, change: impl FnOnce(&mut Row)) -> String {
    let mut row = row(verdict, whole);
    change(&mut row);
    row.checked()
        .err()
        .map(|invalid| invalid.member)
        .unwrap_or_default()
}

#[test]
fn the_parts_of_a_row_fit_together() {
    use Verdict::{AsPinned, Deviates, Disputed, Incomplete, OtherProfile, Unpinned};
    for (verdict, whole) in [
        (AsPinned, 2),
        (Deviates, 2),
        (Deviates, 0),
        (Incomplete, 1),
        (OtherProfile, 1),
        (Unpinned, 2),
    ] {
        assert_eq!(refused(verdict, whole, |_| ()), "", "{verdict}");
    }
    let check = |verdict, whole, member: &str, change: fn(&mut Row)| {
        assert_eq!(refused(verdict, whole, change), member);
    };
    check(Disputed, 2, "verdict", |_| ());
    check(AsPinned, 1, "verdict", |_| ());
    check(Incomplete, 2, "verdict", |_| ());
    check(Deviates, 2, "verdict", |row| row.first_different = None);
    check(AsPinned, 2, "verdict", |row| row.first_different = Some(1));
    check(AsPinned, 2, "verdict", |row| {
        row.resources = vec![result("a", Outcome::Absent)];
    });
    check(Unpinned, 2, "verdict", |row| {
        row.resources = vec![result("a", Outcome::Given)];
    });
    check(AsPinned, 2, "requests", |row| {
        (row.requests, row.whole) = (0, 0)
    });
    check(AsPinned, 2, "requests", |row| row.requests = 1 << 53);
    check(AsPinned, 2, "whole", |row| row.whole = 3);
    check(AsPinned, 2, "left_out", |row| row.left_out = u64::MAX);
    check(AsPinned, 2, "gaps", |row| row.gaps = vec![Gap::Cut]);
    check(Incomplete, 1, "gaps", |row| row.gaps = Vec::new());
    check(Incomplete, 1, "gaps", |row| {
        row.gaps = vec![Gap::Cut, Gap::Cut]
    });
    check(Deviates, 2, "first_different", |row| {
        row.first_different = Some(0)
    });
}

#[test]
fn the_parts_of_a_result_fit_together() {
    let check = |member: &str, result: ResourceResult| {
        let found = refused(Verdict::Deviates, 2, |row| row.resources = vec![result]);
        let expected = match member {
            "" => String::new(),
            member => format!("resources[0].{member}"),
        };
        assert_eq!(found, expected);
    };
    let given = result("a", Outcome::Given);
    check("", given.clone());
    check("", foreign("a"));
    check("", result(&"a".repeat(1_024), Outcome::Given));
    for path in ["", "a\nb", "a\u{1b}[2J", "a\u{85}b", &"a".repeat(1_025)] {
        check("path", result(path, Outcome::Given));
    }
    check(
        "kind",
        ResourceResult {
            kind: Some(Kind::McpServer),
            ..given.clone()
        },
    );
    check(
        "content_hash",
        ResourceResult {
            kind: None,
            ..given.clone()
        },
    );
    check(
        "content_hash",
        ResourceResult {
            path: None,
            ..given.clone()
        },
    );
    check(
        "names",
        ResourceResult {
            content: given.content,
            kind: given.kind,
            ..foreign("a")
        },
    );
    check(
        "given_bytes",
        ResourceResult {
            given_bytes: Some(1),
            ..given.clone()
        },
    );
    check(
        "given_bytes",
        ResourceResult {
            given_bytes: None,
            ..result("a", Outcome::GivenUpTo)
        },
    );
    check(
        "size_bytes",
        ResourceResult {
            size_bytes: Some(9),
            ..result("a", Outcome::Absent)
        },
    );
    check(
        "size_bytes",
        ResourceResult {
            size_bytes: Some(9),
            ..foreign("a")
        },
    );
    check(
        "body",
        ResourceResult {
            has_body: Some(false),
            ..result("a", Outcome::Given)
        },
    );
    check(
        "within",
        ResourceResult {
            is_within: true,
            ..given.clone()
        },
    );
    check(
        "request",
        ResourceResult {
            request: 0,
            ..given.clone()
        },
    );
    let place = Some(Place {
        message: u64::MAX,
        string: 0,
        at: 0,
    });
    check("place.message", ResourceResult { place, ..given });
}

#[test]
fn a_row_has_a_bound() {
    let many = |count: usize| {
        let path = |number: usize| format!("{number:01024}");
        refused(Verdict::Deviates, 2, |row| {
            row.resources = (0..count)
                .map(|number| result(&path(number), Outcome::Stale))
                .collect();
        })
    };
    assert_eq!((many(100).as_str(), many(300).as_str()), ("", "resources"));
}
