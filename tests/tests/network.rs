//! Bad lines between tablets and the server: what is cut, slow, led astray or come in a crowd.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

mod network {
    mod astray;
    mod crowds;
    mod cuts;
}
