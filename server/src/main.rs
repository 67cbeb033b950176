//! `neonpro-server`: the commands an operator runs.

mod commands;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    if arguments.is_worker() {
        return neonpro_server::admission::worker::run();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return commands::output::failed(&error),
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => commands::output::failed(error.as_ref()),
    }
}
