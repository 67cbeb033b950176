//! The simulated world: real Postgres, real server code, real replicas, for stories, properties and measurements.
//!
//! Never mocks what can be run. Invariant: every world has a database of its own, so tests run in parallel and share
//! nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    missing_docs,
    reason = "this crate is test support: a broken world should stop the test where it broke"
)]

pub mod backup;
pub mod bench;
pub mod browser;
pub mod canary;
pub mod cluster;
pub mod compare;
pub mod demo;
pub mod device;
pub mod fleet;
pub mod http;
pub mod isolation;
pub mod pages;
pub mod process;
pub mod raw;
pub mod sim;
pub mod sql;
pub mod statements;
pub mod tap;
pub mod weather;
pub mod world;

pub use neonpro_doors::poison;
