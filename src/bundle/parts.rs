//! A shard that is too long to be held: its bytes are hashed, checked and handed on as they come.
//!
//! The hash is known only at the end. Until then what was handed on is provisional: where the file turns out not to be
//! the one that the manifest means, the sink is told to forget it.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use super::{
    BundleError,
    header::{self, HeaderError, PREFIX_BYTES},
    hex::hex,
    manifest::{FileEntry, StoredDtype, TensorEntry},
    shard::{self, Placed},
};
use half::f16;

/// Longest header of a shard that is read in parts. A real one has a few tensors and some hundred bytes.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// Receives tensors in parts, in the order of the rows. The parts of one tensor may come between those of another, and
/// an int8 tensor's values before its scales or after.
pub trait PartSink {
    /// The next values of a tensor that is stored as f16 or f32, of `shape` in all.
    ///
    /// # Errors
    /// What is wrong with the tensor, for the model.
    fn float_part(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String>;

    /// The next whole rows of an int8 tensor's values, as [`TensorSink::q8`](super::TensorSink::q8) has them.
    ///
    /// # Errors
    /// What is wrong with the tensor, for the model.
    fn q8_rows(&mut self, name: &str, shape: &[usize], q: &[i8]) -> Result<(), String>;

    /// The next whole rows of its scales.
    ///
    /// # Errors
    /// What is wrong with the tensor, for the model.
    fn scale_rows(&mut self, name: &str, shape: &[usize], scale: &[f16]) -> Result<(), String>;

    /// Everything of this tensor has come, from a file that is what the manifest says.
    ///
    /// # Errors
    /// What is wrong with the tensor, for the model.
    fn whole(&mut self, name: &str) -> Result<(), String>;

    /// The file was not what the manifest says: whatever came of this tensor counts for nothing.
    fn forget(&mut self, name: &str);
}

/// Why a shard that was read in parts is not used.
pub enum Refused {
    /// The file is not the manifest's: another copy may be.
    Damaged(BundleError),
    /// The file is the manifest's, and no better when read again.
    Content(BundleError),
}

/// One reading of a shard in parts.
pub struct Parts<'a> {
    entry: &'a FileEntry,
    expected: &'a BTreeMap<&'a str, &'a TensorEntry>,
    sink: &'a mut dyn PartSink,
    hash: Sha256,
    received: u64,
    state: State<'a>,
    /// What was wrong with the content. It counts only if the hash is right: of a damaged file, that it is damaged is
    /// what there is to say.
    fault: Option<BundleError>,
}

enum State<'a> {
    /// The header, as far as it has come.
    Header(Vec<u8>),
    /// The regions that are still to come, and the beginning of a row that is not whole yet.
    Data { regions: VecDeque<Region<'a>>, rest: Vec<u8> },
}

/// A run of bytes of one kind.
struct Region<'a> {
    name: &'a str,
    entry: &'a TensorEntry,
    kind: Kind,
    /// First byte in the file; regions are taken in this order.
    start: u64,
    /// Bytes that have not come yet.
    left: u64,
    /// Bytes that are handed on together.
    unit: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Float,
    Int8,
    Scales,
}

impl<'a> Parts<'a> {
    /// A reading of the shard `entry`, in which the manifest places `expected`.
    pub fn new(
        entry: &'a FileEntry,
        expected: &'a BTreeMap<&'a str, &'a TensorEntry>,
        sink: &'a mut dyn PartSink,
    ) -> Self {
        let state = State::Header(Vec::new());
        Self { entry, expected, sink, hash: Sha256::new(), received: 0, state, fault: None }
    }

    /// Bytes that have come.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next bytes of the file.
    pub fn take(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        // Of a file that is too long the rest is only counted.
        if self.received > self.entry.bytes {
            return;
        }
        self.hash.update(bytes);
        if self.fault.is_none() {
            self.fault = self.content(bytes).err();
        }
    }

    /// Ends the reading: either every tensor is whole in the sink, or none is left there.
    pub fn finish(mut self) -> Result<(), Refused> {
        let outcome = self.judge();
        if outcome.is_err() {
            for name in self.expected.keys() {
                self.sink.forget(name);
            }
        }
        outcome
    }

    fn judge(&mut self) -> Result<(), Refused> {
        let (file, expected) = (&self.entry.file, self.entry.bytes);
        if self.received != expected {
            let found = self.received;
            return Err(Refused::Damaged(BundleError::Length { file: file.clone(), expected, found }));
        }
        let found = hex(&self.hash.finalize_reset());
        if found != self.entry.sha256 {
            let expected = self.entry.sha256.clone();
            return Err(Refused::Damaged(BundleError::Hash { file: file.clone(), expected, found }));
        }
        if let Some(fault) = self.fault.take() {
            return Err(Refused::Content(fault));
        }
        if let State::Header(header) = &self.state {
            // The file ended inside its own header.
            let needed = PREFIX_BYTES.max(header.len() as u64 + 1);
            let error = HeaderError::Truncated { needed, found: expected };
            return Err(Refused::Content(shard::malformed(file, &error)));
        }
        for name in self.expected.keys() {
            let refused = |problem| Refused::Content(BundleError::tensor(file, name, problem));
            self.sink.whole(name).map_err(refused)?;
        }
        Ok(())
    }

