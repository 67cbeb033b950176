//! `neonpro-tablet`: the tablet app as a program, with its page in a browser or driven by JSON lines.

use clap::{Parser, Subcommand};
use neonpro_client_core::Clock;
use neonpro_contract::ids::AuthorId;
use neonpro_mobile::opening::{open_plain, rekey};
use neonpro_mobile::output;
use neonpro_mobile::pin::Pin;
use neonpro_mobile::script::{self, Place};
use neonpro_mobile::serve::{Served, serve};
use neonpro_mobile::vault::Vault;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Applying a page makes and drops many small values; the system's allocator took a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// NeonPro on a tablet.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the tablet's page on a loopback address.
    Serve {
        /// The replica file.
        #[arg(long)]
        replica: PathBuf,
        /// Its key: 32 bytes, created for its owner alone if missing.
        #[arg(long)]
        key_file: PathBuf,
        /// Enrol with this ticket if there is no replica yet.
        #[arg(long, requires = "name")]
        enrol: Option<String>,
        /// What people call this tablet.
        #[arg(long)]
        name: Option<String>,
        /// Loopback address; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Begin without talking to the server.
        #[arg(long)]
        offline: bool,
    },
    /// Print the checkpoints of the server's audit this tablet holds, for `neonpro-server audit verify --checkpoints`.
    Checkpoints {
        /// The replica file.
        #[arg(long)]
        replica: PathBuf,
        /// Its key.
        #[arg(long)]
        key_file: PathBuf,
    },
    /// Give the replica a new random key. Under PINs, one is read from standard input. The app must not be running.
    Rekey {
        /// The replica file.
        #[arg(long)]
        replica: PathBuf,
        /// Its key file.
        #[arg(long)]
        key_file: PathBuf,
        /// Whose PIN it is, where several people have one.
        #[arg(long)]
        person: Option<AuthorId>,
    },
    /// Answer JSON lines on standard input and output.
    Script {
        /// The replica file.
        #[arg(long)]
        replica: PathBuf,
        /// Its key: 32 bytes, created for its owner alone if missing.
        #[arg(long)]
        key_file: PathBuf,
    },
}

#[tokio::main]
async fn main() {
    // Standard output belongs to the answers.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("NEONPRO_LOG").unwrap_or_else(|_| "warn".into()),
        )
        .init();
    let ended = perform(Arguments::parse().command).await;
    if let Err(error) = &ended {
        output::problem(error.as_ref());
    }
    // Standard input is read on a thread that ends only with the next line: leave without waiting for it.
    std::process::exit(i32::from(ended.is_err()))
}

async fn perform(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Serve { replica, key_file, enrol, name, listen, offline } => {
            let served = Served { replica, key_file, enrol: enrol.zip(name), listen, offline };
            let ready =
                |address: &str| output::line(&serde_json::json!({ "listening": address }).to_string());
            Ok(serve(served, ready, told_to_end()).await?)
        }
        Command::Checkpoints { replica, key_file } => {
            let (replica, _) = open_plain(&replica, &key_file, Clock::system())?;
            for checkpoint in replica.checkpoints()? {
                output::line(&checkpoint.to_line());
            }
            Ok(replica.close()?)
        }
        Command::Rekey { replica, key_file, person } => {
            let opener = opener(&key_file, person)?;
            let rekeyed = move || rekey(&replica, &key_file, opener, Clock::system());
            if tokio::task::spawn_blocking(rekeyed).await?? {
                output::line(&serde_json::json!({ "rekeyed": true }).to_string());
                return Ok(());
            }
            Err("the replica keeps its old key; make room on the storage and try again".into())
        }
        Command::Script { replica, key_file } => {
            let input = tokio::io::BufReader::new(tokio::io::stdin());
            let place = Place { replica, key_file };
            Ok(script::run(place, input, tokio::io::stdout()).await?)
        }
    }
}

/// Who opens a key file under PINs, with the PIN from standard input.
fn opener(key_file: &Path, person: Option<AuthorId>) -> Result<Option<(AuthorId, Pin)>, Box<dyn Error>> {
    let Some(vault) = Vault::read(key_file)? else { return Ok(None) };
    let holders = vault.holders();
    let person = match (person, holders.as_slice()) {
        (Some(person), _) => person,
        (None, [alone]) => alone.person,
        (None, _) => {
            let people: Vec<String> =
                holders.iter().map(|holder| format!("{} ({})", holder.person, holder.name)).collect();
            return Err(format!("say whose PIN it is with --person: {}", people.join(", ")).into());
        }
    };
    let mut typed = zeroize::Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut typed)?;
    Ok(Some((person, Pin::typed(&typed))))
}

/// Resolves on Ctrl-C or SIGTERM.
async fn told_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}
