//! A clinic's lane: takes what is queued group by group, and sets apart whoever keeps the clinic waiting.
//!
//! A push whose trial takes longer than a clinic's head may be locked leaves the lane: a task of its own tries its edits
//! one by one without that lock and answers it, while the lane goes on. What its device pushes meanwhile waits behind it,
//! so a device's edits stay in order. Invariant: every job is answered once, or its answer is dropped with the task.

use super::group::{self, Done, GroupError};
use super::intake::{Incoming, digest};
use super::{Answer, MergeError, QUEUE_PUSHES, tell};
use crate::admission::Admission;
use crate::clock::Clock;
use crate::store::Store;
use crate::store::edits::WaitingEdit;
use crate::telemetry::Metrics;
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::limits::GROUP_EDITS_MAX;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// A push.
pub(super) struct Job {
    pub edits: Vec<Incoming>,
    pub answer: Answer,
    /// Its trial has already taken too long.
    pub suspect: bool,
}

impl Job {
    /// One push comes from one session, so from one device.
    fn device(&self) -> Option<DeviceId> {
        self.edits.first().map(|edit| edit.device)
    }
}

/// The task of one clinic's lane. It ends with the merger: it does not hold the queue's other end.
pub(super) struct Drain {
    pub store: Store,
    pub metrics: Arc<Metrics>,
    pub admission: Admission,
    pub clock: Clock,
    pub clinic: ClinicId,
    pub head: watch::Sender<i64>,
    /// Pushes of devices that were set apart, in the order they came.
    pub apart: Mutex<HashMap<DeviceId, VecDeque<Job>>>,
}

/// Forgets a device that is apart if its task ends before its pushes are answered.
struct Watched<'a> {
    lane: &'a Drain,
    device: DeviceId,
    over: bool,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.lane.apart().remove(&self.device);
        }
    }
}

impl Drain {
    /// Drains the queue, group by group.
    pub async fn run(self: Arc<Self>, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.recv().await {
            let mut edits = first.edits.len();
            let mut jobs = vec![first];
            while edits < GROUP_EDITS_MAX {
                let Ok(job) = queue.try_recv() else { break };
                edits = edits.saturating_add(job.edits.len());
                jobs.push(job);
            }
            self.merge(jobs).await;
        }
    }

    /// Merges a group; whoever makes it take too long is set apart, and the others are merged without.
    async fn merge(self: &Arc<Self>, jobs: Vec<Job>) {
        let mut jobs: Vec<Job> = jobs.into_iter().filter_map(|job| self.let_pass(job)).collect();
        while !jobs.is_empty() {
            match self.attempt(&jobs, false).await {
                Ok(done) => return self.answer(jobs, done),
                Err(GroupError::TooLong(suspects)) => jobs = self.set_apart(jobs, &suspects),
                Err(error) => return self.fail(jobs, &error),
            }
        }
    }

    async fn attempt(&self, jobs: &[Job], apart: bool) -> Result<Done, GroupError> {
        let edits = jobs.iter().flat_map(|job| job.edits.iter().cloned()).collect();
        let began = Instant::now();
        let merged =
            group::merge(&self.store, &self.admission, self.clinic, edits, self.clock.now(), apart).await;
        self.metrics.merge_seconds.observe(began.elapsed().as_secs_f64());
        merged
    }

    fn answer(self: &Arc<Self>, jobs: Vec<Job>, done: Done) {
        self.metrics.count_fates(&done.fates);
        let mut fates = done.fates.into_iter();
        for job in jobs {
            // A session that went away will ask again and be told `Duplicate`.
            let _ = job.answer.send(Ok(fates.by_ref().take(job.edits.len()).collect()));
        }
        // After the answers: who pushed hears of the fates before the page that tells everybody.
        tell(&self.head, done.head);
        if !done.left.is_empty() {
            tokio::spawn(Arc::clone(self).look_again(done.left));
        }
    }

