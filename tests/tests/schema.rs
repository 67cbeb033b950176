//! The migrated schema: equal to the catalogue, and right in what it does by itself. That it keeps clinics apart is
//! proven in `isolation.rs`.
//!
//! Runs against a real cluster, one database per test, each a copy of one migrated template.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

mod schema {
    mod agenda;
    mod columns;
    mod ledgers;
    mod questions;
    mod sample;
    mod stock;
}
