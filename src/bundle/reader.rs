//! Where a bundle's files come from.

use std::collections::BTreeMap;

use super::BundleError;

/// Reads the files of one bundle by their plain names.
///
/// No `Send` bound: in a browser the futures hold JavaScript values and stay on their worker. A reader does not check
/// what it reads; [`Bundle`](super::Bundle) does.
#[allow(async_fn_in_trait, reason = "Send is not wanted, see above")]
pub trait Reader {
    /// Reads one file from its beginning to its end; of a shard `shard_bytes` is the length that the manifest gives it, small files
    /// have none. `on_piece` is given the bytes in order, in pieces of any size that
    /// suits the reader; none of them should be larger than a few megabytes, because a file may be longer than the
    /// memory there is.
    ///
    /// # Errors
    /// [`BundleError::Missing`] where there is no such file, [`BundleError::Read`] where it cannot be read.
    async fn read(
        &self,
        file: &str,
        shard_bytes: Option<u64>,
        on_piece: &mut dyn FnMut(&[u8]),
    ) -> Result<(), BundleError>;

    /// Told that a file was not what the manifest says, just before it is read once more: a reader that caches drops
    /// its copy here.
    async fn refresh(&self, _file: &str) {}
}

impl<R: Reader + ?Sized> Reader for &R {
    async fn read(
        &self,
        file: &str,
        shard_bytes: Option<u64>,
        on_piece: &mut dyn FnMut(&[u8]),
    ) -> Result<(), BundleError> {
        (**self).read(file, shard_bytes, on_piece).await
    }

    async fn refresh(&self, file: &str) {
        (**self).refresh(file).await;
    }
}

/// A bundle in memory: tests, and bundles that are part of a program.
#[derive(Debug, Clone, Default)]
pub struct MemoryReader {
    /// The files by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Reader for MemoryReader {
    async fn read(&self, file: &str, _: Option<u64>, on_piece: &mut dyn FnMut(&[u8])) -> Result<(), BundleError> {
        let bytes = self.files.get(file).ok_or_else(|| BundleError::Missing { file: file.into() })?;
        on_piece(bytes);
        Ok(())
    }
}
