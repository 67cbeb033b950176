//! The merge, case by case, on a real Postgres.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

mod merge {
    mod audit;
    mod authority;
    mod cases;
    mod consent;
    mod duties;
    mod erasure;
    mod gate;
    mod innocent;
    mod order;
    mod scope;
    mod scope_sql;
    mod set_aside;
    mod shares;
    mod subjects;
    mod withdrawal;
}
