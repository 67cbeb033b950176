//! An admission worker for servers inside test programs; the server's own program is its worker otherwise.

use std::process::ExitCode;

fn main() -> ExitCode {
    neonpro_server::admission::worker::run()
}
