//! The tablet's page in a real Chromium, over real replicas, a real server and a real Postgres.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

mod browser {
    mod day;
    mod screens;
}
