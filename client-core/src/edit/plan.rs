//! From a draft to documents: fields go to their facets, defaults are filled, values become the field's operation.

use crate::draft::{Draft, DraftDocument, retirement};
use crate::error::EditRejected;
use neonpro_contract::catalogue::{Default, FacetId, Field, Kind, Lifecycle, Table, table};
use neonpro_contract::edit::{DocumentId, DocumentIntent, FieldOp};
use neonpro_contract::ids::RecordId;
use neonpro_contract::limits::EDIT_DOCUMENTS_MAX;
use serde_json::{Value as Json, json};

/// What an edit does to one document.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub document: DocumentId,
    pub table: &'static Table,
    /// The edit creates the record (primary facet only).
    pub create: bool,
    pub ops: Vec<FieldOp>,
}

impl Planned {
    pub fn to_intent(&self) -> DocumentIntent {
        DocumentIntent { document: self.document, create: self.create, ops: self.ops.clone() }
    }
}

/// Splits a draft among documents.
pub(crate) fn documents(
    draft: &Draft,
    captured_us: i64,
    fresh: &mut dyn FnMut() -> RecordId,
) -> Result<Vec<Planned>, EditRejected> {
    let mut planned: Vec<Planned> = Vec::new();
    for part in &draft.documents {
        let table = table(&part.table).ok_or(EditRejected::UnknownTable)?;
        if table.facets.is_empty() {
            return Err(EditRejected::RoleNotAllowed { table: table.name });
        }
        let record = match part.record {
            Some(record) => record,
            None if part.create => fresh(),
            None => return Err(EditRejected::NotFound),
        };
        let mut ops = operations(table, part)?;
        if let Some(reason) = &part.retire {
            if table.lifecycle != Lifecycle::Editable {
                return Err(EditRejected::LedgerAppendOnly { table: table.name });
            }
            ops.extend(retirement(draft.author, captured_us, reason).map(|op| (FacetId(0), op)));
        }
        if part.create {
            ops.extend(defaults(table, &ops, captured_us).map(|op| (FacetId(0), op)).collect::<Vec<_>>());
            document(&mut planned, table, record, FacetId(0)).create = true;
        }
        for (facet, op) in ops {
            document(&mut planned, table, record, facet).ops.push(op);
        }
    }
    match planned.len() {
        0 => Err(EditRejected::NothingToDo),
        many if many > EDIT_DOCUMENTS_MAX => Err(EditRejected::TooLarge),
        _ => Ok(planned),
    }
}

/// Cuts a draft into one per facet, so purposes never share an edit. The parts that create records come first.
pub(crate) fn per_facet(draft: &Draft) -> Result<Vec<Draft>, EditRejected> {
    let mut parts: Vec<(FacetId, DraftDocument)> = Vec::new();
    for part in &draft.documents {
        let table = table(&part.table).ok_or(EditRejected::UnknownTable)?;
        let bare = |facet: FacetId| DraftDocument {
            create: part.create && facet == FacetId(0),
            retire: part.retire.clone().filter(|_| facet == FacetId(0)),
            ops: Vec::new(),
            ..part.clone()
        };
        let mut own: Vec<(FacetId, DraftDocument)> = Vec::new();
        if part.create || part.retire.is_some() {
            own.push((FacetId(0), bare(FacetId(0))));
        }
        for op in &part.ops {
            let field =
                table.field(op.field()).ok_or_else(|| EditRejected::UnknownField(op.field().to_owned()))?.1;
            match own.iter_mut().find(|(facet, _)| *facet == field.facet) {
                Some((_, document)) => document.ops.push(op.clone()),
                None => own.push((field.facet, DraftDocument { ops: vec![op.clone()], ..bare(field.facet) })),
            }
        }
        parts.append(&mut own);
    }
    parts.sort_by_key(|(facet, _)| *facet);
    Ok(parts.into_iter().map(|(_, part)| Draft { author: draft.author, documents: vec![part] }).collect())
}

fn document<'a>(
    planned: &'a mut Vec<Planned>,
    table: &'static Table,
    record: RecordId,
    facet: FacetId,
) -> &'a mut Planned {
    let document = DocumentId { table: table.id, record, facet };
    let at = planned.iter().position(|part| part.document == document).unwrap_or_else(|| {
        planned.push(Planned { document, table, create: false, ops: Vec::new() });
        planned.len().saturating_sub(1)
    });
    #[expect(clippy::indexing_slicing, reason = "the index was found or made just above")]
    &mut planned[at]
}

/// The operations of one part with the facet each belongs to.
fn operations(table: &'static Table, part: &DraftDocument) -> Result<Vec<(FacetId, FieldOp)>, EditRejected> {
    let mut ops = Vec::with_capacity(part.ops.len());
    for op in &part.ops {
        let (_, field) = table
            .field(op.field())
            .filter(|(_, field)| field.kind != Kind::Derived)
            .ok_or_else(|| EditRejected::UnknownField(op.field().to_owned()))?;
        ops.extend(translate(field, op)?.into_iter().map(|op| (field.facet, op)));
    }
    Ok(ops)
}

/// A whole value becomes the operation its kind of field takes.
fn translate(field: &'static Field, op: &FieldOp) -> Result<Vec<FieldOp>, EditRejected> {
    let FieldOp::Put { field: name, value } = op else { return Ok(vec![op.clone()]) };
    let wrong = || EditRejected::WrongOperation(field.name);
    Ok(match (field.kind, value) {
        (Kind::Text, Json::String(text)) => vec![FieldOp::Text { field: name.clone(), value: text.clone() }],
        (Kind::Text, Json::Null) => vec![FieldOp::Text { field: name.clone(), value: String::new() }],
        (Kind::Set, Json::Array(members)) => members
            .iter()
            .map(|member| {
                member.as_str().map(|member| FieldOp::Add { field: name.clone(), member: member.to_owned() })
            })
            .collect::<Option<_>>()
            .ok_or_else(wrong)?,
        (Kind::Json, Json::Object(_)) => vec![FieldOp::Merge { field: name.clone(), patch: value.clone() }],
        (Kind::Set | Kind::Json, Json::Null) => Vec::new(),
        (Kind::Register, _) => vec![op.clone()],
        _ => return Err(wrong()),
    })
}

/// Values of fields nobody filled in. Only the facet that makes the record exist has any.
fn defaults<'a>(
    table: &'static Table,
    given: &'a [(FacetId, FieldOp)],
    captured_us: i64,
) -> impl Iterator<Item = FieldOp> + 'a {
    table
        .facet_fields(FacetId(0))
        .filter(move |(_, field)| given.iter().all(|(_, op)| op.field() != field.name))
        .filter_map(move |(_, field)| {
            let value = match field.default {
                Default::Null | Default::Empty => return None,
                Default::CapturedAt => json!(captured_us),
                fixed => fixed_default(fixed)?,
            };
            Some(FieldOp::Put { field: field.name.to_owned(), value })
        })
}

fn fixed_default(default: Default) -> Option<Json> {
    match default {
        Default::Text(text) => Some(json!(text)),
        Default::Bool(flag) => Some(json!(flag)),
        Default::Int(number) => Some(json!(number)),
        Default::Null | Default::CapturedAt | Default::Empty => None,
    }
}
