//! Changes, the strict reader and the worker's trial. See tests/doors/src/admission.rs.
#![no_main]

neonpro_fuzz::target!("admission");
