//! The words a tablet handed over, sealed once for everybody they are about: erasing any of them erases the words.

use crate::keys::{Place, Sealer, Subject, key_of, sealed_text, text_of};
use crate::merge::whose;
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::edit::{DocumentId, DocumentIntent, Intent};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Seals the words of an edit.
pub(in crate::store) fn seal(
    sealer: &Sealer,
    subjects: &BTreeSet<Subject>,
    edit: Uuid,
    words: &str,
) -> StoreResult<String> {
    let mut bytes = words.as_bytes().to_vec();
    for subject in subjects {
        bytes = sealer.seal(*subject, Place::Intent(edit), &bytes)?;
    }
    Ok(text_of(&bytes))
}

impl Scoped {
    /// Opens words as they were read; `None` where some of what they are about was erased.
    pub(in crate::store) async fn open_intent(
        &mut self,
        edit: Uuid,
        kept: Option<String>,
    ) -> StoreResult<Option<String>> {
        let unreadable = || StoreError::Unreadable("sync.handovers");
        let Some(kept) = kept else { return Ok(None) };
        let mut bytes = sealed_text(&kept).ok_or_else(unreadable)?;
        // JSON never begins like sealed bytes.
        while let Some(number) = key_of(&bytes) {
            let opener = self.opener(BTreeSet::from([number])).await?;
            let Some(plain) = opener.open(Place::Intent(edit), &bytes)? else { return Ok(None) };
            bytes = plain.to_vec();
        }
        String::from_utf8(bytes).map(Some).map_err(|_| unreadable())
    }

    /// Whose data the documents of an intent hold, by what is here and by what the intent says itself.
    pub(in crate::store) async fn list_subjects(
        &mut self,
        intent: &Intent,
    ) -> StoreResult<Vec<(DocumentId, Subject)>> {
        let mut records: BTreeSet<Uuid> = BTreeSet::new();
        for part in &intent.documents {
            records.insert(part.document.record.0);
            records.extend(whose::linked(part));
        }
        let records: Vec<Uuid> = records.into_iter().collect();
        let known: HashMap<DocumentId, Subject> =
            self.list_documents_of(&records).await?.iter().map(|state| (state.id, state.subject())).collect();
        let patient = |record: Uuid| {
            known.iter().find(|(id, _)| id.record.0 == record).and_then(|(_, subject)| subject.patient)
        };
        let of = |part: &DocumentIntent| (part.document, whose::subject(part, &known, patient));
        Ok(intent.documents.iter().map(of).collect())
    }
}
