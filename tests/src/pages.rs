//! What a replica's file really holds: every decrypted page, free ones and the gaps within pages included.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Whether a text is anywhere in the file or in its write-ahead log, as someone who has the key could find it.
#[must_use]
pub fn holds(path: &Path, key: &[u8; 32], text: &str) -> bool {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.execute_batch(&format!("pragma key = \"x'{key}'\"")).unwrap();
    // The pages as a reader sees them: those of the log where it is newer. Older versions of them are in an unemptied log.
    let pages = connection.serialize("main").unwrap();
    pages.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Bytes in the write-ahead log. What is encrypted there cannot be searched; nothing is there when it is empty.
#[must_use]
pub fn log_bytes(path: &Path) -> u64 {
    let log = path.with_extension("replica-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}
