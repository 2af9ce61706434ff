//! The lines of a record, each of bounded length.

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

/// The longest line that is read, in bytes. Longer ones are passed over.
pub const LINE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A whole line of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'l> {
    /// The bytes without the line end.
    Bytes(&'l [u8]),
    /// A line with more than [`LINE_BYTES_MAX`] bytes.
    TooLong,
}

/// How many lines were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineCounts {
    pub read: u64,
    /// Of these, the lines of kinds that say nothing about requests.
    pub passed_over: u64,
    /// Of these, the lines that are too long or cannot be parsed.
    pub broken: u64,
}

/// Reads lines into one buffer.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    /// Returns the next line and its length with the line end, or `None` at the end. What has no line end yet is no
    /// line: the client is still writing it.
    ///
    /// # Errors
    ///
    /// Fails if the record cannot be read.
    pub fn next(&mut self, record: &mut impl BufRead) -> io::Result<Option<(Line<'_>, u64)>> {
        self.buffer.clear();
        let mut length = 0;
        loop {
            let here = match record.fill_buf() {
                Ok(here) => here,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if here.is_empty() {
                return Ok(None);
            }
            let end = here.iter().position(|byte| *byte == b'\n');
            let piece = &here[..end.unwrap_or(here.len())];
            length += piece.len() as u64;
            if length <= LINE_BYTES_MAX as u64 {
                self.buffer.extend_from_slice(piece);
            }
            let taken = piece.len() + usize::from(end.is_some());
            record.consume(taken);
            if end.is_some() {
                let is_long = length > LINE_BYTES_MAX as u64;
                let line = match is_long {
                    true => Line::TooLong,
                    false => Line::Bytes(&self.buffer),
                };
                return Ok(Some((line, length + 1)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_have_a_bound() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let record = format!("one\n\n{long}\n{}\nlast", &long[1..]);
        let mut record = BufReader::new(record.as_bytes());
        let mut lines = Lines::default();
        let mut next = || {
            let line = lines.next(&mut record).unwrap();
            line.map(|(line, length)| match line {
                Line::Bytes(bytes) => (Some(bytes.len()), length),
                Line::TooLong => (None, length),
            })
        };
        assert_eq!(next(), Some((Some(3), 4)));
        assert_eq!(next(), Some((Some(0), 1)));
        assert_eq!(next(), Some((None, LINE_BYTES_MAX as u64 + 2)));
        assert_eq!(
            next(),
            Some((Some(LINE_BYTES_MAX), LINE_BYTES_MAX as u64 + 1))
        );
        assert_eq!(next(), None);
    }
}
