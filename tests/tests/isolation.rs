//! Isolation proven by attack: every cell of the matrix, and every mutation noticed by it.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests stop the test where it broke; the run tells how much it tried"
)]

mod isolation {
    mod answers;
    mod matrix;
    mod session;
}
