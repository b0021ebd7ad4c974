//! A file of one bundle into the folder of another, checked on the way: what is damaged is not passed on.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{WriteError, hex::hex, manifest::FileEntry, write_error::io_error};

/// Bytes that are copied at once.
const PIECE_BYTES: usize = 1 << 18;

/// Copies the file `entry` from one folder to another; `on_bytes` hears of every piece.
///
/// # Errors
/// It cannot be read or written; its length or its SHA-256 is not what `entry` says.
pub(super) fn copy(from: &Path, to: &Path, entry: &FileEntry, on_bytes: &mut dyn FnMut(u64)) -> Result<(), WriteError> {
    let (source_path, target_path) = (from.join(&entry.file), to.join(&entry.file));
    let mut source = File::open(&source_path).map_err(io_error(&source_path))?;
    let mut target = File::create_new(&target_path).map_err(io_error(&target_path))?;
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(io_error(&source_path)(error)),
        };
        hash.update(&piece[..read]);
        target.write_all(&piece[..read]).map_err(io_error(&target_path))?;
        bytes += read as u64;
        on_bytes(read as u64);
    }
    // The rename at the end must not overtake the content.
    target.sync_all().map_err(io_error(&target_path))?;
    let found = hex(&hash.finalize());
    if bytes == entry.bytes && found == entry.sha256 {
        return Ok(());
    }
    let problem = if bytes == entry.bytes {
        format!("its SHA-256 is {found}, not {}", entry.sha256)
    } else {
        format!("it has {bytes} bytes, not {}", entry.bytes)
    };
    Err(WriteError::Damaged { path: source_path, problem })
}
