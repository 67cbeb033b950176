//! One attack: who tries, in which context, with which statement, and what the rules say must come of it.

use super::rights::Role;
use std::fmt;
use uuid::Uuid;

/// What `neonpro.clinic_id` is when the statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Never set on this connection.
    Never,
    /// What a transaction leaves behind.
    Empty,
    /// Something that is no clinic at all.
    Malformed,
    /// A clinic nobody has.
    Unknown,
    /// This one.
    Clinic(Uuid),
}

impl Context {
    /// The statement that sets it; nothing for [`Context::Never`].
    #[must_use]
    pub fn sql(self) -> String {
        match self {
            Self::Never => String::new(),
            Self::Empty => "set local neonpro.clinic_id = '';".to_owned(),
            Self::Malformed => "set local neonpro.clinic_id = ''' or true --';".to_owned(),
            Self::Unknown => {
                "set local neonpro.clinic_id = '00000000-0000-4000-8000-000000000000';".to_owned()
            }
            Self::Clinic(id) => format!("set local neonpro.clinic_id = '{id}';"),
        }
    }

    #[must_use]
    pub fn clinic(self) -> Option<Uuid> {
        match self {
            Self::Clinic(id) => Some(id),
            _ => None,
        }
    }
}

/// Who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    pub role: Role,
    pub context: Context,
}

/// How the statement goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// As it is.
    Plain,
    /// `COPY … TO STDOUT`: its lines are the result.
    CopyOut,
    /// `COPY … FROM STDIN` with this input.
    CopyIn(String),
}

/// What must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Rows whose first column names exactly these clinics; empty: no row.
    Clinics(Vec<Uuid>),
    /// The first column of the first row.
    Value(String),
    /// A measured plan that returned this many rows.
    Measured(usize),
    /// The right is missing (42501).
    Denied,
    /// Nothing happens, and nothing is refused either.
    NoEffect,
    /// Nothing happens: refused, or no row.
    Shut,
    /// It changes exactly this many rows; a key or a ledger may still refuse it (class 23).
    Touched(usize),
    /// It is let through; a key or a ledger may still refuse it (class 23).
    Permitted,
    /// Refused with one of these SQLSTATEs or classes, by this constraint if one is named.
    Refused(&'static [&'static str], Option<String>),
    /// Whatever becomes of it also becomes of this other statement.
    SameAs(String),
}

/// Which part of the matrix a cell belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Grant,
    Read,
    Write,
    Key,
    Function,
    Session,
}

/// One attack.
#[derive(Debug, Clone)]
pub struct Cell {
    pub group: Group,
    /// Relation or function it aims at.
    pub target: String,
    pub identity: Identity,
    /// What is tried, in words.
    pub what: String,
    pub way: Way,
    pub sql: String,
    pub expect: Expect,
    /// Whether rows of other clinics are looked at afterwards.
    pub writes: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, identity, what, .. } = self;
        write!(f, "{target}: {what}, as {:?} in {:?}", identity.role, identity.context)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// First columns of the rows of the last statement that had any, and rows touched.
    Done { values: Vec<String>, touched: u64 },
    /// SQLSTATE and constraint.
    Refused { code: String, constraint: Option<String> },
    /// The server began to send a copy.
    Copying,
}

impl Cell {
    /// Whether the outcome is what the rules say. `twin` is the outcome of the other statement of `Expect::SameAs`.
    #[must_use]
    pub fn holds(&self, outcome: &Outcome, twin: Option<&Outcome>) -> bool {
        match (&self.expect, outcome) {
            (Expect::Clinics(expected), Outcome::Done { values, .. }) => {
                let mut found: Vec<&str> = values.iter().map(String::as_str).collect();
                found.sort_unstable();
                found.dedup();
                let mut expected: Vec<String> = expected.iter().map(Uuid::to_string).collect();
                expected.sort_unstable();
                found == expected
            }
            (Expect::Value(expected), Outcome::Done { values, .. }) => values.first() == Some(expected),
            (Expect::Measured(rows), Outcome::Done { values, .. }) => {
                let whole = [format!("actual rows={rows} "), format!("actual rows={rows}.00 ")];
                values.first().is_some_and(|line| whole.iter().any(|rows| line.contains(rows)))
            }
            // A context that does not read may fail before the right is asked for.
            (Expect::Denied, Outcome::Refused { code, .. }) => {
                code == "42501" || self.identity.context == Context::Malformed && code == "22P02"
            }
            (Expect::NoEffect | Expect::Shut, Outcome::Done { values, touched }) => {
                values.is_empty() && *touched == 0
            }
            (Expect::Permitted, Outcome::Done { .. }) | (Expect::Shut, Outcome::Refused { .. }) => true,
            (Expect::Touched(rows), Outcome::Done { touched, .. }) => *touched == *rows as u64,
            (Expect::Permitted | Expect::Touched(_), Outcome::Refused { code, .. }) => code.starts_with("23"),
            (Expect::Refused(codes, by), Outcome::Refused { code, constraint }) => {
                codes.iter().any(|expected| code.starts_with(expected))
                    && by.as_ref().is_none_or(|by| constraint.as_ref() == Some(by))
            }
            (Expect::SameAs(_), outcome) => twin == Some(outcome),
            _ => false,
        }
    }
}
