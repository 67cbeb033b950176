//! The command line: one function per command.

mod audit;
mod erase;
mod escrow;
mod keys;
pub(crate) mod output;
mod people;
mod quarantine;
mod subjects;
mod tokens;

use clap::{Parser, Subcommand};
use neonpro_server::config::{DatabaseArgs, ServeArgs};
use neonpro_server::serve::Server;
use neonpro_server::{clock, demo, import, scope, telemetry};
use serde_json::json;
use std::error::Error;

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
    EnrolTicket(people::TicketArgs),
    /// Revoke a tablet: its sessions end at once, nothing of it is merged any more.
    Revoke(people::DeviceArgs),
    /// Tablets: have one destroy what it holds.
    #[command(subcommand)]
    Device(people::DeviceCommand),
    /// Merge the unsent work a tablet sealed to its clinic, from the file beside its replica.
    RecoverOutbox(escrow::RecoverArgs),
    /// Say who may write on a tablet.
    DevicePeople(people::DevicePeopleArgs),
    /// Change a member's role, or end the membership.
    Membership(people::MembershipArgs),
    /// Verify or export the audit.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Edits that were set aside: list, show, release, discard.
    Quarantine(quarantine::QuarantineArgs),
    /// Erase a patient's data: plan, run, list, certificate, read-restricted.
    Erase(erase::EraseArgs),
    /// What patients ask of their data: register, answer, list, statement.
    Subject(subjects::SubjectArgs),
    /// Incidents: a lost tablet and whose data it held, with the clock.
    Incident(subjects::IncidentArgs),
    /// Keys of clinics: status, rotate, rewrap.
    Keys(keys::KeysArgs),
    /// Tokens other software calls the API with: make, list, revoke.
    Token(tokens::TokenArgs),
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
    /// Scope bundles: make keys, sign, verify, install.
    Scope(scope::ScopeArgs),
    /// Try changes read from standard input. The server starts this itself.
    #[command(hide = true)]
    AdmissionWorker,
}

impl Arguments {
    /// Whether this process is a worker: it has no runtime, no logs and no database.
    pub(crate) const fn is_worker(&self) -> bool {
        matches!(self.command, Command::AdmissionWorker)
    }
}

/// Runs one command.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    match arguments.command {
        Command::Serve(args) => serve(args).await,
        Command::EnrolTicket(args) => people::enrol_ticket(args).await,
        Command::Revoke(args) => people::revoke(args).await,
        Command::Device(people::DeviceCommand::Wipe(args)) => people::wipe(args).await,
        Command::RecoverOutbox(args) => escrow::recover(args).await,
        Command::DevicePeople(args) => people::device_people(args).await,
        Command::Membership(args) => people::membership(args).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Quarantine(args) => quarantine::run(args).await,
        Command::Erase(args) => erase::run(args).await,
        Command::Subject(args) => subjects::run(args).await,
        Command::Incident(args) => subjects::incident(args).await,
        Command::Keys(args) => keys::run(args).await,
        Command::Token(args) => tokens::run(args).await,
        Command::DemoData { database, patients, seed } => {
            let open = database.open().await?;
            let network =
                demo::network(seed, clock::now(), demo::DemoSize { patients, ..Default::default() })?;
            demo::load(&open.store, &network, clock::now()).await?;
            for clinic in &network.clinics {
                output::line(&json!({ "clinic": clinic.id, "name": clinic.name }).to_string());
            }
            Ok(open.close().await?)
        }
        Command::Import(args) => import::command(args, &output::line).await,
        // Never gets here: a worker runs without a runtime.
        Command::AdmissionWorker => Ok(()),
        Command::Scope(args) => scope::command(args, &output::line).await,
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
