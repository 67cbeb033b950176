//! What tablet and server have both signed: the record catalogue, the rules and the wire.
//!
//! Owns every decision both sides must take alike. Never does I/O, never reads a clock, never draws
//! randomness: time, ids and rows are arguments. Invariant: the same input gives the same bytes and
//! the same verdict on a tablet and on the server.

pub mod audit;
pub mod blob;
pub mod catalogue;
pub mod consent;
pub mod digest;
pub mod document;
pub mod edit;
pub mod escrow;
pub mod fate;
pub mod gs1;
pub mod ids;
pub mod limits;
pub mod permissions;
pub mod row;
pub mod scope_of_practice;
pub mod share;
pub mod signature;
pub mod time;
pub mod validate;
pub mod value;
pub mod wire;
pub mod words;
