//! The tablet app: screens rendered in Rust over one replica, and a tablet driven by JSON lines.
//!
//! Owns what a person sees and types, and what a script asks. Never talks to the server by itself and never touches
//! the replica's file: `client-core` does both. Invariant: whatever a person typed is either saved or still on the
//! screen.

pub mod access;
pub mod app;
pub mod assets;
pub mod enrolling;
pub mod evidence;
pub mod failure;
pub mod forms;
mod front;
pub mod guard;
pub mod handed;
pub mod key_file;
pub mod keystore;
pub mod lock;
pub mod opening;
pub mod output;
pub mod picture;
pub mod pin;
pub mod qr;
pub mod read;
pub mod report;
pub mod router;
pub mod screens;
pub mod script;
pub mod serve;
pub mod text;
pub mod unopened;
pub mod vault;
pub mod visit;
pub mod wipe;
pub mod write;
pub mod zone;
