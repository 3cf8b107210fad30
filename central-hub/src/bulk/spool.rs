//! Spools: items of one kind, dealt out to files that are written once and read once.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Files of one spool: of a hundred million entries each holds some hundred megabytes, which fit in memory one at a time.
pub(super) const PARTS: usize = 256;
/// Bytes that wait for each file: eight megabytes for a spool.
const BUFFER_BYTES: usize = 32 * 1024;
/// Bytes of a file that are read together: what is read is kept as items, so the bytes themselves need not lie in memory.
const PIECE_BYTES: usize = 1024 * 1024;
/// What is wrong with a file that does not read as it was written.
const ALTERED: &str = "it was altered while it was used";

/// What can be spooled.
pub(super) trait Item: Sized {
    /// Appends its bytes.
    fn put(&self, bytes: &mut Vec<u8>);
    /// Takes one off the front; `None` where the bytes are none.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

/// A spool that is written.
pub(super) struct Spool<T> {
    parts: Vec<(PathBuf, BufWriter<File>)>,
    scratch: Vec<u8>,
    of: PhantomData<T>,
}

/// A spool that is read.
pub(super) struct Spooled<T> {
    parts: Vec<PathBuf>,
    of: PhantomData<T>,
}

impl<T: Item> Spool<T> {
    /// Begins a spool in a folder under a name that no other has.
    pub(super) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let part = |number| {
            let path = folder.join(format!("{name}-{number:03}"));
            let file = File::create(&path).map_err(|error| named(&path, &error))?;
            Ok((path, BufWriter::with_capacity(BUFFER_BYTES, file)))
        };
        let parts = (0..PARTS).map(part).collect::<io::Result<_>>()?;
        Ok(Self { parts, scratch: Vec::new(), of: PhantomData })
    }

    /// Adds an item to a part.
    pub(super) fn put(&mut self, part: usize, item: &T) -> io::Result<()> {
        self.scratch.clear();
        item.put(&mut self.scratch);
        let (path, file) = &mut self.parts[part % PARTS];
        file.write_all(&self.scratch).map_err(|error| named(path, &error))
    }

    /// Ends writing.
    pub(super) fn finish(self) -> io::Result<Spooled<T>> {
        let finish = |(path, mut file): (PathBuf, BufWriter<File>)| {
            file.flush().map_err(|error| named(&path, &error))?;
            Ok(path)
        };
        Ok(Spooled { parts: self.parts.into_iter().map(finish).collect::<io::Result<_>>()?, of: PhantomData })
    }
}

impl<T: Item> Spooled<T> {
    /// Every item of a part, in the order in which they came.
    pub(super) fn read(&self, part: usize) -> io::Result<Vec<T>> {
        let path = &self.parts[part];
        let named = |error| named(path, &error);
        let file = &mut File::open(path).map_err(named)?;
        let (mut bytes, mut items) = (Vec::with_capacity(PIECE_BYTES), Vec::new());
        loop {
            let piece = file.take(PIECE_BYTES as u64).read_to_end(&mut bytes).map_err(named)?;
            let mut rest = bytes.as_slice();
            loop {
                let before = rest;
                match T::take(&mut rest) {
                    Some(item) => items.push(item),
                    // Cut by the end of the piece, or of the file.
                    None => {
                        rest = before;
                        break;
                    }
                }
            }
            let taken = bytes.len() - rest.len();
            bytes.drain(..taken);
            if piece == 0 {
                break;
            }
        }
        if bytes.is_empty() { Ok(items) } else { Err(named(io::Error::new(io::ErrorKind::InvalidData, ALTERED))) }
    }

    /// The same, and the part is gone.
    pub(super) fn consume(&self, part: usize) -> io::Result<Vec<T>> {
        let items = self.read(part)?;
        fs::remove_file(&self.parts[part])?;
        Ok(items)
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
