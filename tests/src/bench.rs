//! Workloads and the physical limits of the same machine, in one run.
//!
//! The server is its own process (its memory is its own), tablets are real replicas in this one, every byte between
//! them crosses a counting proxy. Nothing here decides a test.

pub mod bed;
pub mod chart;
pub mod consent;
pub mod figures;
pub mod limits;
pub mod page;
pub mod progress;
pub mod proxy;
pub mod screens;
pub mod workloads;
