//! What a session's person is told of changes.

use std::path::Path;

use ctxpin_model::profile::Profile;

use super::is_read_at_turns;
use super::read::{Listing, Read};
use crate::session::LocalSnapshot;

/// How many changed files a message names.
const NAMES_MAX: usize = 3;

impl Read {
    /// Returns what to tell the person, once for each change: that the workspace has changed since the client read it,
    /// or that a client which reads at each prompt now reads something else.
    pub fn drift(&mut self, newest: &LocalSnapshot, client: Profile) -> Option<String> {
        let is_read = is_read_at_turns(client);
        if is_read {
            // Nothing is known of the prompts before, if this process did not see the start.
            self.snapshot.get_or_insert_with(|| Listing::of(newest));
        }
        let read = self.snapshot.as_ref()?;
        let told = self.told.as_ref().unwrap_or(read);
        if told.snapshot == newest.id.to_string() {
            return None;
        }
        let directory = newest.snapshot().facts.directory.as_deref();
        let listing = Listing::of(newest);
        let changed = changed(if is_read { told } else { read }, &listing, directory);
        self.told = Some(listing);
        let (first, rest) = changed.split_at(changed.len().min(NAMES_MAX));
        if first.is_empty() {
            return None;
        }
        let more = match rest.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (first, name) = (first.join(", "), name(client));
        let it = if changed.len() == 1 { "it" } else { "them" };
        Some(match is_read {
            true => format!(
                "ctxpin: {first}{more} changed since your last prompt; {name} reads {it} anew with this one"
            ),
            false => format!(
                "ctxpin: {first}{more} changed since this session read {it}; {name} reads the present state when you resume the session"
            ),
        })
    }
}

fn name(client: Profile) -> &'static str {
    client.tool().unwrap_or("the client")
}

/// Returns the names of the resources that differ, as they stand below a directory.
fn changed(read: &Listing, newest: &Listing, directory: Option<&str>) -> Vec<String> {
    let directory = Path::new(directory.unwrap_or("/"));
    let names = read.changed_to(newest).into_iter();
    let shown = names.map(|source| {
        let below = Path::new(source).strip_prefix(directory);
        let shown = below.map_or(source, |below| below.to_str().unwrap_or(source));
        let one_line = shown.chars().filter(|c| !c.is_control());
        one_line.collect()
    });
    shown.collect()
}
