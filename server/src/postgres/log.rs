//! The end of the server's log, for the error that reports a failed start. The settings keep patient data out of it.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::layout::Layout;

/// How much of each file is shown, bytes: the last dozen messages.
const TAIL_BYTES: u64 = 2048;

/// What the server said last: while starting, then in its newest log file.
pub(super) fn tail(layout: &Layout) -> String {
    let texts = [Some(layout.startup_log()), newest(&layout.log_dir())];
    let tails = texts.iter().flatten().filter_map(|path| read_tail(path).ok());
    let said = tails.collect::<Vec<_>>().join("\n");
    if said.trim().is_empty() { "(the log is empty)".to_owned() } else { said.trim().to_owned() }
}

fn newest(log_dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(log_dir).ok()?.flatten();
    let dated = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    dated.max().map(|(_, path)| path)
}

fn read_tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
