//! Commands about what patients ask of their data, and about incidents.

use super::output;
use clap::{Args, Subcommand};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, PatientId};
use neonpro_server::actor::Actor;
use neonpro_server::blobs::Blobs;
use neonpro_server::clock;
use neonpro_server::config::{DatabaseArgs, FilesArgs};
use neonpro_server::subjects::{self, Extent, RequestKind};
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use uuid::Uuid;

/// Most entries a list shows.
const LIST_MAX: i64 = 1_000;

/// What patients ask of their data.
#[derive(Debug, Args)]
pub(crate) struct SubjectArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    files: FilesArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    #[command(subcommand)]
    command: SubjectCommand,
}

#[derive(Debug, Subcommand)]
enum SubjectCommand {
    /// Register what a patient asks; prints when it is due.
    Register {
        /// access, export, correction, block, portability, erasure or sharing_list.
        #[arg(long, value_parser = kind)]
        kind: RequestKind,
        /// The patient's id.
        #[arg(long)]
        patient: PatientId,
        /// How it was made sure who asks, e.g. "documento com foto, presencial".
        #[arg(long)]
        identity_check: String,
        /// Who sees to it: a professional's id.
        #[arg(long)]
        owner: AuthorId,
    },
    /// Note the answer.
    Answer {
        /// The request's id.
        #[arg(long)]
        request: Uuid,
        /// Who answered: a professional's id.
        #[arg(long)]
        by: AuthorId,
        /// What was answered.
        #[arg(long)]
        answer: String,
    },
    /// Requests, those due first.
    List {
        /// Answered ones, too.
        #[arg(long)]
        all: bool,
    },
    /// What the clinic holds of a patient, as JSON.
    Statement {
        /// The patient's id.
        #[arg(long)]
        patient: PatientId,
        /// Everything, not only which kinds of data.
        #[arg(long)]
        full: bool,
        /// Who makes it: a professional's id.
        #[arg(long)]
        by: AuthorId,
        /// Write it as a PDF for the patient, too.
        #[arg(long, value_name = "FILE")]
        pdf: Option<PathBuf>,
        /// Write the patient's photographs and documents into this new folder, too.
        #[arg(long, value_name = "FOLDER")]
        files_to: Option<PathBuf>,
    },
}

/// Incidents.
#[derive(Debug, Args)]
pub(crate) struct IncidentArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    #[command(subcommand)]
    command: IncidentCommand,
}

#[derive(Debug, Subcommand)]
enum IncidentCommand {
    /// A tablet was lost: list whose data it may hold, and start the clock. Revoke it first.
    LostDevice {
        /// The device's id.
        #[arg(long)]
        device: DeviceId,
        /// Who opens it: a professional's id.
        #[arg(long)]
        by: AuthorId,
        /// What happened; no patient data.
        #[arg(long)]
        what: String,
    },
    /// Close an incident with what was reported.
    Close {
        /// The incident's id.
        #[arg(long)]
        incident: Uuid,
        /// Who closes it: a professional's id.
        #[arg(long)]
        by: AuthorId,
        /// What was reported to whom.
        #[arg(long)]
        report: String,
    },
    /// Incidents, those due first.
    List {
        /// Closed ones, too.
        #[arg(long)]
        all: bool,
    },
}

fn kind(text: &str) -> Result<RequestKind, String> {
    let names = || RequestKind::ALL.map(RequestKind::name).join(", ");
    RequestKind::from_name(text).ok_or_else(|| format!("one of {}", names()))
}

pub(crate) async fn run(args: SubjectArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let (store, clinic, now) = (&open.store, args.clinic, clock::now());
    match args.command {
        SubjectCommand::Register { kind, patient, identity_check, owner } => {
            let request =
                subjects::register(store, clinic, (kind, patient), &identity_check, owner, now).await?;
            output::line(&serde_json::to_string(&request)?);
        }
        SubjectCommand::Answer { request, by, answer } => {
            let noted = subjects::answer(store, clinic, request, by, &answer, now).await?;
            output::line(if noted { "noted" } else { "no such open request in this clinic" });
        }
        SubjectCommand::List { all } => {
            let mut scoped = store.begin(&Actor::system(clinic)).await?;
            for request in scoped.list_subject_requests(all, LIST_MAX).await? {
                output::line(&serde_json::to_string(&request)?);
            }
            scoped.rollback().await?;
        }
        SubjectCommand::Statement { patient, full, by, pdf, files_to } => {
            let extent = if full { Extent::Full } else { Extent::Simplified };
            let told = subjects::statement(store, clinic, patient, extent, by, now).await?;
            if let Some(file) = pdf {
                let name = store.load_clinic_name(clinic).await?;
                output::file(&file, &subjects::paper(&told, &name, now).pdf()?)?;
            }
            if let Some(folder) = files_to {
                let blobs = Blobs::in_folder(&args.files.folder(&args.database).await?)?;
                subjects::write_files(store, &blobs, clinic, patient, (&folder, by), now).await?;
            }
            output::line(&told.to_string());
        }
    }
    Ok(open.close().await?)
}

pub(crate) async fn incident(args: IncidentArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let (store, clinic, now) = (&open.store, args.clinic, clock::now());
    match args.command {
        IncidentCommand::LostDevice { device, by, what } => {
            let opened = subjects::open_lost_device(store, clinic, device, (by, &what), now).await?;
            output::line(&serde_json::to_string(&opened)?);
        }
        IncidentCommand::Close { incident, by, report } => {
            let closed = subjects::close_incident(store, clinic, incident, (by, &report), now).await?;
            output::line(&json!({ "incident": incident, "closed": closed }).to_string());
        }
        IncidentCommand::List { all } => {
            let mut scoped = store.begin(&Actor::system(clinic)).await?;
            for incident in scoped.list_incidents(all, LIST_MAX).await? {
                output::line(&serde_json::to_string(&incident)?);
            }
            scoped.rollback().await?;
        }
    }
    Ok(open.close().await?)
}
