//! Named points where a fault test can kill the process, between every two steps of a write.
//!
//! Without the feature `crash-points` this is nothing at all. Never used for anything but tests.

/// Every point, in the order they are passed, for tests that try them all.
pub const POINTS: &[&str] = &[
    "edit.after_begin",
    "edit.after_changes",
    "edit.after_intent",
    "edit.before_commit",
    "escrow.before_append",
    "escrow.after_append",
    "edit.after_commit",
    "outbox.before_commit",
    "outbox.after_commit",
    "fates.after_begin",
    "fates.after_accepted",
    "fates.after_rollback",
    "fates.before_commit",
    "fates.after_commit",
    "page.after_begin",
    "page.after_entries",
    "page.before_commit",
    "page.after_commit",
    "purge.before_checkpoint",
    "purge.after_checkpoint",
    "rows.after_begin",
    "rows.before_commit",
    "rows.after_commit",
];

/// Every point of keeping a file.
pub const BLOB_POINTS: &[&str] = &["blob.after_file", "blob.after_row"];

/// Every point of a change of the key, in order.
pub const REKEY_POINTS: &[&str] = &[
    "rekey.before_sidecar",
    "rekey.after_sidecar",
    "rekey.after_commit",
    "rekey.after_checkpoint",
    "rekey.after_opening",
    "rekey.after_confirmed",
];

#[cfg(not(feature = "crash-points"))]
pub(crate) const fn point(_: &str) {}

/// Aborts the process when `NEONPRO_CRASH_AT` names this point (`name` or `name:n` for the n-th pass).
#[cfg(feature = "crash-points")]
pub(crate) fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSES: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("NEONPRO_CRASH_AT") else { return };
    let (wanted, nth) = match wanted.split_once(':') {
        Some((wanted, nth)) => (wanted.to_owned(), nth.parse().unwrap_or(1)),
        None => (wanted, 1),
    };
    if wanted == name && PASSES.fetch_add(1, Ordering::SeqCst).saturating_add(1) == nth {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests;
