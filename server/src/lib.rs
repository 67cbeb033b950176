//! The NeonPro server: sync, merge, fan-out and what operators need around them.
//!
//! Owns the canonical Postgres tables through one door ([`store`]). Never trusts a clinic, an author or a time
//! from a payload. Invariant: an answer leaves the server only after the transaction it speaks of committed.

#[macro_use]
mod crash;
pub mod actor;
pub mod admission;
pub mod audit;
pub mod authority;
pub mod blobs;
pub mod clock;
pub mod config;
pub mod database;
pub mod demo;
pub mod erasure;
pub mod escrow;
pub mod http;
pub mod import;
pub mod jobs;
pub mod keys;
pub mod merge;
pub mod moved;
pub mod paper;
pub mod postgres;
pub mod reconcile;
pub mod scope;
pub mod serve;
pub mod set_aside;
pub mod state;
pub mod store;
pub mod subjects;
pub mod sync;
pub mod telemetry;
pub mod tls;
pub mod tokens;
pub mod words;
