//! SHA-256 over bytes that are each task's own.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::{right, wrong};
use crate::chance::Rng;
use crate::workload::{TaskContext, TaskFault, TaskResult};

/// How many bytes are hashed between two checkpoints; they are repeated for as long as need be.
const BLOCK: usize = 64 * 1024;

/// How many bytes at the end are the task's own.
const TAIL: usize = 32;

type Sum = [u8; 32];

/// Bytes to hash. All tasks' begin alike, so that the digests of all of them cost no more to prepare than one.
#[derive(Debug)]
pub(super) struct Hash {
    bytes: u64,
    seed: u64,
    block: Box<[u8]>,
    expected: Vec<Sum>,
}

impl Hash {
    pub(super) fn prepare<B>(
        bytes: u64,
        tasks: usize,
        seed: u64,
        go_on: &dyn Fn() -> ControlFlow<B>,
    ) -> ControlFlow<B, Hash> {
        let mut rng = Rng::new(seed, 0);
        let block = (0..BLOCK / 8).flat_map(|_| rng.bits().to_le_bytes()).collect();
        let mut hash = Hash { bytes, seed, block, expected: Vec::new() };
        let mut beginning = Sha256::new();
        for piece in hash.beginning() {
            go_on()?;
            beginning.update(piece);
        }
        hash.expected = (0..tasks).map(|task| hash.finish(beginning.clone(), task)).collect();
        ControlFlow::Continue(hash)
    }

    pub(super) fn perform(&self, context: &TaskContext) -> Result<TaskResult, TaskFault> {
        let mut hasher = Sha256::new();
        let mut hashed = 0;
        context.checkpoint()?;
        for piece in self.beginning() {
            context.checkpoint()?;
            hasher.update(piece);
            hashed += piece.len() as u64;
            context.set_bytes(hashed);
        }
        let task = context.task().index();
        let found = self.finish(hasher, task);
        let said = |sum: &Sum| format!("SHA-256 {}…", hex(&sum[..8]));
        match self.expected.get(task) {
            Some(expected) if *expected == found => Ok(right(self.bytes, said(&found))),
            Some(expected) => Err(wrong(&said(&found), &said(expected))),
            None => Err(wrong(&said(&found), "that of no task of this run")),
        }
    }

    fn tail(&self) -> usize {
        usize::try_from(self.bytes).map_or(TAIL, |bytes| bytes.min(TAIL))
    }

    /// What all tasks hash first, in pieces.
    fn beginning(&self) -> impl Iterator<Item = &[u8]> {
        let mut left = self.bytes - self.tail() as u64;
        std::iter::from_fn(move || {
            let length = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
            left -= length as u64;
            (length > 0).then(|| &self.block[..length])
        })
    }

    fn finish(&self, mut hasher: Sha256, task: usize) -> Sum {
        let mut rng = Rng::new(self.seed, task + 1);
        let own: Vec<u8> = (0..TAIL / 8).flat_map(|_| rng.bits().to_le_bytes()).collect();
        hasher.update(&own[..self.tail()]);
        hasher.finalize().into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::event::ErrorKind;
    use crate::workload::compute::testing::context;

    fn hash(bytes: u64, tasks: usize, seed: u64) -> Hash {
        let ControlFlow::<Infallible, _>::Continue(hash) =
            Hash::prepare(bytes, tasks, seed, &|| ControlFlow::Continue(()));
        hash
    }

    #[test]
    fn no_bytes_have_the_standards_digest() {
        // FIPS 180-4 through NIST's example values: SHA-256 of the empty message.
        let hash = hash(0, 1, 1);
        assert!(hex(&hash.expected[0]).starts_with("e3b0c44298fc1c149afbf4c8996fb924"));
    }

    #[test]
    fn each_task_hashes_all_its_bytes_and_has_a_digest_of_its_own() -> Result<(), TaskFault> {
        for bytes in [1, 31, 32, 33, BLOCK as u64, BLOCK as u64 + 33, 3 * BLOCK as u64 + 7] {
            let hash = hash(bytes, 2, 1);
            assert_eq!(
                hash.beginning().map(<[u8]>::len).sum::<usize>() + hash.tail(),
                usize::try_from(bytes).unwrap_or_default()
            );
            assert_ne!(hash.expected[0], hash.expected[1]);
            assert_ne!(hash.expected[0], self::hash(bytes, 1, 2).expected[0]);
            for task in 0..2 {
                assert_eq!(hash.perform(&context(task, false))?.bytes, bytes);
            }
        }
        Ok(())
    }

    #[test]
    fn a_bit_that_flipped_is_told() {
        let mut hash = hash(100_000, 1, 1);
        hash.block[5] ^= 1;
        let fault = hash.perform(&context(0, false));
        assert!(
            matches!(&fault, Err(TaskFault::Failed(error)) if error.kind == ErrorKind::Wrong),
            "{fault:?}"
        );
    }
}
