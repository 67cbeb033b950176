//! Import.
pub mod local_time;
