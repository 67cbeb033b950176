//! The NeonPro server: sync, merge, fan-out and what operators need around them.
//!
//! Owns the canonical Postgres tables through one door ([`store`]). Never trusts a clinic, an author or a time
//! from a payload. Invariant: an answer leaves the server only after the transaction it speaks of committed.

#[macro_use]
mod crash;
pub mod clock;
pub mod config;
pub mod postgres;
pub mod database;
pub mod actor;
pub mod store;
pub mod merge;
pub mod reconcile;
pub mod sync;
pub mod jobs;
pub mod tls;
pub mod http;
pub mod state;
pub mod serve;
pub mod telemetry;
pub mod demo;
pub mod import;
