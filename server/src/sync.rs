//! Sync sessions: one WebSocket per tablet, pushes and reads in, fates and pages out.

mod bootstrap;
mod handshake;
pub mod live;
mod outbox;
mod page;
mod puller;
mod purges;
mod reads;
mod repair;
pub mod session;

pub(crate) use handshake::NOBODYS_KEY;
pub(crate) use page::facet_row;
