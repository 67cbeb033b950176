//! Real sockets on this machine.
