//! Sessions while the disk of ctxpin's data is full, its server's too. The tool must go on and answer as always, the person
//! must be told at a start and not at each prompt, and once there is room again, the turns must be as if nothing had
//! happened. What could not be kept meanwhile has no evidence.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::compare::{Asked, differences_of, recorded};
use super::place::{More, Place, write};
use super::prompts::revision;
use crate::client::From;
use crate::standin::READ;

/// The size of the disk.
const SIZE: &str = "16m";

/// How much is written at once until nothing fits, in bytes.
const FILLED_BYTES: usize = 1024;

/// The prompts: whether there is room, whether the files change before, and the prompt with whose session it goes on.
const STEPS: [(bool, bool, Option<usize>); 5] = [
    (true, false, None),
    (false, true, None),
    (false, false, Some(0)),
    (true, false, Some(1)),
    (true, true, None),
];

/// A small disk of its own. It ends with this value.
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        // A process that is about to end may still use it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

impl Disk {
    /// Mounts a disk at a new directory. Returns `None` without the right to.
    fn mount(directory: &Path) -> anyhow::Result<Option<Self>> {
        fs::create_dir_all(directory)?;
        let size = format!("size={SIZE},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "ctxpin-doors"])
            .arg(directory)
            .status()?;
        Ok(mounted.success().then(|| Self(directory.to_owned())))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Writes until nothing fits.
    fn fill(&self) -> anyhow::Result<()> {
        let mut filler = File::create(self.filler())?;
        while filler.write_all(&[0; FILLED_BYTES]).is_ok() {}
        let is_full = fs::write(self.0.join("more"), [0; FILLED_BYTES]).is_err();
        ensure!(is_full, "the disk in {} is not full", self.0.display());
        Ok(())
    }

    fn empty(&self) -> anyhow::Result<()> {
        fs::remove_file(self.0.join("more"))?;
        Ok(fs::remove_file(self.filler())?)
    }
}

/// Runs the sessions, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let data = place.base().join("home/.local/share/ctxpin");
    let Some(disk) = Disk::mount(&data)? else {
        println!("  no disk can be mounted without root, so none is full");
        return Ok(Vec::new());
    };
    let compared = compared(place, &disk).await;
    // What watches lives on the disk.
    let _ = place.ctxpin(&["down"]);
    if !matches!(&compared, Ok(differences) if differences.is_empty()) {
        let kept = place.base().join("data");
        Command::new("cp").arg("-a").args([&data, &kept]).status()?;
    }
    compared
}

async fn compared(place: &Place<'_>, disk: &Disk) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    place.watch()?;
    let mut asked: Vec<Asked> = Vec::new();
    let mut had_room = true;
    for (has_room, is_edited, goes_on) in STEPS {
        match (had_room, has_room) {
            (true, false) => disk.fill()?,
            (false, true) => disk.empty()?,
            (true, true) | (false, false) => {}
        }
        had_room = has_room;
        if is_edited && has_room {
            // A pin stays unconfirmed if the files change before the server takes what was read.
            for (number, Asked { session, .. }) in asked.iter().enumerate() {
                let until = asked[..=number].iter();
                let count = until.filter(|other| other.session == *session).count();
                recorded(place, session, &vec![false; count]).await?;
            }
        }
        if is_edited {
            files.push(revision(client.instruction_places(), files.len()));
            write(&place.project(), &files[files.len() - 1])?;
        }
        let from = goes_on.map(|number| From::Resume(asked[number].session.clone()));
        let question = format!("{READ}{}", place.notes());
        let id = place
            .ask(from.as_ref(), &question, &More::default())
            .await?;
        let received = sessions.standin.take()?;
        let new = Asked::new(client, &files, id, files.len() - 1, received);
        let may_be_lost = !has_room;
        asked.push(Asked { may_be_lost, ..new });
    }
    let mut differences = differences_of(place, &files, &asked).await?;
    disk.fill()?;
    files.push(revision(client.instruction_places(), files.len()));
    write(&place.project(), &files[files.len() - 1])?;
    let hook = place.hook()?;
    let told = ["SessionStart", "UserPromptSubmit"].map(|event| place.call(&hook, event, 0));
    let [start, prompt] = told.map(|told| told.map(|(_, said)| said.contains("ctxpin: ")));
    if !start? || prompt? {
        differences.push("the person is not told once that the disk is full".to_owned());
    }
    Ok(differences)
}
