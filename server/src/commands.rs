//! The command line: one function per command.

pub(crate) mod output;

use clap::{Parser, Subcommand};
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::permissions::Audience;
use neonpro_server::actor::Actor;
use neonpro_server::config::{DatabaseArgs, ServeArgs};
use neonpro_server::database::Database;
use neonpro_server::serve::Server;
use neonpro_server::tls::Tls;
use neonpro_server::{clock, demo, http, import, telemetry};
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;

/// Offline-first clinics: sync, merge, canonical records.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve tablets.
    Serve(ServeArgs),
    /// Make a one-time enrolment ticket for a tablet.
    EnrolTicket {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The clinic's id.
        #[arg(long)]
        clinic: ClinicId,
        /// Where the tablet reaches the server.
        #[arg(long, default_value = "https://127.0.0.1:8443")]
        url: String,
        /// A front-desk tablet: never receives treatment or photographs.
        #[arg(long)]
        front_desk: bool,
        /// Certificate (PEM) the server uses, if not its own self-signed one.
        #[arg(long, requires = "tls_key")]
        tls_certificate: Option<PathBuf>,
        /// Its key.
        #[arg(long)]
        tls_key: Option<PathBuf>,
    },
    /// Revoke a tablet.
    Revoke {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The clinic's id.
        #[arg(long)]
        clinic: ClinicId,
        /// The device's id.
        #[arg(long)]
        device: DeviceId,
    },
    /// Load a generated demo network (3 clinics) and print its clinics.
    DemoData {
        #[command(flatten)]
        database: DatabaseArgs,
        /// Number of patients in the network.
        #[arg(long, default_value_t = 2_000)]
        patients: u32,
        /// Seed of the generator.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Import public data sets: TUSS, ANVISA, appointments.
    Import(import::ImportArgs),
}

/// Runs one command.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    match arguments.command {
        Command::Serve(args) => serve(args).await,
        Command::EnrolTicket { database, clinic, url, front_desk, tls_certificate, tls_key } => {
            let tls = match (tls_certificate, tls_key) {
                (Some(certificate), Some(key)) => Tls::load(&certificate, &key)?,
                _ => Tls::load_or_make(&database.data_dir().await?, &[])?,
            };
            let audience = if front_desk { Audience::FrontDesk } else { Audience::Clinical };
            let open = Database::open(&database.source().await?).await?;
            let code = http::enrol::make_code(&open.store, clinic, audience, clock::now()).await?;
            output::line(&http::enrol::ticket(&url, &tls.fingerprint, &code));
            Ok(open.close().await?)
        }
        Command::Revoke { database, clinic, device } => revoke(&database, clinic, device).await,
        Command::DemoData { database, patients, seed } => {
            let open = Database::open(&database.source().await?).await?;
            let network =
                demo::network(seed, clock::now(), demo::DemoSize { patients, ..Default::default() })?;
            demo::load(&open.store, &network, clock::now()).await?;
            for clinic in &network.clinics {
                output::line(&json!({ "clinic": clinic.id, "name": clinic.name }).to_string());
            }
            Ok(open.close().await?)
        }
        Command::Import(args) => import::command(args, &output::line).await,
    }
}

async fn serve(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    telemetry::start_logs(args.log_json);
    let mut server = Server::start(&args).await?;
    output::line(&json!({ "listening": server.url(), "fingerprint": server.fingerprint }).to_string());
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
        error = server.crashed() => {
            tracing::error!(%error, "the embedded PostgreSQL died");
            server.stop().await?;
            return Err(error.into());
        }
    }
    tracing::info!("stopping");
    Ok(server.stop().await?)
}

async fn revoke(database: &DatabaseArgs, clinic: ClinicId, device: DeviceId) -> Result<(), Box<dyn Error>> {
    let open = Database::open(&database.source().await?).await?;
    let mut scoped = open.store.begin(&Actor::system(clinic)).await?;
    let revoked = scoped.mark_device_revoked(device, clock::now()).await?;
    scoped.commit().await?;
    output::line(if revoked { "revoked" } else { "no such active device in this clinic" });
    Ok(open.close().await?)
}
