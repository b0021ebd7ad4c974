//! Bundles on disk, for native programs.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use super::{BundleError, Reader, validate::is_plain_file_name};

/// Bytes between two reports of progress.
const CHUNK_BYTES: usize = 1 << 20;

/// Reads a bundle from a folder. Nothing waits: its futures are ready when first polled.
#[derive(Debug, Clone)]
pub struct FolderReader {
    folder: PathBuf,
}

impl FolderReader {
    /// A reader of `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn read_now(&self, file: &str, on_progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, BundleError> {
        let unreadable = |reason: String| BundleError::Read { file: file.into(), reason };
        // The manifest's names have been checked; a caller's own have not.
        if !is_plain_file_name(file) {
            return Err(unreadable("the name leaves the bundle's folder".into()));
        }
        let mut source = File::open(self.folder.join(file)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => BundleError::Missing { file: file.into() },
            _ => unreadable(error.to_string()),
        })?;
        let length = source.metadata().map_err(|error| unreadable(error.to_string()))?.len();
        let length = usize::try_from(length).map_err(|_| unreadable(format!("{length} bytes do not fit in memory")))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|error| unreadable(error.to_string()))?;
        loop {
            let read = source
                .by_ref()
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut bytes)
                .map_err(|error| unreadable(error.to_string()))?;
            if read == 0 {
                return Ok(bytes);
            }
            on_progress(bytes.len() as u64);
        }
    }
}

impl Reader for FolderReader {
    async fn read(&self, file: &str, on_progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, BundleError> {
        self.read_now(file, on_progress)
    }
}

/// Waits for a future on this thread: the native edge of the asynchronous engine.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}
