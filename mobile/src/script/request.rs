//! What may be asked of a scripted tablet: one JSON object per line.
//!
//! Owns the reading of a request. Never touches the replica. Invariant: a request that is not understood is refused
//! whole, with its id where it has one; an unknown key is an error, not a silence.

use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::{AuthorId, EditId, RecordId};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::path::PathBuf;

/// How long `sync` and `wait` take at most unless told otherwise, ms.
pub const TIMEOUT_MS_DEFAULT: u64 = 30_000;
/// Rows a `query` answers with unless told otherwise.
pub const QUERY_ROWS_DEFAULT: usize = 100;

fn timeout_default() -> u64 {
    TIMEOUT_MS_DEFAULT
}

fn rows_default() -> usize {
    QUERY_ROWS_DEFAULT
}

/// One thing to do.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Enrol with a ticket and create the replica.
    Enrol {
        /// The ticket.
        ticket: String,
        /// The tablet's name.
        name: String,
    },
    /// Go online and wait until everything is settled and caught up.
    Sync {
        /// Limit, ms.
        #[serde(default = "timeout_default")]
        timeout_ms: u64,
    },
    /// Stop talking to the server.
    Offline {},
    /// Talk to the server again, without waiting.
    Online {},
    /// Read with SQL.
    Query {
        /// One SELECT.
        sql: String,
        /// Its parameters.
        #[serde(default)]
        params: Vec<Json>,
        /// Rows at most.
        #[serde(default = "rows_default")]
        limit: usize,
    },
    /// One edit over several documents.
    Edit {
        /// Who does it.
        author: AuthorId,
        /// What is done to which records.
        documents: Vec<DocumentRequest>,
    },
    /// Create one record.
    Create {
        /// Table.
        table: String,
        /// Who does it.
        author: AuthorId,
        /// Field → value.
        values: Map<String, Json>,
    },
    /// Change one record.
    Update {
        /// Table.
        table: String,
        /// Record.
        record: RecordId,
        /// Who does it.
        author: AuthorId,
        /// Field → value.
        #[serde(default)]
        values: Map<String, Json>,
        /// Or operations.
        #[serde(default)]
        ops: Vec<FieldOp>,
    },
    /// The three facts and the connection.
    Status {},
    /// What was set aside.
    Attention {},
    /// Disputed fields.
    Conflicts {},
    /// Send a set-aside edit again.
    Resend {
        /// Which.
        edit: EditId,
    },
    /// Find patients.
    Search {
        /// Words.
        text: String,
        /// Patients at most.
        #[serde(default = "rows_default")]
        limit: usize,
    },
    /// One record and its state.
    Row {
        /// Table.
        table: String,
        /// Record.
        record: RecordId,
    },
    /// Who may use the tablet.
    Users {},
    /// Where a patient stands on every purpose.
    Consent {
        /// Whose.
        patient: RecordId,
    },
    /// The digest of everything this tablet holds.
    Digest {},
    /// Keep a picture or a PDF, so that an edit may name it.
    KeepFile {
        /// Where it lies.
        path: PathBuf,
    },
    /// Write a file that is here into a new file.
    FetchFile {
        /// Its address.
        address: String,
        /// Where to.
        to: PathBuf,
    },
    /// Wait for a state.
    Wait {
        /// For which.
        until: Until,
        /// Limit, ms.
        #[serde(default = "timeout_default")]
        timeout_ms: u64,
    },
    /// Tell from now on when these tables change; an empty list means all.
    Watch {
        /// Tables.
        #[serde(default)]
        tables: Vec<String>,
    },
    /// Close the replica and end.
    Quit {},
}

/// Operations on one record within an edit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentRequest {
    /// Table.
    pub table: String,
    /// Record; a new one where it is left out.
    #[serde(default)]
    pub record: Option<RecordId>,
    /// Whether the edit creates it.
    #[serde(default)]
    pub create: bool,
    /// Operations, in order.
    #[serde(default)]
    pub ops: Vec<FieldOp>,
}

/// A state to wait for.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Until {
    /// The first value of the first row of a query.
    Query {
        /// One SELECT.
        sql: String,
        /// Its parameters.
        #[serde(default)]
        params: Vec<Json>,
        /// Equal to this.
        #[serde(default)]
        equals: Option<Json>,
        /// A number of at least this.
        #[serde(default)]
        at_least: Option<f64>,
    },
    /// Every named member of the status has this value.
    Status {
        /// The subset.
        status: Map<String, Json>,
    },
}

/// A line that asks for nothing that can be done.
#[derive(Debug)]
pub struct Malformed {
    /// The id, where one could be read.
    pub id: Json,
    /// What is wrong with it.
    pub why: String,
}

/// Reads one line.
///
/// # Errors
/// It is not JSON, not an object, or not a known request.
pub fn read(line: &[u8]) -> Result<(Json, Command), Malformed> {
    let mut object: Map<String, Json> = serde_json::from_slice(line).map_err(|error| Malformed {
        id: Json::Null,
        why: format!("a request is one JSON object per line: {error}"),
    })?;
    let id = object.remove("id").unwrap_or(Json::Null);
    match Command::deserialize(Json::Object(object)) {
        Ok(command) => Ok((id, command)),
        Err(error) => Err(Malformed { id, why: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(line: &str) -> String {
        match read(line.as_bytes()) {
            Ok(_) => "understood".to_owned(),
            Err(malformed) => malformed.why,
        }
    }

    #[test]
    fn a_request_keeps_its_id_even_when_it_is_refused() {
        let refused = read(br#"{"id":"a7","do":"dance"}"#).err().unwrap();
        assert_eq!(refused.id, "a7");
        assert!(refused.why.contains("dance"));
    }

    #[test]
    fn an_unknown_key_is_an_error_and_not_a_silence() {
        assert!(why(r#"{"do":"offline","for":"ever"}"#).contains("for"));
        assert!(why(r#"{"do":"query","sql":"SELECT 1","parms":[]}"#).contains("parms"));
        assert!(why(r#"{"do":"wait","until":{"sql":"SELECT 1","equal":1}}"#).contains("Until"));
        assert_eq!(why(r#"{"do":"offline"}"#), "understood");
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for line in ["", "nonsense", "[1]", "null", "{\"do\":", "\u{0}"] {
            assert_ne!(why(line), "understood", "{line}");
        }
    }

    #[test]
    fn operations_are_those_of_an_edit() {
        let line = r#"{"id":1,"do":"edit","author":"01900000-0000-7000-8000-000000000001","documents":[
            {"table":"patients","ops":[{"op":"add","field":"allergies","member":"dipirona"}]}]}"#;
        let (_, command) = read(line.as_bytes()).unwrap_or_else(|error| panic!("{}", error.why));
        let Command::Edit { documents, .. } = command else { panic!("an edit") };
        assert_eq!(documents[0].ops[0].field(), "allergies");
    }
}
