//! Recognises file systems that send no events, or none for changes by others.

use std::path::Path;

/// Types of file systems (statfs(2) and `linux/magic.h`) with their common names. If the host of a virtual
/// machine or another client changes a file there, no event arrives here. An overlay sends events, and so
/// do file systems on a disk or in memory.
#[cfg(target_os = "linux")]
const SILENT: [(u64, &str); 13] = [
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE or virtiofs"),
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0xff53_4d42, "SMB"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x7375_7245, "Coda"),
    (0x786f_4256, "a shared folder of VirtualBox"),
    (0xbacb_acbc, "a shared folder of VMware"),
    (0x5346_4846, "a drive of Windows"),
];

/// Returns the common name of a directory's file system if it sends no events.
#[cfg(target_os = "linux")]
pub(crate) fn silent(directory: &Path) -> Option<&'static str> {
    let status = rustix::fs::statfs(directory).ok()?;
    // The sign and the width of the field differ between platforms. A type has 32 bits.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
    let magic = status.f_type as u64 & 0xffff_ffff;
    named(magic)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn silent(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(target_os = "linux")]
fn named(magic: u64) -> Option<&'static str> {
    let mut known = SILENT.iter();
    let (_, name) = known.find(|(silent, _)| *silent == magic)?;
    Some(name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_can_change_unheard_is_silent() {
        assert_eq!(named(0x6573_5546), Some("FUSE or virtiofs"));
        assert_eq!(named(0x6969), Some("NFS"));
        // overlay, ext4, btrfs, xfs, tmpfs, zfs
        for sounding in [
            0x794c_7630,
            0xef53,
            0x9123_683e,
            0x5846_5342,
            0x0102_1994,
            0x2fc1_2fc1,
        ] {
            assert_eq!(named(sounding), None, "{sounding:x}");
        }
    }
}
