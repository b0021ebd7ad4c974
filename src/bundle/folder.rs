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

/// Bytes that are read at once: they stay in the second-level cache while they are hashed and unpacked.
const PIECE_BYTES: usize = 1 << 18;

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

    fn read_now(&self, file: &str, on_piece: &mut dyn FnMut(&[u8])) -> Result<(), BundleError> {
        let unreadable = |reason: String| BundleError::Read { file: file.into(), reason };
        // The manifest's names have been checked; a caller's own have not.
        if !is_plain_file_name(file) {
            return Err(unreadable("the name leaves the bundle's folder".into()));
        }
        let mut source = File::open(self.folder.join(file)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => BundleError::Missing { file: file.into() },
            _ => unreadable(error.to_string()),
        })?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match source.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => on_piece(&piece[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error.to_string())),
            }
        }
    }
}

impl Reader for FolderReader {
    async fn read(&self, file: &str, _: Option<u64>, on_piece: &mut dyn FnMut(&[u8])) -> Result<(), BundleError> {
        self.read_now(file, on_piece)
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
