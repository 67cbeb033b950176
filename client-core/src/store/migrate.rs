//! Bringing a replica file to the schema this app knows, keeping its data.
//!
//! Numbered steps under `migrations/sqlite` for the bookkeeping (`user_version`); the tables of records follow the
//! catalogue by adding what is missing. Invariant: a step runs whole or not at all.

use super::schema;
use crate::error::ReplicaError;
use neonpro_contract::catalogue::TABLES;
use rusqlite::{Connection, TransactionBehavior};
use std::collections::BTreeSet;

/// Steps in order; the index after a step is the `user_version` it leads to.
const STEPS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_sync.sql"),
    include_str!("../../../migrations/sqlite/0002_seen.sql"),
    include_str!("../../../migrations/sqlite/0003_people.sql"),
    include_str!("../../../migrations/sqlite/0004_reads.sql"),
    include_str!("../../../migrations/sqlite/0005_receipts.sql"),
    include_str!("../../../migrations/sqlite/0006_set_aside.sql"),
    include_str!("../../../migrations/sqlite/0007_escrow.sql"),
    include_str!("../../../migrations/sqlite/0008_blobs.sql"),
];

/// Runs what is missing.
pub(crate) fn run(conn: &mut Connection) -> Result<(), ReplicaError> {
    run_steps(conn, STEPS)
}

fn run_steps(conn: &mut Connection, steps: &[&str]) -> Result<(), ReplicaError> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(ReplicaError::NewerApp { found, known });
    }
    for (at, step) in steps.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.execute_batch(&format!("PRAGMA user_version = {}", at.saturating_add(1)))?;
        tx.commit()?;
    }
    follow_catalogue(conn)
}

/// Adds tables, columns and indexes the catalogue has and the file has not.
fn follow_catalogue(conn: &mut Connection) -> Result<(), ReplicaError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in TABLES {
        let existing: BTreeSet<String> = tx
            .prepare("SELECT name FROM pragma_table_info(?1)")?
            .query_map([table.name], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if existing.is_empty() {
            tx.execute_batch(&schema::create_table(table))?;
            continue;
        }
        for (name, kind) in schema::columns(table).filter(|(name, _)| !existing.contains(*name)) {
            tx.execute_batch(&format!("ALTER TABLE {} ADD COLUMN {name} {kind}", table.name))?;
        }
    }
    if !first_sync_runs(&tx)? {
        schema::create_indexes(&tx)?;
    }
    tx.commit()?;
    Ok(())
}

/// During a first sync the indexes wait for its end.
fn first_sync_runs(conn: &Connection) -> Result<bool, ReplicaError> {
    Ok(conn.prepare("SELECT 1 FROM sync_meta WHERE bootstrap IS NOT NULL")?.exists([])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_is_brought_forward_and_keeps_its_data() {
        let mut conn = Connection::open_in_memory().unwrap();
        run_steps(&mut conn, &STEPS[..1]).unwrap();
        // An older catalogue: a column and a table that came later are missing.
        conn.execute_batch(
            "INSERT INTO patients (id, name) VALUES (x'00112233445566778899aabbccddeeff', 'Ana');
             ALTER TABLE patients DROP COLUMN duplicate_of;
             DROP TABLE inventory_lots;
             INSERT INTO sync_intent (edit, state, captured_at, intent, envelope, signature)
                VALUES (x'01', 0, 1, '{}', x'', x'');",
        )
        .unwrap();
        run(&mut conn).unwrap();
        run(&mut conn).unwrap();
        let kept: (String, Option<String>) = conn
            .query_row("SELECT name, duplicate_of FROM patients", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(kept, ("Ana".to_owned(), None));
        let waiting: i64 = conn.query_row("SELECT count(*) FROM sync_intent", [], |row| row.get(0)).unwrap();
        assert_eq!(waiting, 1);
        conn.query_row("SELECT count(*) FROM inventory_lots, sync_seen", [], |_| Ok(())).unwrap();
    }

    #[test]
    fn a_file_of_a_newer_app_is_left_alone() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("PRAGMA user_version = 99").unwrap();
        assert!(matches!(run(&mut conn), Err(ReplicaError::NewerApp { found: 99, .. })));
    }

    #[test]
    fn every_column_of_the_catalogue_exists() {
        let mut conn = Connection::open_in_memory().unwrap();
        run(&mut conn).unwrap();
        for table in TABLES {
            let statements = schema::statements(table).unwrap();
            for sql in [&statements.insert_new, &statements.select, &statements.delete] {
                conn.prepare(sql).unwrap();
            }
        }
        for (table, column) in schema::INDEXES {
            let known = neonpro_contract::catalogue::table(table).unwrap().field(column);
            assert!(known.is_some(), "{table}.{column}");
        }
    }
}
