//! Frames of the wire. See tests/doors/src/frames.rs.
#![no_main]

neonpro_fuzz::target!("frames");
