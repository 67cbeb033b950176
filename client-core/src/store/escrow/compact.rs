//! Keeping the file small: settled records leave it.
//!
//! Records move as they are, sealed. Invariant: the file that is there holds everything owed; a smaller one takes its place
//! once it is on the storage.

use super::super::files::{beside, sync_folder};
use super::{DEAD_BYTES_MAX, Escrow, Kept};
use crate::error::ReplicaError;
use neonpro_contract::escrow::{HEADER_BYTES, Header};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

impl Escrow {
    /// Takes settled records out: at once where nothing is owed, otherwise when they outgrow what is.
    pub(super) fn prune(&mut self) -> Result<(), ReplicaError> {
        let Some((file, header)) = &self.open else { return Ok(()) };
        let header = *header;
        if self.kept.is_empty() {
            if self.end > HEADER_BYTES as u64 {
                file.set_len(HEADER_BYTES as u64)?;
                self.end = HEADER_BYTES as u64;
            }
            return Ok(());
        }
        if self.bytes_dead() > DEAD_BYTES_MAX.max(self.bytes_owed()) { self.compact(header) } else { Ok(()) }
    }

    /// An empty file with this header, in place of any other.
    pub(super) fn write_anew(&mut self, header: Header) -> Result<(), ReplicaError> {
        self.kept.clear();
        self.put(header, &[])
    }

    fn compact(&mut self, header: Header) -> Result<(), ReplicaError> {
        let Some((file, _)) = &mut self.open else { return Ok(()) };
        let mut places: Vec<&mut Kept> = self.kept.values_mut().collect();
        // In the order they were written: the sequence rises in the new file as well.
        places.sort_by_key(|kept| kept.place.start);
        let (mut records, mut end) = (Vec::new(), HEADER_BYTES as u64);
        let mut moved = Vec::with_capacity(places.len());
        for kept in places {
            let length = kept.place.end.saturating_sub(kept.place.start);
            let start = records.len();
            records.resize(start.saturating_add(usize::try_from(length).unwrap_or(0)), 0);
            file.seek(SeekFrom::Start(kept.place.start))?;
            file.read_exact(records.get_mut(start..).unwrap_or_default())?;
            moved.push((kept, end..end.saturating_add(length)));
            end = end.saturating_add(length);
        }
        for (kept, place) in moved {
            kept.place = place;
        }
        self.put(header, &records)
    }

    /// Whole or not at all.
    fn put(&mut self, header: Header, records: &[u8]) -> Result<(), ReplicaError> {
        let fresh = beside(&self.path, ".new");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file: File = options.open(&fresh)?;
        file.write_all(&header.encode())?;
        file.write_all(records)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        sync_folder(&self.path)?;
        self.end = (HEADER_BYTES as u64).saturating_add(records.len() as u64);
        self.open = Some((file, header));
        Ok(())
    }
}
