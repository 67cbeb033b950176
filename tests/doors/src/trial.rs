//! The worker's trial, from the server's own source: not a copy, and without building a server.

#[path = "../../../server/src/admission/message.rs"]
#[expect(dead_code, reason = "the conversation around the messages is the server's")]
mod message;
#[path = "../../../server/src/admission/scratch.rs"]
mod scratch;

pub use message::{Base, Step, Verdict};
pub use scratch::Scratch;
