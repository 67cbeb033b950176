//! The migrated schema: equal to the catalogue, closed between clinics, and right in what it does by itself.
//!
//! Runs against a real cluster, one database per test, each a copy of one migrated template.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may take the short way"
)]

#[path = "schema/cluster.rs"]
mod cluster;
#[path = "schema/sample.rs"]
mod sample;

#[path = "schema/agenda.rs"]
mod agenda;
#[path = "schema/columns.rs"]
mod columns;
#[path = "schema/isolation.rs"]
mod isolation;
#[path = "schema/questions.rs"]
mod questions;
#[path = "schema/stock.rs"]
mod stock;
