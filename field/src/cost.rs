//! The cost of sanitising, compared with the first renderer.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;

use crate::corpus::File;

/// How many files are sanitised in a round.
const FILES: usize = 50;

/// How many rounds are measured. Both renderers take turns.
const ROUNDS: usize = 41;

/// How much more one thing costs than another.
#[derive(Debug)]
pub struct Cost {
    what: &'static str,
    files: usize,
    bytes: usize,
    ratio: f64,
    ratio_max: f64,
}

impl Cost {
    /// Returns whether the cost is within its limit.
    pub fn is_within(&self) -> bool {
        self.ratio <= self.ratio_max
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            files,
            bytes,
            ratio,
            ratio_max,
        } = self;
        let verdict = if self.is_within() { "" } else { "  TOO MUCH" };
        write!(
            f,
            "{files} {what} ({bytes} bytes): {ratio:.2} times, at most {ratio_max}{verdict}"
        )
    }
}

/// Measures files of all kinds, and files that each hold a comment.
pub fn measure(files: &[File]) -> Vec<Cost> {
    let has_comment = |file: &&File| file.bytes.windows(4).any(|bytes| bytes == b"<!--");
    let all: Vec<_> = files.iter().collect();
    let with_comments: Vec<_> = files.iter().filter(has_comment).collect();
    vec![
        cost("real files", &spread(&all), 1.5),
        cost("files that hold a comment", &spread(&with_comments), 2.5),
    ]
}

/// Returns the files to measure, evenly spread over the corpus.
fn spread<'f>(files: &[&'f File]) -> Vec<&'f File> {
    let step = (files.len() / FILES).max(1);
    files.iter().step_by(step).take(FILES).copied().collect()
}

fn cost(what: &'static str, files: &[&File], ratio_max: f64) -> Cost {
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| round(files, Renderer::CURRENT) / round(files, Renderer::First))
        .collect();
    ratios.sort_by(f64::total_cmp);
    Cost {
        what,
        files: files.len(),
        bytes: files.iter().map(|file| file.bytes.len()).sum(),
        ratio: ratios[ROUNDS / 2],
        ratio_max,
    }
}

fn round(files: &[&File], renderer: Renderer) -> f64 {
    let begin = Instant::now();
    for file in files {
        black_box(treat::instruction_file(black_box(&file.bytes), renderer));
    }
    begin.elapsed().as_secs_f64()
}
