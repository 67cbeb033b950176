//! Read-only connections, opened when needed and kept.
//!
//! Three locks keep them from writing: the open flag, `query_only` and an authoriser, which also hides the device's
//! key and refuses to attach other files. Invariant: a reader never blocks the writer and is never blocked by it.

use super::{STATEMENTS_CACHED, unlock};
use crate::device::ReplicaKey;
use crate::error::ReplicaError;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, OpenFlags, functions::FunctionFlags};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

pub(crate) struct Readers {
    path: PathBuf,
    max: usize,
    /// `None` once closed.
    state: Mutex<Option<State>>,
    changed: Condvar,
}

struct State {
    key: ReplicaKey,
    idle: Vec<Connection>,
    /// Connections somebody reads on.
    out: usize,
    /// Nobody begins to read.
    paused: bool,
}

impl Readers {
    pub fn new(path: &Path, key: ReplicaKey, max: usize) -> Self {
        let state = State { key, idle: Vec::new(), out: 0, paused: false };
        Self { path: path.to_owned(), max, state: Mutex::new(Some(state)), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn with<T, E: From<ReplicaError>>(
        &self,
        body: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut out = self.take()?;
        let mut conn = match out.kept.take() {
            Some(conn) => conn,
            None => open(&self.path, &out.key)?,
        };
        let result = body(&mut conn);
        out.kept = Some(conn);
        result
    }

    /// A place among the readers, with a connection if one is idle.
    fn take(&self) -> Result<Out<'_>, ReplicaError> {
        let paused = |state: &mut Option<State>| state.as_ref().is_some_and(|state| state.paused);
        let mut guard = self.changed.wait_while(self.state(), paused).unwrap_or_else(PoisonError::into_inner);
        let state = guard.as_mut().ok_or(ReplicaError::Closed)?;
        state.out = state.out.saturating_add(1);
        Ok(Out { readers: self, key: state.key.clone(), kept: state.idle.pop() })
    }

    /// Closes every connection and lets nobody begin to read until [`Readers::resume`]. `false`, and nothing is paused,
    /// when somebody goes on reading for longer than this.
    pub fn pause(&self, limit: Duration) -> bool {
        let mut guard = self.state();
        if let Some(state) = guard.as_mut() {
            state.paused = true;
        }
        let reading = |state: &mut Option<State>| state.as_ref().is_some_and(|state| state.out > 0);
        let waited = self.changed.wait_timeout_while(guard, limit, reading);
        let (mut guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        let Some(state) = guard.as_mut() else { return true };
        if waited.timed_out() && state.out > 0 {
            state.paused = false;
            drop(guard);
            self.changed.notify_all();
            return false;
        }
        state.idle.clear();
        true
    }

    /// Lets readers begin again, with this key from now on.
    pub fn resume(&self, key: &ReplicaKey) {
        if let Some(state) = self.state().as_mut() {
            state.key = key.clone();
            state.paused = false;
        }
        self.changed.notify_all();
    }

    pub fn close(&self) {
        self.state().take();
        self.changed.notify_all();
    }
}

/// A place among the readers; given back when dropped, with the connection if it is still good.
struct Out<'a> {
    readers: &'a Readers,
    key: ReplicaKey,
    kept: Option<Connection>,
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.readers.state().as_mut() {
            state.out = state.out.saturating_sub(1);
            if let Some(conn) = self.kept.take()
                && !state.paused
                && state.idle.len() < self.readers.max
            {
                state.idle.push(conn);
            }
        }
        // A connection that is not kept is closed before whoever waits goes on.
        drop(self.kept.take());
        self.readers.changed.notify_all();
    }
}

fn open(path: &Path, key: &ReplicaKey) -> Result<Connection, ReplicaError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    unlock(&conn, key)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;")?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("uuid", 1, flags, |context| {
        let text: Option<String> = context.get(0)?;
        Ok(text.and_then(|text| text.parse::<Uuid>().ok()).map(|id| id.as_bytes().to_vec()))
    })?;
    conn.create_scalar_function("uuid_text", 1, flags, |context| {
        let bytes: Option<Vec<u8>> = context.get(0)?;
        Ok(bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok()).map(|id| id.to_string()))
    })?;
    conn.authorizer(Some(authorise))?;
    Ok(conn)
}

/// What a statement on a reader may do.
fn authorise(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Read { table_name: "sync_identity", .. }
        | AuthAction::Function { function_name: "load_extension" } => Authorization::Deny,
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Function { .. }
        | AuthAction::Recursive
        | AuthAction::Transaction { .. }
        | AuthAction::Pragma {
            pragma_name: "table_info" | "quick_check" | "query_only" | "data_version",
            ..
        } => Authorization::Allow,
        // FTS5 prepares its own statements on its shadow tables, writing ones included; the open flag stops those.
        _ if context.accessor.is_some() => Authorization::Allow,
        _ => Authorization::Deny,
    }
}
