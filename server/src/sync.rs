//! Sync sessions: one WebSocket per tablet, pushes in, fates and pages out.

mod bootstrap;
mod handshake;
mod outbox;
mod page;
mod puller;
mod purges;
mod repair;
pub mod session;
