//! Sync sessions: one WebSocket per tablet, pushes in, fates and pages out.

pub mod session;
mod handshake;
mod puller;
mod page;
mod bootstrap;
mod repair;
mod outbox;
