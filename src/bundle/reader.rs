//! Where a bundle's files come from.

use std::collections::BTreeMap;

use super::BundleError;

/// Reads whole files of one bundle by their plain names.
///
/// No `Send` bound: in a browser the futures hold JavaScript values and stay on their worker. A reader does not check
/// what it reads; [`Bundle`](super::Bundle) does.
#[allow(async_fn_in_trait, reason = "Send is not wanted, see above")]
pub trait Reader {
    /// Reads one file. `on_progress` is called with the bytes read so far, at any rate that suits the reader.
    ///
    /// # Errors
    /// [`BundleError::Missing`] where there is no such file, [`BundleError::Read`] where it cannot be read.
    async fn read(&self, file: &str, on_progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, BundleError>;

    /// Told that a file was not what the manifest says, just before it is read once more: a reader that caches drops
    /// its copy here.
    async fn refresh(&self, _file: &str) {}
}

impl<R: Reader + ?Sized> Reader for &R {
    async fn read(&self, file: &str, on_progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, BundleError> {
        (**self).read(file, on_progress).await
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
    async fn read(&self, file: &str, on_progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, BundleError> {
        let bytes = self.files.get(file).ok_or_else(|| BundleError::Missing { file: file.into() })?;
        on_progress(bytes.len() as u64);
        Ok(bytes.clone())
    }
}
