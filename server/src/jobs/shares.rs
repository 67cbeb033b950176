//! Keeps shares in line with referrals and consents, and the copies in other clinics in line with the records here.
//!
//! A share is a function of its referral and the patient's consent: nothing else opens or ends one, so a run that was
//! missed is made up for by the next. Invariant: what another clinic holds was read as the clinic that gives it and
//! written as the clinic that receives it, in one transaction.

mod copies;

use crate::actor::Actor;
use crate::state::AppState;
use crate::store::audit::AuditRecord;
use crate::store::shares::{Referral, Share};
use crate::store::{Scoped, Store, StoreResult};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::consent::{ConsentEvent, Standing, standing};
use neonpro_contract::ids::{ClinicId, PatientId};
use neonpro_contract::share::{Closed, open};
use neonpro_contract::time::ServerInstant;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Runs until the server stops: whenever a clinic moved, its shares are looked at.
pub(super) async fn run(state: AppState) {
    loop {
        let moved = tokio::select! {
            moved = state.moved.next() => moved,
            () = state.stopping() => return,
        };
        for clinic in moved {
            match settle_shares(&state.store, clinic, state.clock.now()).await {
                Ok(told) => told.into_iter().for_each(|clinic| state.merger.wake(clinic)),
                Err(error) => {
                    tracing::warn!(%clinic, %error, "settling shares failed; the next round tries again")
                }
            }
        }
    }
}

/// Opens, ends and brings up to date the shares a clinic gives. Returns the clinics that were told something.
///
/// # Errors
/// A database failure; the clinics settled so far stay settled.
pub async fn settle_shares(store: &Store, from: ClinicId, now: ServerInstant) -> StoreResult<Vec<ClinicId>> {
    let mut scoped = store.begin(&Actor::system(from)).await?;
    let given = Given::read(&mut scoped).await?;
    let due = given.due(&mut scoped, now).await?;
    scoped.commit().await?;
    let mut told = Vec::new();
    for to in due {
        if settle_pair(store, from, to, now).await? {
            told.push(to);
        }
    }
    Ok(told)
}

/// Referrals, shares and consents of a clinic, as of one transaction.
struct Given {
    referrals: Vec<Referral>,
    shares: HashMap<Uuid, Share>,
    consents: HashMap<PatientId, Vec<ConsentEvent>>,
}

impl Given {
    async fn read(scoped: &mut Scoped) -> StoreResult<Self> {
        let referrals = scoped.list_referrals_abroad().await?;
        if referrals.is_empty() {
            // Most clinics, at every merge. A share stays in line with a referral, which is never deleted.
            return Ok(Self { referrals, shares: HashMap::new(), consents: HashMap::new() });
        }
        let shares: HashMap<Uuid, Share> =
            scoped.list_shares_given().await?.into_iter().map(|share| (share.referral, share)).collect();
        let patients: BTreeSet<Uuid> = referrals.iter().map(|referral| referral.patient).collect();
        let consents = scoped.list_consents(&patients.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self { referrals, shares, consents })
    }

    fn consent(&self, patient: Uuid, now: ServerInstant) -> Standing {
        let events = self.consents.get(&PatientId(patient)).map_or(&[][..], Vec::as_slice);
        standing(events, Purpose::DataSharing, now.0)
    }

    fn wanted(&self, referral: &Referral, now: ServerInstant) -> Result<(), Closed> {
        open(&referral.status, referral.retired, self.consent(referral.patient, now))
    }

    /// Clinics whose copies are not what they should be.
    async fn due(&self, scoped: &mut Scoped, now: ServerInstant) -> StoreResult<BTreeSet<ClinicId>> {
        let mut due = BTreeSet::new();
        for referral in &self.referrals {
            let wanted = self.wanted(referral, now).is_ok();
            let behind = match self.shares.get(&referral.id) {
                Some(share) if share.open && wanted => {
                    scoped.find_last_seq_of_patient(referral.patient).await? > share.told_seq
                }
                share => share.is_some_and(|share| share.open) != wanted,
            };
            if behind {
                due.insert(referral.to);
            }
        }
        Ok(due)
    }
}

/// Settles what one clinic gives another. Says whether the other was told something.
async fn settle_pair(store: &Store, from: ClinicId, to: ClinicId, now: ServerInstant) -> StoreResult<bool> {
    let Some(mut bridge) = store.bridge(from, to).await? else {
        // Not of one network: a referral on paper. Nothing was ever shared, so nothing has to end.
        return Ok(false);
    };
    let told_seq = bridge.from_head.seq;
    let source = bridge.source().await?;
    // Read again, under both locks.
    let given = Given::read(source).await?;
    let mut patients = BTreeSet::new();
    let mut audit = Vec::new();
    for referral in given.referrals.iter().filter(|referral| referral.to == to) {
        let wanted = given.wanted(referral, now);
        let known = given.shares.get(&referral.id);
        if wanted.is_ok() {
            patients.insert(referral.patient);
        } else if known.is_none() {
            continue;
        }
        let share =
            Share { referral: referral.id, patient: referral.patient, to, open: wanted.is_ok(), told_seq };
        if known.is_some_and(|known| known.open) != share.open {
            audit.push(entry(&share, from, wanted.err().map(Closed::as_str)));
        }
        source.upsert_share(&share, wanted.err().map(Closed::as_str), now).await?;
    }
    source.append_audit(&audit, now).await?;
    let wanted = copies::wanted(source, &patients, &given.referrals, to).await?;
    let told = copies::tell(&mut bridge, from, wanted, now).await?;
    bridge.target().await?.append_audit(&audit, now).await?;
    bridge.commit().await?;
    Ok(told)
}

fn entry(share: &Share, from: ClinicId, why: Option<&'static str>) -> AuditRecord {
    AuditRecord {
        action: if share.open { "share_opened" } else { "share_ended" },
        device: None,
        author: None,
        edit: None,
        code: why,
        detail: json!({ "from": from, "to": share.to, "referral": share.referral }),
    }
}
