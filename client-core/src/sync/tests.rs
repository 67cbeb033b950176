//! Whole exchanges with the scripted server: convergence, refusals, rebases, first syncs, restores.

mod converge;
mod refusals;
mod first_sync;
mod restore;
mod line;