    fn fail(&self, jobs: Vec<Job>, error: &GroupError) {
        let clinic = self.clinic;
        tracing::error!(%clinic, %error, source = ?std::error::Error::source(error), "merge failed");
        let told = match error {
            GroupError::Admission(_) | GroupError::TooLong(_) => MergeError::Busy,
            GroupError::Store(_) => MergeError::Failed,
        };
        for job in jobs {
            let _ = job.answer.send(Err(told));
        }
    }

    fn apart(&self) -> MutexGuard<'_, HashMap<DeviceId, VecDeque<Job>>> {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The push itself, unless its device is apart: then it waits behind the device's earlier ones.
    fn let_pass(&self, job: Job) -> Option<Job> {
        let Some(device) = job.device() else { return Some(job) };
        let mut apart = self.apart();
        let Some(waiting) = apart.get_mut(&device) else { return Some(job) };
        if waiting.len() < QUEUE_PUSHES {
            waiting.push_back(job);
        } else {
            let _ = job.answer.send(Err(MergeError::Busy));
        }
        None
    }

    /// Sets apart the devices that pushed one of these edits, each with all it pushed here, and returns the others' pushes.
    fn set_apart(self: &Arc<Self>, jobs: Vec<Job>, suspects: &[Vec<u8>]) -> Vec<Job> {
        let mut devices: BTreeMap<DeviceId, VecDeque<Job>> = BTreeMap::new();
        let (mut others, mut jobs) = (Vec::new(), jobs);
        for job in &mut jobs {
            job.suspect = job.edits.iter().any(|edit| suspects.contains(&digest(&edit.signed.envelope)));
            if let Some(device) = job.device().filter(|_| job.suspect) {
                devices.entry(device).or_default();
            }
        }
        for job in jobs {
            match job.device().and_then(|device| devices.get_mut(&device)) {
                Some(waiting) => waiting.push_back(job),
                None => others.push(job),
            }
        }
        if devices.is_empty() {
            // Nobody to blame, and nothing to be gained by trying it all once more.
            self.fail(std::mem::take(&mut others), &GroupError::TooLong(suspects.to_vec()));
        }
        for (device, waiting) in devices {
            tracing::warn!(clinic = %self.clinic, %device, "a device keeps its clinic waiting and is set apart");
            self.apart().insert(device, waiting);
            tokio::spawn(Arc::clone(self).merge_apart(device));
        }
        others
    }

    /// Merges what a device pushed until nothing is left, beside the lane.
    async fn merge_apart(self: Arc<Self>, device: DeviceId) {
        let mut watched = Watched { lane: &self, device, over: false };
        while let Some(job) = self.next_apart(device) {
            let (suspect, jobs) = (job.suspect, vec![job]);
            let together = if suspect { None } else { Some(self.attempt(&jobs, false).await) };
            let merged = match together {
                None | Some(Err(GroupError::TooLong(_))) => self.attempt(&jobs, true).await,
                Some(merged) => merged,
            };
            match merged {
                Ok(done) => self.answer(jobs, done),
                Err(error) => self.fail(jobs, &error),
            }
        }
        watched.over = true;
    }

    /// A device's next push; without one it is apart no more.
    fn next_apart(&self, device: DeviceId) -> Option<Job> {
        let mut apart = self.apart();
        let next = apart.get_mut(&device).and_then(VecDeque::pop_front);
        if next.is_none() {
            apart.remove(&device);
        }
        next
    }

    /// Looks again at edits whose trial took too long in the lane.
    async fn look_again(self: Arc<Self>, waiting: Vec<WaitingEdit>) {
        let (clinic, now) = (self.clinic, self.clock.now());
        match group::look_again_apart(&self.store, &self.admission, clinic, waiting, now).await {
            Ok(Some(done)) => tell(&self.head, done.head),
            Ok(None) => {}
            Err(error) => tracing::warn!(%clinic, %error, "looking again at waiting edits failed"),
        }
    }
}