    fn content(&mut self, mut bytes: &[u8]) -> Result<(), BundleError> {
        if let State::Header(header) = &mut self.state {
            header.extend_from_slice(bytes);
            let Some((length, data_start)) = self.header()? else { return Ok(()) };
            // Only what came with this piece can belong to the data.
            bytes = &bytes[bytes.len() - (length - data_start)..];
        }
        let State::Data { regions, rest } = &mut self.state else { return Ok(()) };
        let file = self.entry.file.as_str();
        while let Some(region) = regions.front_mut().filter(|_| !bytes.is_empty()) {
            let here = usize::try_from(region.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (now, later) = bytes.split_at(here);
            region.left -= here as u64;
            hand_on(file, region, rest, now, self.sink)?;
            bytes = later;
            if region.left == 0 {
                regions.pop_front();
            }
        }
        Ok(())
    }

    /// Reads the header once it is there: the bytes that were collected, and how many of them were the header's.
    fn header(&mut self) -> Result<Option<(usize, usize)>, BundleError> {
        let State::Header(collected) = &self.state else { return Ok(None) };
        let bad = |error: HeaderError| shard::malformed(&self.entry.file, &error);
        let Some((prefix, rest)) = collected.split_first_chunk() else { return Ok(None) };
        let length = header::header_bytes(*prefix, self.entry.bytes).map_err(bad)?;
        if length > MAX_HEADER_BYTES {
            return Err(bad(HeaderError::Malformed(format!("its header would be {length} bytes long"))));
        }
        let Some(json) = rest.get(..length as usize) else { return Ok(None) };
        let found = header::parse(json, self.entry.bytes).map_err(bad)?;
        let placed = shard::agree(&self.entry.file, found, self.expected)?;
        let at = (collected.len(), PREFIX_BYTES as usize + json.len());
        self.state = State::Data { regions: regions(&placed), rest: Vec::new() };
        Ok(Some(at))
    }
}

/// The regions of a shard in the order in which they lie there; the header's own check leaves no gaps between them.
fn regions<'a>(placed: &[Placed<'a>]) -> VecDeque<Region<'a>> {
    let mut regions = Vec::with_capacity(2 * placed.len());
    for Placed { name, entry, data, scales } in placed {
        let rows = entry.shape.first().copied().unwrap_or(1).max(1);
        let (kind, unit) = match entry.dtype {
            StoredDtype::Q8 => (Kind::Int8, data.bytes as usize / rows),
            StoredDtype::F16 | StoredDtype::F32 => (Kind::Float, data.dtype.bytes()),
        };
        regions.push(Region { name, entry, kind, start: data.start, left: data.bytes, unit });
        if let Some(scales) = scales {
            let unit = scales.bytes as usize / rows;
            regions.push(Region { name, entry, kind: Kind::Scales, start: scales.start, left: scales.bytes, unit });
        }
    }
    regions.sort_by_key(|region| region.start);
    regions.into()
}

/// Hands on what is whole of `rest` and `bytes`, and leaves the remainder in `rest`.
fn hand_on(
    file: &str,
    region: &Region<'_>,
    rest: &mut Vec<u8>,
    mut bytes: &[u8],
    sink: &mut dyn PartSink,
) -> Result<(), BundleError> {
    if !rest.is_empty() {
        let (now, later) = bytes.split_at(bytes.len().min(region.unit - rest.len()));
        rest.extend_from_slice(now);
        bytes = later;
        if rest.len() < region.unit {
            return Ok(());
        }
        deliver(file, region, rest, sink)?;
        rest.clear();
    }
    let (whole, beginning) = bytes.split_at(bytes.len() / region.unit * region.unit);
    rest.extend_from_slice(beginning);
    if whole.is_empty() { Ok(()) } else { deliver(file, region, whole, sink) }
}

fn deliver(file: &str, region: &Region<'_>, bytes: &[u8], sink: &mut dyn PartSink) -> Result<(), BundleError> {
    let Region { name, entry, .. } = region;
    let bad = |problem: &str| BundleError::tensor(file, name, problem);
    let shape = entry.shape.as_slice();
    let accepted = match region.kind {
        Kind::Float => sink.float_part(name, shape, shard::floats(bytes, entry.dtype).map_err(bad)?),
        Kind::Int8 => sink.q8_rows(name, shape, shard::int8(bytes).map_err(bad)?),
        Kind::Scales => sink.scale_rows(name, shape, &shard::scales_of(bytes).map_err(bad)?),
    };
    accepted.map_err(|problem| bad(&problem))
}
