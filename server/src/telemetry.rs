//! Logs and metrics. Neither ever holds patient data: ids, counts, codes and durations only.

use neonpro_contract::wire::EditFate;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tracing_subscriber::EnvFilter;

/// Label of the edit counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FateLabel {
    fate: &'static str,
}

/// Label of the admission counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AdmissionLabel {
    outcome: &'static str,
}

/// Everything `/metrics` shows.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Open sync sessions.
    pub sessions: Gauge,
    /// Edits by fate.
    pub edits: Family<FateLabel, Counter>,
    /// Feed pages sent.
    pub pages: Counter,
    /// Bytes of frames received.
    pub bytes_received: Counter,
    /// Bytes of frames sent.
    pub bytes_sent: Counter,
    /// Digest disagreements: each is a defect to be found.
    pub digest_mismatches: Counter,
    /// Devices that have not confirmed a purge in time.
    pub purges_overdue: Gauge,
    /// Requests of patients and incidents that are past their deadline.
    pub duties_overdue: Gauge,
    /// Rounds of upkeep over all clinics.
    pub upkeep_rounds: Counter,
    /// Duration of group commits.
    pub merge_seconds: Histogram,
    /// Edits tried by admission workers.
    pub admission: Family<AdmissionLabel, Counter>,
    /// Admission workers that died over a batch.
    pub admission_deaths: Counter,
    /// Time a group waited for admission.
    pub admission_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("neonpro");
        let metrics = Self {
            sessions: Gauge::default(),
            edits: Family::default(),
            pages: Counter::default(),
            bytes_received: Counter::default(),
            bytes_sent: Counter::default(),
            digest_mismatches: Counter::default(),
            purges_overdue: Gauge::default(),
            duties_overdue: Gauge::default(),
            upkeep_rounds: Counter::default(),
            merge_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            admission: Family::default(),
            admission_deaths: Counter::default(),
            admission_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
            registry: Registry::default(),
        };
        registry.register("sync_sessions", "Open sync sessions", metrics.sessions.clone());
        registry.register("edits", "Edits by fate", metrics.edits.clone());
        registry.register("feed_pages", "Feed pages sent", metrics.pages.clone());
        registry.register_with_unit(
            "received",
            "Frames received",
            Unit::Bytes,
            metrics.bytes_received.clone(),
        );
        registry.register_with_unit("sent", "Frames sent", Unit::Bytes, metrics.bytes_sent.clone());
        registry.register("digest_mismatches", "Digest disagreements", metrics.digest_mismatches.clone());
        registry.register(
            "purges_overdue",
            "Devices that have not confirmed a purge in time",
            metrics.purges_overdue.clone(),
        );
        registry.register(
            "duties_overdue",
            "Requests of patients and incidents past their deadline",
            metrics.duties_overdue.clone(),
        );
        registry.register(
            "upkeep_rounds",
            "Rounds of upkeep over all clinics",
            metrics.upkeep_rounds.clone(),
        );
        registry.register_with_unit("merge", "Group commits", Unit::Seconds, metrics.merge_seconds.clone());
        metrics.register_admission(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_admission(&self, registry: &mut Registry) {
        registry.register("admission_edits", "Edits tried by admission workers", self.admission.clone());
        registry.register(
            "admission_worker_deaths",
            "Admission workers that died over a batch",
            self.admission_deaths.clone(),
        );
        registry.register_with_unit(
            "admission",
            "Time a group waited for admission",
            Unit::Seconds,
            self.admission_seconds.clone(),
        );
    }

    /// Counts what admission workers found.
    pub fn count_admission(&self, admitted: usize, failed: usize) {
        for (outcome, count) in [("admitted", admitted), ("failed", failed)] {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.admission.get_or_create(&AdmissionLabel { outcome }).inc_by(count);
        }
    }

    /// Counts the fates of a group.
    pub fn count_fates(&self, fates: &[EditFate]) {
        for fate in fates {
            self.edits.get_or_create(&FateLabel { fate: fate.fate.as_str() }).inc();
        }
    }

    /// `OpenMetrics` text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Starts structured logs on standard error. `NEONPRO_LOG` holds a filter such as `info,neonpro_server=debug`.
pub fn start_logs(json: bool) {
    let filter = EnvFilter::try_from_env("NEONPRO_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (tests) keeps the first.
    let _ = if json { builder.json().try_init() } else { builder.compact().try_init() };
}
