//! Which intents a connection wrote, so that no way of changing one can be forgotten.

use crate::error::ReplicaError;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places (`n`) in `sync_intent` written since they were last taken; of transactions that were rolled back as well.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched(Arc<Mutex<BTreeSet<i64>>>);

impl Touched {
    /// Watches a connection from here on.
    pub fn watch(conn: &mut Connection) -> Result<Self, ReplicaError> {
        let touched = Self::default();
        let noting = touched.clone();
        conn.update_hook(Some(move |_, _: &str, table: &str, n| {
            if table == "sync_intent" {
                noting.places().insert(n);
            }
        }))?;
        Ok(touched)
    }

    /// What was written, once.
    pub fn take(&self) -> BTreeSet<i64> {
        std::mem::take(&mut *self.places())
    }

    fn places(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
