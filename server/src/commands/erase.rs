//! Commands about erasures: what would go, erase, list, certify, read what is restricted.

use super::output;
use clap::{Args, Subcommand};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId};
use neonpro_server::actor::Actor;
use neonpro_server::audit::Notary;
use neonpro_server::clock;
use neonpro_server::config::{AuditArgs, DatabaseArgs, LedgerArgs};
use neonpro_server::erasure::certificate::Certificate;
use neonpro_server::erasure::ledger::Ledger;
use neonpro_server::erasure::{self, Request, certificate};
use neonpro_server::store::Store;
use serde_json::json;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use uuid::Uuid;

/// Most erasures `erase list` shows.
const LIST_MAX: i64 = 1_000;

/// Erase a patient's data.
#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    #[command(subcommand)]
    command: EraseCommand,
}

/// Whose data, for which purposes.
#[derive(Debug, Args)]
struct WhatArgs {
    /// The patient's id.
    #[arg(long)]
    patient: PatientId,
    /// A purpose; may be repeated. Without one, every purpose.
    #[arg(long, value_parser = purpose)]
    purpose: Vec<Purpose>,
}

/// The certificate for people.
#[derive(Debug, Args)]
struct PaperArgs {
    /// Write the certificate as a PDF for the patient, too.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum EraseCommand {
    /// Say what would be erased and what stays, and do nothing.
    Plan(WhatArgs),
    /// Erase, and print the certificate.
    Run {
        #[command(flatten)]
        what: WhatArgs,
        /// Who decided it: a professional's id.
        #[arg(long)]
        by: AuthorId,
        /// Why, for the record; no patient data.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        paper: PaperArgs,
    },
    /// Erasures of the clinic, newest first.
    List,
    /// A certificate as of now.
    Certificate {
        /// The erasure's id.
        #[arg(long)]
        erasure: Uuid,
        #[command(flatten)]
        paper: PaperArgs,
    },
    /// Read what is restricted. The reason goes into the audit.
    ReadRestricted {
        /// The patient's id.
        #[arg(long)]
        patient: PatientId,
        /// Who reads: a professional's id.
        #[arg(long)]
        by: AuthorId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

fn purpose(text: &str) -> Result<Purpose, String> {
    let names = || Purpose::ALL.map(Purpose::name).join(", ");
    Purpose::from_name(text).ok_or_else(|| format!("one of {}", names()))
}

impl WhatArgs {
    fn purposes(&self) -> BTreeSet<Purpose> {
        if self.purpose.is_empty() { Purpose::ALL.into() } else { self.purpose.iter().copied().collect() }
    }
}

pub(crate) async fn run(args: EraseArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let (store, clinic, now) = (open.store.clone(), args.clinic, clock::now());
    let notary = Notary::open(&args.audit.key_file(&args.database).await?)?;
    let ledger = Ledger::new(args.ledger.file(&args.database).await?);
    match args.command {
        EraseCommand::Plan(what) => {
            let plan = erasure::preview(&store, clinic, what.patient, &what.purposes(), now).await?;
            output::line(&json!({ "erased": plan.erase, "kept": plan.kept_json() }).to_string());
        }
        EraseCommand::Run { what, by, reason, paper } => {
            let id = clock::fresh_id(now);
            let request = Request { id, patient: what.patient, purposes: what.purposes(), by, reason };
            let done = erasure::erase(&store, &ledger, clinic, &request, now).await?;
            hand_out(
                &store,
                &certificate::issue(&store, &notary, clinic, done.id, now).await?,
                clinic,
                &paper,
            )
            .await?;
        }
        EraseCommand::List => {
            let mut scoped = store.begin(&Actor::system(clinic)).await?;
            for erasure in scoped.list_erasures(LIST_MAX).await? {
                output::line(&serde_json::to_string(&erasure)?);
            }
            scoped.rollback().await?;
        }
        EraseCommand::Certificate { erasure, paper } => {
            hand_out(
                &store,
                &certificate::issue(&store, &notary, clinic, erasure, now).await?,
                clinic,
                &paper,
            )
            .await?;
        }
        EraseCommand::ReadRestricted { patient, by, reason } => {
            let read = erasure::read_restricted(&store, clinic, patient, by, &reason, now).await?;
            output::line(&read.to_string());
        }
    }
    Ok(open.close().await?)
}

async fn hand_out(
    store: &Store,
    certificate: &Certificate,
    clinic: ClinicId,
    paper: &PaperArgs,
) -> Result<(), Box<dyn Error>> {
    if let Some(file) = &paper.pdf {
        let name = store.load_clinic_name(clinic).await?;
        output::file(file, &certificate::paper(certificate, &name).pdf()?)?;
    }
    output::line(&certificate.to_json().to_string());
    Ok(())
}
