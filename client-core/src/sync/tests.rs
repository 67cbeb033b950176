//! Whole exchanges with the scripted server: convergence, refusals, rebases, first syncs, restores.

mod converge;
mod first_sync;
mod line;
mod purges;
mod refusals;
mod restore;
