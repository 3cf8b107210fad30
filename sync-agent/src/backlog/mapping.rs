//! The mapping file on disk.

use std::path::Path;

use registry_schema::mapping::Mapping;

use super::error::ImportError;

/// The longest mapping file, in bytes; a mapping of every field takes a few thousand.
const MAPPING_BYTES_MAX: u64 = 256 * 1024;

/// Reads a mapping file.
pub(super) fn load(path: &Path) -> Result<Mapping, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAPPING_BYTES_MAX {
        return Err(ImportError::TooLarge { path: path.to_owned(), max: MAPPING_BYTES_MAX, unit: "bytes" });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Mapping::parse(&text).map_err(|error| ImportError::Mapping { path: path.to_owned(), message: error.to_string() })
}
