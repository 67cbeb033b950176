//! What this crate's tests share: a scripted server that speaks real frames, replicas on real files, sample records.

pub(crate) mod escrow;
pub(crate) mod line;
pub(crate) mod samples;
pub(crate) mod server;
pub(crate) mod world;
