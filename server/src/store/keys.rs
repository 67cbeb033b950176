//! Keys in the database: clinics' keys wrapped under the master key, data keys wrapped under clinics' keys.
//!
//! Invariant: a key enters the process's ring only when the transaction that made it committed, so nothing is ever
//! sealed under a key that was rolled back; and a cached key seals only while the head is locked, whose count of
//! destroyed keys every destruction raises.

mod destroy;
mod fresh;
mod index;
mod rotate;

pub use rotate::KeyStanding;

pub(super) use fresh::Fresh;

use super::documents::{purpose_number, purpose_of};
use super::{Scoped, Store, StoreError, StoreResult};
use crate::clock;
use crate::keys::aead::Key;
use crate::keys::{KeyError, Opener, Sealer, Subject};
use neonpro_contract::ids::{ClinicId, PatientId};
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use sqlx_postgres::PgRow;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// A wrapped data key as it is kept.
struct Wrapped {
    id: i64,
    patient: Uuid,
    purpose: i16,
    version: i32,
    bytes: Vec<u8>,
}

impl Wrapped {
    /// Whose data it seals; `None` for the key of blind indexes.
    fn subject(&self, clinic: ClinicId) -> Option<Subject> {
        let patient = (self.patient != clinic.0).then_some(PatientId(self.patient));
        purpose_of(self.purpose).map(|purpose| Subject::of(patient, purpose))
    }
}

const WRAPPED: &str = "id, patient_id, purpose, clinic_key, wrapped";

fn wrapped(row: &PgRow) -> StoreResult<Wrapped> {
    let unreadable = |_| StoreError::Unreadable("sync.data_keys");
    Ok(Wrapped {
        id: row.try_get(0).map_err(unreadable)?,
        patient: row.try_get(1).map_err(unreadable)?,
        purpose: row.try_get(2).map_err(unreadable)?,
        version: row.try_get(3).map_err(unreadable)?,
        bytes: row.try_get(4).map_err(unreadable)?,
    })
}

/// The patient and purpose of a key, as columns: the clinic's own id stands for nobody.
fn columns(clinic: ClinicId, subject: Subject) -> (Uuid, i16) {
    (subject.patient.map_or(clinic.0, |id| id.0), purpose_number(subject.purpose))
}

/// What a data key's wrapping is bound to.
fn bound(clinic: ClinicId, patient: Uuid, purpose: i16) -> Vec<u8> {
    let mut bytes = b"neonpro data key v1\0".to_vec();
    bytes.extend_from_slice(clinic.0.as_bytes());
    bytes.extend_from_slice(patient.as_bytes());
    bytes.extend_from_slice(&purpose.to_be_bytes());
    bytes
}

impl Store {
    /// Whether anything was ever wrapped under a master key.
    ///
    /// # Errors
    /// A database failure.
    pub async fn is_keyed(&self) -> StoreResult<bool> {
        let mut connection = self.unscoped().await?;
        sqlx_core::query_scalar::query_scalar("select keyed from sync.server")
            .fetch_one(&mut *connection)
            .await
            .map_err(StoreError::during("asking whether there are keys"))
    }
}

impl Scoped {
    /// Keys to seal with, one per subject; made where there is none.
    ///
    /// # Errors
    /// A database failure, or a key that is not to be had.
    pub(super) async fn sealer(&mut self, subjects: BTreeSet<Subject>) -> StoreResult<Sealer> {
        let clinic = self.actor().clinic();
        let mut keys = HashMap::with_capacity(subjects.len());
        let mut missing = Vec::new();
        for subject in subjects {
            match self.cached(clinic, subject) {
                Some(found) => drop(keys.insert(subject, found)),
                None => missing.push(subject),
            }
        }
        if !missing.is_empty() {
            let mut found = self.find_keys_in_use(&missing).await?;
            missing.retain(|subject| !found.contains_key(subject));
            if !missing.is_empty() {
                found.extend(self.append_data_keys(&missing).await?);
            }
            keys.extend(found);
        }
        Ok(Sealer { clinic, keys })
    }

    /// A key that may seal without asking the database.
    fn cached(&self, clinic: ClinicId, subject: Subject) -> Option<(i64, Key)> {
        let own = self.fresh.key_in_use(clinic, subject);
        own.or_else(|| self.keys.key_in_use(clinic, subject).filter(|_| self.keys_destroyed.is_some()))
    }

