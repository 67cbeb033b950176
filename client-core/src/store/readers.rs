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
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

pub(crate) struct Readers {
    path: PathBuf,
    key: ReplicaKey,
    max: usize,
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub fn new(path: &Path, key: ReplicaKey, max: usize) -> Self {
        Self { path: path.to_owned(), key, max, idle: Mutex::new(Some(Vec::new())) }
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn with<T, E: From<ReplicaError>>(
        &self,
        body: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let kept = self.idle().as_mut().ok_or(ReplicaError::Closed)?.pop();
        let mut conn = match kept {
            Some(conn) => conn,
            None => open(&self.path, &self.key)?,
        };
        let result = body(&mut conn);
        if let Some(idle) = self.idle().as_mut()
            && idle.len() < self.max
        {
            idle.push(conn);
        }
        result
    }

    pub fn close(&self) {
        self.idle().take();
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
