//! Blind indexes: equality of sealed identifiers, asked without opening them.

use super::{Wrapped, bound, wrapped};
use crate::keys::aead::Key;
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::value::instant_text;
use ring::hmac;

/// Bytes of an index: enough that no two of a clinic's patients meet by chance (2^-64 at four billion).
const INDEX_BYTES: usize = 16;
/// Stands for the key of indexes among the purposes.
const INDEX_PURPOSE: i16 = -1;

/// Makes blind indexes of one clinic.
#[derive(Debug)]
pub(in crate::store) struct BlindIndex {
    key: hmac::Key,
}

impl BlindIndex {
    /// The index of a column's value.
    pub fn of(&self, column: &str, value: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(column.as_bytes());
        context.update(b"\0");
        context.update(normal(column, value).as_bytes());
        context.sign().as_ref().iter().take(INDEX_BYTES).copied().collect()
    }
}

/// What counts as the same: an address in any case, a number in any punctuation.
fn normal(column: &str, value: &str) -> String {
    match column {
        "email" => value.trim().to_lowercase(),
        "phone" => value.chars().filter(char::is_ascii_digit).collect(),
        _ => value.to_owned(),
    }
}

impl Scoped {
    /// The clinic's indexes; their key is made with the first one.
    pub(in crate::store) async fn blind_index(&mut self) -> StoreResult<BlindIndex> {
        let clinic = self.actor().clinic();
        let cached = self.fresh.index_key(clinic).or_else(|| self.keys.index_key(clinic));
        let key = match cached {
            Some(key) => key,
            None => self.find_or_make_index_key(clinic).await?,
        };
        Ok(BlindIndex { key: hmac::Key::new(hmac::HMAC_SHA256, key.bytes()) })
    }

    async fn find_or_make_index_key(&mut self, clinic: ClinicId) -> StoreResult<Key> {
        if let Some(key) = self.find_index_key(clinic).await? {
            return Ok(key);
        }
        let (version, clinic_key) = self.clinic_key_in_use().await?;
        let key = Key::random()?;
        let bytes = clinic_key.seal(&bound(clinic, clinic.0, INDEX_PURPOSE), key.bytes())?;
        let made = sqlx_core::query::query(
            "insert into sync.data_keys (clinic_id, patient_id, purpose, clinic_key, wrapped, made_at, id) \
             values ($1, $2, $3, $4, $5, $6::timestamptz, $7) on conflict do nothing returning id",
        )
        .bind(clinic.0)
        .bind(clinic.0)
        .bind(INDEX_PURPOSE)
        .bind(version)
        .bind(bytes)
        .bind(instant_text(crate::clock::now().0))
        .bind(crate::keys::number()?)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("making the key of indexes"))?;
        if made.is_some() {
            self.fresh.keep_index_key(clinic, &key);
            return Ok(key);
        }
        self.find_index_key(clinic).await?.ok_or(StoreError::Missing("key of indexes"))
    }

    async fn find_index_key(&mut self, clinic: ClinicId) -> StoreResult<Option<Key>> {
        let sql = "select id, patient_id, purpose, clinic_key, wrapped from sync.data_keys where clinic_id = $1 \
             and patient_id = $2 and purpose = $3 and destroyed_at is null";
        let row = sqlx_core::query::query(sql)
            .bind(clinic.0)
            .bind(clinic.0)
            .bind(INDEX_PURPOSE)
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::during("reading the key of indexes"))?;
        let Some(found): Option<Wrapped> = row.as_ref().map(wrapped).transpose()? else { return Ok(None) };
        let key = self.unwrap_data_key(&found).await?;
        self.keys.keep_index_key(clinic, &key);
        Ok(Some(key))
    }
}
