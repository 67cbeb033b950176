//! Signed edits. See tests/doors/src/envelope.rs.
#![no_main]

neonpro_fuzz::target!("envelope");
