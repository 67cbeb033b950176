//! Stories: real tablets, a real server, a real Postgres.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

mod stories {
    mod api;
    mod attack;
    mod audit;
    mod boundaries;
    mod consent;
    mod convergence;
    mod copies;
    mod epochs;
    mod escrow;
    mod photos;
    mod revocation;
    mod scope;
    mod set_aside;
    mod shares;
    mod sizes;
    mod wipe;
}
