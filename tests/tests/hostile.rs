//! Hostile input: what an enrolled tablet that went bad may send, and what becomes of it.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

mod hostile {
    mod admission;
    mod changes;
    mod deaths;
    mod process;
    mod replays;
    mod values;
}
