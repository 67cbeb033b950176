//! Edits tried apart: one by one, on what is committed, without the clinic's lock; merged under it if that still stands.
//!
//! The documents may have moved between the trial and the lock. Then the proof speaks of other heads, and the edit is tried
//! again. Invariant: as everywhere, an edit is merged only into heads a worker merged it with.

use super::admit::{self, Proof};
use super::facts;
use super::group::{Done, GroupError, GroupResult, Round, Tried};
use super::intake::Taken;
use super::judge::answered;
use crate::admission::{APART_ROUNDS_MAX, GUILTY_PER_DEVICE_MAX};
use crate::store::edits::WaitingEdit;
use neonpro_contract::document::ParsedChange;
use neonpro_contract::ids::DeviceId;
use std::collections::HashMap;

/// Guilty edits of each device, in one push.
type Guilty = HashMap<DeviceId, u32>;

impl Round<'_> {
    /// Merges edits one by one. What waits on the server and cannot be tried stays where it is.
    pub(super) async fn one_by_one(&self, taken: Vec<Taken>) -> GroupResult<(Done, Vec<WaitingEdit>)> {
        let (mut all, mut released) = (Done::default(), Vec::new());
        let mut guilty = Guilty::new();
        for edit in taken {
            match self.alone(&edit, &mut guilty).await {
                Ok((done, more)) => {
                    all.fates.extend(done.fates);
                    all.head = done.head;
                    released.extend(more);
                }
                Err(GroupError::TooLong(digests)) if self.retry => {
                    digests.iter().for_each(|digest| self.admission.note_guilty(digest));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((all, released))
    }

    /// Tries one edit and merges it, as often as its documents move in between.
    async fn alone(&self, edit: &Taken, guilty: &mut Guilty) -> GroupResult<(Done, Vec<WaitingEdit>)> {
        let one = std::slice::from_ref(edit);
        for round in 0..APART_ROUNDS_MAX {
            // What only writes maps needs no trial, unless it does not fit by itself.
            let plain = edit.as_ref().is_ok_and(|edit| edit.changes.iter().all(ParsedChange::is_plain));
            let tried = if plain && round == 0 { None } else { self.try_ahead(edit, guilty).await? };
            let round = Round { apart: false, tried: tried.as_ref(), ..*self };
            match Box::pin(round.run(one.to_vec())).await {
                Err(GroupError::TooLong(_)) => {}
                merged => return merged,
            }
        }
        Err(GroupError::TooLong(edit.iter().map(|candidate| candidate.digest.clone()).collect()))
    }

    /// Tries an edit on what is committed; `None` if it is not to be judged.
    async fn try_ahead(&self, edit: &Taken, guilty: &mut Guilty) -> GroupResult<Option<Tried>> {
        let Ok(candidate) = edit else { return Ok(None) };
        let (digest, device) = (candidate.digest.clone(), candidate.envelope.device);
        if guilty.get(&device).is_some_and(|count| *count >= GUILTY_PER_DEVICE_MAX) {
            return Ok(Some(Tried { digest, proof: Proof::Harmful }));
        }
        let mut scoped = self.store.begin_read(&self.actor).await?;
        let (facts, workspace) = facts::read(&mut scoped, std::slice::from_ref(candidate)).await?;
        scoped.rollback().await?;
        if answered(candidate, &facts, self.retry).is_some() {
            return Ok(None);
        }
        let proof = admit::prove_apart(self.admission, candidate, &workspace).await?;
        if matches!(proof, Proof::Harmful) {
            let count = guilty.entry(device).or_insert(0);
            *count = count.saturating_add(1);
        }
        Ok(Some(Tried { digest, proof }))
    }
}