    async fn find_keys_in_use(&mut self, subjects: &[Subject]) -> StoreResult<HashMap<Subject, (i64, Key)>> {
        let clinic = self.actor().clinic();
        let (patients, purposes): (Vec<Uuid>, Vec<i16>) =
            subjects.iter().map(|s| columns(clinic, *s)).unzip();
        let sql = format!(
            "select {WRAPPED} from sync.data_keys where clinic_id = $1 and destroyed_at is null \
             and (patient_id, purpose) in (select * from unnest($2::uuid[], $3::smallint[]))"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic.0)
            .bind(patients)
            .bind(purposes)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading data keys"))?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let wrapped = wrapped(row)?;
            let subject = subjects
                .iter()
                .find(|subject| columns(clinic, **subject) == (wrapped.patient, wrapped.purpose));
            let Some(subject) = subject else { continue };
            let key = self.unwrap_data_key(&wrapped).await?;
            self.keys.keep(clinic, wrapped.id, &key);
            self.keys.use_for(clinic, *subject, wrapped.id, self.keys_destroyed);
            found.insert(*subject, (wrapped.id, key));
        }
        Ok(found)
    }

    /// Makes data keys. One that another transaction made in the meantime is taken.
    async fn append_data_keys(&mut self, subjects: &[Subject]) -> StoreResult<HashMap<Subject, (i64, Key)>> {
        let clinic = self.actor().clinic();
        let (version, clinic_key) = self.clinic_key_in_use().await?;
        let mut made = HashMap::with_capacity(subjects.len());
        let (mut patients, mut purposes, mut wrapped) = (Vec::new(), Vec::new(), Vec::new());
        let mut numbers = Vec::new();
        for subject in subjects {
            let (patient, purpose) = columns(clinic, *subject);
            let key = Key::random()?;
            wrapped.push(clinic_key.seal(&bound(clinic, patient, purpose), key.bytes())?);
            numbers.push(crate::keys::number()?);
            patients.push(patient);
            purposes.push(purpose);
            made.insert((patient, purpose), (*subject, key));
        }
        let rows = sqlx_core::query::query(
            "insert into sync.data_keys (clinic_id, id, patient_id, purpose, clinic_key, wrapped, made_at) \
             select $1, u.id, u.patient, u.purpose, $2, u.wrapped, $3::timestamptz \
             from unnest($4::uuid[], $5::smallint[], $6::bytea[], $7::bigint[]) as u(patient, purpose, wrapped, id) \
             on conflict do nothing returning id, patient_id, purpose",
        )
        .bind(clinic.0)
        .bind(version)
        .bind(instant_text(clock::now().0))
        .bind(&patients)
        .bind(&purposes)
        .bind(&wrapped)
        .bind(&numbers)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("making data keys"))?;
        let unreadable = |_| StoreError::Unreadable("sync.data_keys");
        let mut kept = HashMap::with_capacity(rows.len());
        for row in &rows {
            let (patient, purpose): (Uuid, i16) =
                (row.try_get(1).map_err(unreadable)?, row.try_get(2).map_err(unreadable)?);
            let Some((subject, key)) = made.remove(&(patient, purpose)) else { continue };
            let id = row.try_get(0).map_err(unreadable)?;
            self.fresh.keep(clinic, subject, id, &key);
            kept.insert(subject, (id, key));
        }
        let others: Vec<Subject> = made.into_values().map(|(subject, _)| subject).collect();
        if !others.is_empty() {
            kept.extend(self.find_keys_in_use(&others).await?);
        }
        Ok(kept)
    }

    /// Keys to open with. One that was destroyed is not among them.
    ///
    /// # Errors
    /// A database failure, or a key that is not to be had.
    pub(super) async fn opener(&mut self, numbers: impl IntoIterator<Item = i64>) -> StoreResult<Opener> {
        let clinic = self.actor().clinic();
        let mut numbers: Vec<i64> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut keys = HashMap::with_capacity(numbers.len());
        let unknown = self.fresh.unsealers(clinic, numbers, &mut keys);
        let missing = self.keys.unsealers(clinic, unknown, &mut keys);
        if missing.is_empty() {
            return Ok(Opener { clinic, keys });
        }
        let sql = format!(
            "select {WRAPPED} from sync.data_keys where clinic_id = $1 and id = any($2) and destroyed_at is null"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic.0)
            .bind(missing)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading data keys"))?;
        for row in &rows {
            let wrapped = wrapped(row)?;
            let key = self.unwrap_data_key(&wrapped).await?;
            self.keys.keep(clinic, wrapped.id, &key);
            // Whoever reads a patient will often write next.
            if let Some(subject) = wrapped.subject(clinic) {
                self.keys.use_for(clinic, subject, wrapped.id, self.keys_destroyed.or(self.keys_seen));
            }
            keys.extend(key.unsealer().map(|key| (wrapped.id, key)));
        }
        Ok(Opener { clinic, keys })
    }

    async fn unwrap_data_key(&mut self, wrapped: &Wrapped) -> StoreResult<Key> {
        let clinic = self.actor().clinic();
        let clinic_key = self.clinic_key(wrapped.version).await?;
        let opened = clinic_key.open(&bound(clinic, wrapped.patient, wrapped.purpose), &wrapped.bytes);
        let key = opened.and_then(|bytes| Key::from_bytes(&bytes));
        Ok(key.ok_or(KeyError::DamagedData { clinic, key: wrapped.id })?)
    }

    /// A version of the clinic's key.
    async fn clinic_key(&mut self, version: i32) -> StoreResult<Key> {
        let clinic = self.actor().clinic();
        let own = self.fresh.clinic_key(clinic, version);
        if let Some(key) = own.or_else(|| self.keys.clinic_key(clinic, version)) {
            return Ok(key);
        }
        let row = sqlx_core::query::query(
            "select master_id, wrapped from sync.clinic_keys where clinic_id = $1 and version = $2",
        )
        .bind(clinic.0)
        .bind(version)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("reading a clinic's key"))?
        .ok_or(StoreError::Missing("clinic key"))?;
        let unreadable = |_| StoreError::Unreadable("sync.clinic_keys");
        let (by, bytes): (String, Vec<u8>) =
            (row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?);
        let keys = self.keys.clone();
        Ok(crate::keys::apart(move || keys.unwrap(clinic, version, &by, &bytes)).await?)
    }

    /// The version that wraps new data keys; the first one is made here.
    async fn clinic_key_in_use(&mut self) -> StoreResult<(i32, Key)> {
        let newest = "select max(version) from sync.clinic_keys where clinic_id = $1";
        let clinic = self.actor().clinic();
        if let Some(version) = self.find_version(newest).await? {
            return Ok((version, self.clinic_key(version).await?));
        }
        if self.append_clinic_key(1).await? {
            return Ok((1, self.clinic_key(1).await?));
        }
        // Another transaction made it first, and has committed: the insert waited for it.
        let version = self.find_version(newest).await?.ok_or(StoreError::Missing("clinic key"))?;
        tracing::debug!(%clinic, "the clinic's key was made by another transaction");
        Ok((version, self.clinic_key(version).await?))
    }

    async fn find_version(&mut self, sql: &'static str) -> StoreResult<Option<i32>> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(sql)
            .bind(clinic)
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::during("reading a clinic's key"))
    }

    /// Makes a version of the clinic's key; `false` if it is there already.
    pub(super) async fn append_clinic_key(&mut self, version: i32) -> StoreResult<bool> {
        let clinic = self.actor().clinic();
        let key = Key::random()?;
        let (keys, secret) = (self.keys.clone(), key.clone());
        let bytes = crate::keys::apart(move || keys.wrap(clinic, version, &secret)).await?;
        let made = sqlx_core::query::query(
            "insert into sync.clinic_keys (clinic_id, version, master_id, wrapped, made_at) \
             values ($1, $2, $3, $4, $5::timestamptz) on conflict do nothing",
        )
        .bind(clinic.0)
        .bind(version)
        .bind(self.keys.master()?.id().to_owned())
        .bind(bytes)
        .bind(instant_text(clock::now().0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("making a clinic's key"))?;
        if made.rows_affected() == 0 {
            return Ok(false);
        }
        self.fresh.keep_clinic_key(clinic, version, &key);
        // From now on nobody may start with a master key made on the spot.
        sqlx_core::query::query("update sync.server set keyed = true where not keyed")
            .execute(self.connection())
            .await
            .map_err(StoreError::during("noting the first key"))?;
        Ok(true)
    }
}
