//! What people type. See tests/doors/src/identifiers.rs.
#![no_main]

neonpro_fuzz::target!("identifiers");
