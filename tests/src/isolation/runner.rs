//! Runs cells: each within a savepoint, as who it says, and rolled back before the next. The connection is a
//! superuser's that steps down, so that what a cell did to others can be looked at before it is undone.

use super::cell::{Cell, Context, Expect, Outcome, Way};
use super::rights::Role;
use super::scene::{Scene, Target};
use crate::sql::Refusal;
use futures_util::StreamExt;
use sqlx_core::Either;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgConnection;
use std::fmt::Write as _;
use uuid::Uuid;

/// One transaction in which cells run.
pub struct Runner<'a> {
    conn: &'a mut PgConnection,
    look: String,
    /// Rows of other clinics before anything was tried.
    before: String,
}

impl<'a> Runner<'a> {
    /// Opens the transaction. `change` runs in it first, as superuser: a mutation of the schema.
    pub async fn open(conn: &'a mut PgConnection, scene: &Scene, change: &str) -> Self {
        let begun = send(conn, &format!("begin; {change}")).await;
        assert!(matches!(begun, Outcome::Done { .. }), "{change}: {begun:?}");
        Self::within(conn, scene).await
    }

    /// Takes over a transaction that was begun.
    pub async fn within(conn: &'a mut PgConnection, scene: &Scene) -> Self {
        let now = send(conn, "select pg_current_xact_id()").await;
        let Outcome::Done { values, .. } = now else { panic!("{now:?}") };
        let look = damage(scene.targets.iter(), scene.own(), &values[0]);
        let mut runner = Self { conn, look, before: String::new() };
        runner.before = runner.seen().await;
        send(runner.conn, "savepoint cell").await;
        runner
    }

    /// Runs one cell; what is wrong with it, if something is.
    pub async fn run(&mut self, cell: &Cell) -> Option<String> {
        let outcome = self.attempt(cell, &cell.sql).await;
        let happened = matches!(outcome, Outcome::Done { .. });
        if cell.writes && happened {
            let after = self.seen().await;
            if after != self.before {
                return Some(format!("{cell}: rows of another clinic were touched ({after}): {}", cell.sql));
            }
        }
        let twin = match &cell.expect {
            Expect::SameAs(sql) => Some(self.attempt(cell, sql).await),
            _ => None,
        };
        if cell.holds(&outcome, twin.as_ref()) {
            return None;
        }
        Some(format!("{cell}: expected {:?}, got {outcome:?} {twin:?}: {}", cell.expect, cell.sql))
    }

    /// Runs cells until one is not as it should be.
    pub async fn first_violation(&mut self, cells: impl Iterator<Item = &Cell>) -> Option<String> {
        for cell in cells {
            let violation = self.run(cell).await;
            if violation.is_some() {
                return violation;
            }
        }
        None
    }

    /// Undoes everything.
    pub async fn close(self) {
        let done = send(self.conn, "rollback").await;
        assert!(matches!(done, Outcome::Done { .. }), "{done:?}");
    }

    async fn attempt(&mut self, cell: &Cell, sql: &str) -> Outcome {
        let step_down = match cell.identity.role {
            Role::Superuser => String::new(),
            Role::Login | Role::Nobody => {
                format!("set local session authorization {};", cell.identity.role.name())
            }
            // Whoever serves logged in as the login and took a role.
            Role::Server | Role::Reference => format!(
                "set local session authorization neonpro_login; set local role {};",
                cell.identity.role.name()
            ),
            Role::Owner => format!("set local role {};", cell.identity.role.name()),
        };
        let before =
            format!("rollback to savepoint cell; deallocate all; {step_down}{}", cell.identity.context.sql());
        match &cell.way {
            Way::Plain => send(self.conn, &format!("{before}{sql}")).await,
            Way::CopyOut => {
                // The driver's COPY loses its place in the protocol when it is refused (sqlx 0.9.0), its plain statement
                // does not: so it is asked first whether there is a copy to be had.
                let asked = send(self.conn, &format!("{before}{sql}")).await;
                if asked != Outcome::Copying {
                    return asked;
                }
                send(self.conn, &before).await;
                copy_out(self.conn, sql).await
            }
            Way::CopyIn(input) => {
                send(self.conn, &before).await;
                copy_in(self.conn, sql, input).await
            }
        }
    }

