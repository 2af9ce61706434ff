//! Tests that need their own process or user: another umask, which holds for a whole process, and a file of
//! another user.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use ctxpin_private_files::exposure::{Demand, Exposure};
use ctxpin_private_files::{directory, file, lock::Lock};
use rustix::fs::Mode;
use rustix::process::{geteuid, umask};

/// The variable with the umask, in octal digits, for a second run of this program.
const UMASK_VARIABLE: &str = "CTXPIN_TEST_UMASK";

#[test]
fn no_umask_opens_anything_to_others() {
    if let Ok(digits) = env::var(UMASK_VARIABLE) {
        umask(Mode::from_raw_mode(
            u32::from_str_radix(&digits, 8).unwrap(),
        ));
        return everything_is_private();
    }
    for digits in ["000", "002", "022", "077"] {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "no_umask_opens_anything_to_others"])
            .env(UMASK_VARIABLE, digits)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{digits}: {told}");
        assert!(told.contains("1 passed"), "{told}");
    }
}

fn everything_is_private() {
    let base = tempfile::tempdir().unwrap();
    let below = base.path().join("a/b");
    directory::create(&below).unwrap();
    file::open_to_write(&below.join("opened")).unwrap();
    file::create_new(&below.join("created")).unwrap();
    file::replace(&below.join("replaced"), b"").unwrap();
    Lock::take(&below.join("locked")).unwrap();
    for directory in [&base.path().join("a"), &below] {
        assert_eq!(fs::metadata(directory).unwrap().mode() & 0o777, 0o700);
    }
    for entry in fs::read_dir(&below).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn files_and_directories_of_others_are_exposed() {
    let demand = Demand::nobody_else_writes();
    let base = tempfile::tempdir().unwrap();
    let of_file = |path: &Path| Exposure::of_file(path, demand).unwrap();
    let of_directory = |path: &Path| Exposure::of_directory(path, demand).unwrap();
    let (path, link) = (base.path().join("file"), base.path().join("link"));
    assert_eq!(of_file(&path), None, "it is missing");
    assert_eq!(of_directory(&path), None, "it is missing");
    file::create_new(&path).unwrap();
    assert_eq!(of_file(&path), None);
    symlink(base.path(), &link).unwrap();
    assert_eq!(of_file(&link), Some(Exposure::Link));
    assert_eq!(of_directory(&link), None);
    assert!(Exposure::of_file(&path.join("below"), demand).is_err());
    // Only root can give files away.
    if geteuid().is_root() {
        let foreign = Some(Exposure::ForeignOwner {
            owner: 65_534,
            own: 0,
        });
        for path in [path.as_path(), base.path()] {
            chown(path, Some(65_534), None).unwrap();
        }
        assert_eq!(of_file(&path), foreign);
        assert_eq!(of_directory(base.path()), foreign);
        assert_eq!(of_directory(&link), foreign);
    }
}
