//! Splitting the bytes of a push: some are in the push, the others are uploaded before it.

use std::collections::BTreeSet;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::Bodies;

/// Maximum number of bytes in a push, before base64. A push of this size is quick to repeat.
const INLINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The bytes of a push.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PushBodies {
    /// The bytes in the push itself.
    pub inline: BTreeSet<BlobHash>,
    /// The bytes that are uploaded before the push, one request each.
    pub ahead: BTreeSet<BlobHash>,
}

impl PushBodies {
    /// Splits the wanted bodies. The smallest are in the push, since each separate request costs a round
    /// trip. `request_bytes_max` is the longest request that the server accepts.
    pub fn split(bodies: &Bodies, wanted: &BTreeSet<BlobHash>, request_bytes_max: u64) -> Self {
        // Base64 makes four bytes of three, and the manifest needs room too.
        let room = usize::try_from(request_bytes_max / 2).unwrap_or(usize::MAX);
        let mut room = room.min(INLINE_BYTES_MAX);
        let wanted = wanted.iter().filter_map(|hash| bodies.get_key_value(hash));
        let mut by_size: Vec<_> = wanted.map(|(hash, bytes)| (bytes.len(), *hash)).collect();
        by_size.sort();
        let mut split = Self::default();
        for (size, hash) in by_size {
            if size <= room {
                room -= size;
                split.inline.insert(hash);
            } else {
                split.ahead.insert(hash);
            }
        }
        split
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn small_bodies_travel_in_the_push() {
        const MIB: usize = 1024 * 1024;
        let check = |sizes: &[usize], request_bytes_max, inline: &[usize], ahead: &[usize]| {
            let bodies: Bodies = sizes
                .iter()
                .map(|size| {
                    let bytes: Arc<[u8]> = vec![7; *size].into();
                    (BlobHash::of(&bytes), bytes)
                })
                .collect();
            let mut wanted: BTreeSet<_> = bodies.keys().copied().collect();
            wanted.insert(BlobHash::of(b"of nothing that is here"));
            let split = PushBodies::split(&bodies, &wanted, request_bytes_max);
            let sizes = |hashes: &BTreeSet<BlobHash>| {
                let mut sizes: Vec<_> = hashes.iter().map(|hash| bodies[hash].len()).collect();
                sizes.sort();
                sizes
            };
            assert_eq!(sizes(&split.inline), inline);
            assert_eq!(sizes(&split.ahead), ahead);
        };
        check(&[], u64::MAX, &[], &[]);
        check(
            &[0, 10, 4 * MIB - 10],
            u64::MAX,
            &[0, 10, 4 * MIB - 10],
            &[],
        );
        check(&[11, 4 * MIB - 10], u64::MAX, &[11], &[4 * MIB - 10]);
        check(
            &[3 * MIB, 3 * MIB + 1, 5],
            u64::MAX,
            &[5, 3 * MIB],
            &[3 * MIB + 1],
        );
        check(&[10, 11, 12], 44, &[10, 11], &[12]);
        check(&[1], 0, &[], &[1]);
    }
}