    /// Rows of other clinics: how many there are, how many were written since the transaction began.
    async fn seen(&mut self) -> String {
        let look = format!("reset session authorization; reset role; {}", self.look);
        match send(self.conn, &look).await {
            Outcome::Done { values, .. } => values.join(" "),
            other => panic!("{other:?}: {look}"),
        }
    }
}

/// Whether a connection never named a clinic.
pub async fn is_untouched(conn: &mut PgConnection) -> bool {
    let asked = send(conn, "select current_setting('neonpro.clinic_id', true) is null").await;
    matches!(asked, Outcome::Done { values, .. } if values == ["t"])
}

/// Those that need a connection which never named a clinic come first.
pub fn order(cells: &mut [Cell]) {
    cells.sort_by_key(|cell| cell.identity.context != Context::Never);
}

fn damage<'t>(targets: impl Iterator<Item = &'t Target>, own: Uuid, since: &str) -> String {
    let mut sql = String::from("select sum(n) || '/' || sum(w) from (");
    let mut first = true;
    for target in targets {
        let relation = &target.relation;
        let judged = matches!(target.class, super::rights::Class::Tenant) && !relation.is_view();
        if !judged {
            continue;
        }
        let union = if first { "" } else { " union all " };
        first = false;
        let _ = write!(
            sql,
            "{union}select count(*) n, count(*) filter (where xmin::text::bigint > {since}) w from {} \
             where clinic_id <> '{own}'",
            relation.name
        );
    }
    sql + ") all_tables"
}

/// Sends a simple query of one or more statements.
async fn send(conn: &mut PgConnection, sql: &str) -> Outcome {
    let mut answers = raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(conn);
    let (mut rows, mut done) = (Vec::new(), Outcome::Done { values: Vec::new(), touched: 0 });
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(Either::Right(row)) => {
                let first = row.len() > 0;
                let value = first.then(|| row.try_get_raw(0).unwrap().as_str().unwrap_or("null").to_owned());
                rows.push(value.unwrap_or_default());
            }
            Ok(Either::Left(result)) => {
                done = Outcome::Done { values: std::mem::take(&mut rows), touched: result.rows_affected() };
            }
            Err(sqlx_core::Error::Protocol(_)) if sql.contains("copy ") => return Outcome::Copying,
            Err(error) => return refused(&error, sql),
        }
    }
    done
}

fn refused(error: &sqlx_core::Error, sql: &str) -> Outcome {
    let Refusal { code, constraint } = Refusal::of(error, sql);
    Outcome::Refused { code, constraint }
}

async fn copy_out(conn: &mut PgConnection, sql: &str) -> Outcome {
    let mut lines = match conn.copy_out_raw(sql).await {
        Ok(lines) => lines,
        Err(error) => return refused(&error, sql),
    };
    let mut text = Vec::new();
    while let Some(part) = lines.next().await {
        match part {
            Ok(part) => text.extend_from_slice(&part),
            Err(error) => return refused(&error, sql),
        }
    }
    let values: Vec<String> = String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
    Outcome::Done { touched: values.len() as u64, values }
}

async fn copy_in(conn: &mut PgConnection, sql: &str, input: &str) -> Outcome {
    let mut copy = match conn.copy_in_raw(sql).await {
        Ok(copy) => copy,
        Err(error) => return refused(&error, sql),
    };
    if let Err(error) = copy.send(input.as_bytes()).await {
        return refused(&error, sql);
    }
    match copy.finish().await {
        Ok(touched) => Outcome::Done { values: Vec::new(), touched },
        Err(error) => refused(&error, sql),
    }
}
