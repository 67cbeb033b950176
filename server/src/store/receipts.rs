//! Purge receipts: what each device was asked to purge, and what it has confirmed.

use super::documents::purpose_number;
use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::DeviceId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use neonpro_contract::wire::Receipt;
use sqlx_core::row::Row as _;
use uuid::Uuid;

/// A document that devices hold and must purge.
#[derive(Debug, Clone, Copy)]
pub struct PurgeOrder {
    /// Feed number of the withdrawal.
    pub seq: i64,
    /// The document.
    pub document: DocumentId,
    /// Its purpose: devices that never see it have nothing to purge.
    pub purpose: Purpose,
}

/// A device that has left withdrawals unanswered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPurges {
    /// The device.
    pub device: Uuid,
    /// Its name.
    pub name: String,
    /// Whether it is active; a revoked one will never answer.
    pub active: bool,
    /// How many documents.
    pub documents: i64,
    /// When the oldest was withdrawn.
    pub since: ServerInstant,
}

fn small(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

impl Scoped {
    /// Asks every device that may hold these documents for a receipt. One that was revoked before may hold them too:
    /// it is asked, and stays listed.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_purge_orders(
        &mut self,
        orders: &[PurgeOrder],
        now: ServerInstant,
    ) -> StoreResult<()> {
        if orders.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        let hidden: Vec<i16> = Purpose::ALL
            .into_iter()
            .filter(|purpose| !Audience::FrontDesk.sees(*purpose))
            .map(purpose_number)
            .collect();
        sqlx_core::query::query(
            "insert into sync.receipts (clinic_id, device_id, seq, table_id, record_id, facet, withdrawn_at) \
             select $1, d.id, u.seq, u.table_id, u.record_id, u.facet, $2::timestamptz \
             from unnest($3::bigint[], $4::smallint[], $5::uuid[], $6::smallint[], $7::smallint[]) \
             as u(seq, table_id, record_id, facet, purpose) \
             join sync.devices d on d.clinic_id = $1 and d.last_seen_at is not null \
             and (d.audience <> 'front_desk' or u.purpose <> all($8)) on conflict do nothing",
        )
        .bind(clinic)
        .bind(instant_text(now.0))
        .bind(orders.iter().map(|order| order.seq).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| small(order.document.table.0)).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.document.record.0).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| i16::from(order.document.facet.0)).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| purpose_number(order.purpose)).collect::<Vec<_>>())
        .bind(hidden)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("asking for purge receipts"))?;
        Ok(())
    }

    /// Keeps what a device confirmed. A receipt for something that was never withdrawn changes nothing.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_purged(
        &mut self,
        device: DeviceId,
        receipts: &[Receipt],
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        // A device that was never asked (it was just being enrolled) answers what the feed told it.
        sqlx_core::query::query(
            "insert into sync.receipts (clinic_id, device_id, seq, table_id, record_id, facet, withdrawn_at, \
             purged_at, received_at, how) \
             select $1, $2, f.seq, f.table_id, f.record_id, f.facet, f.merged_at, \
             least(to_timestamp(u.purged_at / 1e6), $3::timestamptz), $3::timestamptz, 'receipt' \
             from unnest($4::bigint[], $5::smallint[], $6::uuid[], $7::smallint[], $8::bigint[]) \
             as u(seq, table_id, record_id, facet, purged_at) \
             join sync.feed f on f.clinic_id = $1 and f.kind = 3 and f.seq = u.seq and f.table_id = u.table_id \
             and f.record_id = u.record_id and f.facet = u.facet \
             on conflict (clinic_id, device_id, seq) do update set purged_at = excluded.purged_at, \
             received_at = excluded.received_at, how = excluded.how where sync.receipts.purged_at is null",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(instant_text(now.0))
        .bind(receipts.iter().map(|receipt| receipt.seq).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| small(receipt.document.table.0)).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| receipt.document.record.0).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| i16::from(receipt.document.facet.0)).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| receipt.purged_at.0.clamp(0, now.0)).collect::<Vec<_>>())
        .execute(self.connection())
        .await
        .map_err(StoreError::during("keeping purge receipts"))?;
        Ok(())
    }

    /// A device has fetched everything anew, beginning at this feed number: what was withdrawn up to there it was not
    /// given, and what it held of it before it has swept away.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_purged_by_first_sync(
        &mut self,
        device: DeviceId,
        began_at: i64,
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "update sync.receipts set purged_at = $4::timestamptz, received_at = $4::timestamptz, how = 'first_sync' \
             where clinic_id = $1 and device_id = $2 and seq <= $3 and purged_at is null",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(began_at)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("closing purge receipts"))?;
        Ok(())
    }

    /// Devices that have not answered withdrawals made before an instant, longest first.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_open_purges(&mut self, before: ServerInstant) -> StoreResult<Vec<OpenPurges>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select d.id, d.name, d.state = 'active', count(*), \
             (extract(epoch from min(r.withdrawn_at)) * 1000000)::bigint \
             from sync.receipts r join sync.devices d on d.clinic_id = r.clinic_id and d.id = r.device_id \
             where r.clinic_id = $1 and r.purged_at is null and r.withdrawn_at < $2::timestamptz \
             group by d.id, d.name, d.state order by min(r.withdrawn_at), d.id",
        )
        .bind(clinic)
        .bind(instant_text(before.0))
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading open purges"))?;
        let unreadable = |_| StoreError::Unreadable("sync.receipts");
        rows.iter()
            .map(|row| {
                Ok(OpenPurges {
                    device: row.try_get(0).map_err(unreadable)?,
                    name: row.try_get(1).map_err(unreadable)?,
                    active: row.try_get(2).map_err(unreadable)?,
                    documents: row.try_get(3).map_err(unreadable)?,
                    since: ServerInstant(row.try_get(4).map_err(unreadable)?),
                })
            })
            .collect()
    }
}
