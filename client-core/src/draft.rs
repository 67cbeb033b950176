//! What a screen hands over: one thing a person did, in words of records and fields.
//!
//! Pure data. The edit itself splits it among documents, fills defaults and checks it.

use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::{AuthorId, RecordId};
use serde_json::{Value as Json, json};

/// What an edit does to one record.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftDocument {
    /// Name of the table.
    pub table: String,
    /// The record; `None` for one that is created here and gets its id by the edit.
    pub record: Option<RecordId>,
    /// Whether the edit creates it.
    pub create: bool,
    /// What happens to its fields, in order. A `Put` on a long text, a set or an object is read as `Text`, `Add`s or
    /// `Merge`.
    pub ops: Vec<FieldOp>,
    /// Why the record is retired, if it is.
    pub retire: Option<String>,
}

/// One thing a person did. Nothing happens before it is handed to [`crate::Replica::edit`].
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Who did it.
    pub author: AuthorId,
    /// What it does, record by record.
    pub documents: Vec<DraftDocument>,
}

impl Draft {
    /// An empty draft.
    #[must_use]
    pub const fn new(author: AuthorId) -> Self {
        Self { author, documents: Vec::new() }
    }

    /// Creates a record whose id the edit makes.
    #[must_use]
    pub fn create<'a>(self, table: &str, values: impl IntoIterator<Item = (&'a str, Json)>) -> Self {
        self.create_record(table, None, values)
    }

    /// Creates a record under an id made by [`crate::Replica::new_record_id`], so later parts of the draft can name
    /// it.
    #[must_use]
    pub fn create_as<'a>(
        self,
        table: &str,
        record: RecordId,
        values: impl IntoIterator<Item = (&'a str, Json)>,
    ) -> Self {
        self.create_record(table, Some(record), values)
    }

    fn create_record<'a>(
        mut self,
        table: &str,
        record: Option<RecordId>,
        values: impl IntoIterator<Item = (&'a str, Json)>,
    ) -> Self {
        let ops = values
            .into_iter()
            .map(|(field, value)| FieldOp::Put { field: field.to_owned(), value })
            .collect();
        self.documents.push(DraftDocument {
            table: table.to_owned(),
            record,
            create: true,
            ops,
            retire: None,
        });
        self
    }

    /// Replaces a value.
    #[must_use]
    pub fn put(self, table: &str, record: RecordId, field: &str, value: Json) -> Self {
        self.op(table, record, FieldOp::Put { field: field.to_owned(), value })
    }

    /// Replaces a long text; only the difference travels.
    #[must_use]
    pub fn text(self, table: &str, record: RecordId, field: &str, value: &str) -> Self {
        self.op(table, record, FieldOp::Text { field: field.to_owned(), value: value.to_owned() })
    }

    /// Adds a member to a set.
    #[must_use]
    pub fn add(self, table: &str, record: RecordId, field: &str, member: &str) -> Self {
        self.op(table, record, FieldOp::Add { field: field.to_owned(), member: member.to_owned() })
    }

    /// Removes a member from a set, saying why.
    #[must_use]
    pub fn remove(self, table: &str, record: RecordId, field: &str, member: &str, reason: &str) -> Self {
        let (field, member, reason) = (field.to_owned(), member.to_owned(), reason.to_owned());
        self.op(table, record, FieldOp::Remove { field, member, reason })
    }

    /// Merges keys into an object; null removes one.
    #[must_use]
    pub fn merge(self, table: &str, record: RecordId, field: &str, patch: Json) -> Self {
        self.op(table, record, FieldOp::Merge { field: field.to_owned(), patch })
    }

    /// Retires a record, saying why. Nothing is deleted.
    #[must_use]
    pub fn retire(mut self, table: &str, record: RecordId, reason: &str) -> Self {
        self.document(table, record).retire = Some(reason.to_owned());
        self
    }

    /// Does one operation.
    #[must_use]
    pub fn op(mut self, table: &str, record: RecordId, op: FieldOp) -> Self {
        self.document(table, record).ops.push(op);
        self
    }

    fn document(&mut self, table: &str, record: RecordId) -> &mut DraftDocument {
        let found = self.documents.iter().position(|part| part.table == table && part.record == Some(record));
        let at = found.unwrap_or_else(|| {
            self.documents.push(DraftDocument {
                table: table.to_owned(),
                record: Some(record),
                create: false,
                ops: Vec::new(),
                retire: None,
            });
            self.documents.len().saturating_sub(1)
        });
        // The index was found or made just above.
        #[expect(clippy::indexing_slicing, reason = "the index was found or made just above")]
        &mut self.documents[at]
    }
}

/// The operations of a retirement.
pub(crate) fn retirement(author: AuthorId, at_us: i64, reason: &str) -> [FieldOp; 3] {
    let put = |field: &str, value| FieldOp::Put { field: field.to_owned(), value };
    [
        put("retired_at", json!(at_us)),
        put("retired_by", json!(author.0.to_string())),
        put("retired_reason", json!(reason)),
    ]
}
