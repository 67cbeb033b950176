//! Destroying data keys.

use crate::keys::Subject;
use crate::store::documents::purpose_number;
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::ids::PatientId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use std::collections::BTreeSet;

impl Scoped {
    /// Numbers of a patient's keys in use for these purposes.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_key_numbers(
        &mut self,
        patient: PatientId,
        purposes: &BTreeSet<Purpose>,
    ) -> StoreResult<BTreeSet<i64>> {
        let clinic = self.actor().clinic().0;
        let numbers: Vec<i64> = sqlx_core::query_scalar::query_scalar(
            "select id from sync.data_keys where clinic_id = $1 and patient_id = $2 and purpose = any($3) \
             and destroyed_at is null",
        )
        .bind(clinic)
        .bind(patient.0)
        .bind(purposes.iter().map(|purpose| purpose_number(*purpose)).collect::<Vec<_>>())
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading data keys"))?;
        Ok(numbers.into_iter().collect())
    }

    /// Destroys a patient's keys of these purposes; the head is locked. Every server node learns of it with the next
    /// lock of the head, before it seals anything, also where there was no key: what is erased may still come. Returns
    /// how many there were.
    ///
    /// # Errors
    /// A database failure.
    pub async fn destroy_data_keys(
        &mut self,
        patient: PatientId,
        purposes: &BTreeSet<Purpose>,
        now: ServerInstant,
    ) -> StoreResult<u64> {
        let clinic = self.actor().clinic();
        let purposes: Vec<i16> = purposes
            .iter()
            .map(|purpose| purpose_number(Subject::of(Some(patient), *purpose).purpose))
            .collect();
        let destroyed = sqlx_core::query::query(
            "update sync.data_keys set wrapped = '', destroyed_at = $4::timestamptz where clinic_id = $1 \
             and patient_id = $2 and purpose = any($3) and destroyed_at is null",
        )
        .bind(clinic.0)
        .bind(patient.0)
        .bind(purposes)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("destroying data keys"))?
        .rows_affected();
        let (count, seq): (i64, i64) = sqlx_core::query_as::query_as(
            "update sync.heads set keys_destroyed = keys_destroyed + greatest($2, 1) where clinic_id = $1 \
             returning keys_destroyed, seq",
        )
        .bind(clinic.0)
        .bind(i64::try_from(destroyed).unwrap_or(i64::MAX))
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("counting destroyed keys"))?;
        // Not to be used for anything that this transaction still seals, and forgotten by this process when it commits.
        self.keys_destroyed = None;
        self.meets.push((clinic, count, seq));
        Ok(destroyed)
    }
}
