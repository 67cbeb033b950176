//! Documents of a patient, photographs left out.

use super::badge::Badge;
use super::{LIST_ROWS_MAX, list, number, text};
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::blob::Address;

/// A document in a list.
pub struct DocumentView {
    /// Where its file is shown; none while it is not on this tablet.
    pub href: Option<String>,
    /// Title.
    pub title: String,
    /// Kind and day.
    pub detail: String,
    /// Where the record stands.
    pub state: Badge,
}

/// A patient's documents, latest first.
///
/// # Errors
/// What the replica reports.
pub fn list_documents(
    replica: &Replica,
    zone: Zone,
    patient: &str,
) -> Result<Vec<DocumentView>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, title, document_type, file_url, uploaded_at FROM patient_documents
        WHERE patient_id = uuid(?1) AND document_type IS NOT 'photo' AND retired_at IS NULL
        ORDER BY uploaded_at DESC, id DESC";
    list(replica, sql, &[patient.into()], LIST_ROWS_MAX)?
        .iter()
        .map(|row| {
            let address = Address::parse(text(row, "file_url"));
            let here = match &address {
                Some(address) => replica.blob_state(address)?.is_some_and(|state| state.here),
                None => false,
            };
            let day = number(row, "uploaded_at").map(|at| zone.date(at)).unwrap_or_default();
            Ok(DocumentView {
                href: address.filter(|_| here).map(|address| format!("/fotos/{}", address.hex())),
                title: text(row, "title").to_owned(),
                detail: format!("{} · {day}", words::documents::kind(text(row, "document_type"))),
                state: Badge::of(replica, "patient_documents", text(row, "id"))?,
            })
        })
        .collect()
}
