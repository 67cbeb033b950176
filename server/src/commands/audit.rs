//! `audit verify` and `audit export`: what an auditor runs.

use super::output;
use clap::{Args, Subcommand};
use neonpro_contract::audit::Checkpoint;
use neonpro_contract::ids::ClinicId;
use neonpro_server::actor::Actor;
use neonpro_server::audit::{Notary, public_key_of, verify_clinic};
use neonpro_server::config::{AuditArgs, DatabaseArgs};
use neonpro_server::store::Store;
use serde_json::json;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;

/// Entries exported at a time.
const PAGE: usize = 5_000;

/// What to do with the audit.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute the log and compare it with its checkpoints. Fails when something does not fit, and says where.
    Verify(VerifyArgs),
    /// Print the log of one clinic as JSON lines.
    Export(ExportArgs),
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    audit: AuditArgs,
    /// Only this clinic.
    #[arg(long)]
    clinic: Option<ClinicId>,
    /// Further files of checkpoints: copies kept elsewhere, or what tablets hold. May be repeated.
    #[arg(long)]
    checkpoints: Vec<PathBuf>,
    /// The server's public key (64 hexadecimal digits), where its key file is not at hand.
    #[arg(long, value_parser = key)]
    public_key: Option<[u8; 32]>,
}

/// Arguments of `audit export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
}

fn key(text: &str) -> Result<[u8; 32], &'static str> {
    public_key_of(text).ok_or("64 hexadecimal digits")
}

pub(crate) async fn run(command: AuditCommand) -> Result<(), Box<dyn Error>> {
    match command {
        AuditCommand::Verify(args) => verify(args).await,
        AuditCommand::Export(args) => export(args).await,
    }
}

async fn verify(args: VerifyArgs) -> Result<(), Box<dyn Error>> {
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    for path in &args.checkpoints {
        for (number, line) in std::fs::read_to_string(path)?.lines().enumerate() {
            let read = Checkpoint::from_line(line);
            let line = number.saturating_add(1);
            checkpoints.push(read.ok_or_else(|| format!("{}:{line} is no checkpoint", path.display()))?);
        }
    }
    let key = match args.public_key {
        Some(key) => key,
        None => {
            let notary = Notary::open(&args.audit.key_file(&args.database).await?)?;
            checkpoints.extend(notary.checkpoints()?);
            notary.public_key()
        }
    };
    let open = args.database.open().await?;
    let clinics = match args.clinic {
        Some(clinic) => BTreeSet::from([clinic]),
        None => every_clinic(&open.store, &checkpoints).await?,
    };
    let mut broken = 0usize;
    for clinic in clinics {
        let report = verify_clinic(&open.store, clinic, &checkpoints, &key).await?;
        broken = broken.saturating_add(usize::from(!report.findings.is_empty()));
        output::line(&serde_json::to_string(&report)?);
    }
    open.close().await?;
    if broken > 0 {
        Err(format!("the audit of {broken} clinic(s) is not what was written").into())
    } else {
        Ok(())
    }
}

/// Clinics of the database, and those that a checkpoint remembers.
async fn every_clinic(
    store: &Store,
    checkpoints: &[Checkpoint],
) -> Result<BTreeSet<ClinicId>, Box<dyn Error>> {
    let mut clinics: BTreeSet<ClinicId> = store.list_clinics_with_devices().await?.into_iter().collect();
    clinics.extend(checkpoints.iter().map(|checkpoint| checkpoint.clinic));
    Ok(clinics)
}

async fn export(args: ExportArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let mut scoped = open.store.begin_read(&Actor::system(args.clinic)).await?;
    let mut after = 0;
    loop {
        let page = scoped.list_audit(after, PAGE).await?;
        for row in &page {
            let hash: String = row.hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = json!({
                "clinic": args.clinic, "seq": row.seq, "at_us": row.at.0, "action": row.action,
                "device": row.device, "author": row.author, "edit": row.edit, "read": row.read,
                "code": row.code, "detail": row.detail, "hash": hash,
            });
            output::line(&line.to_string());
        }
        after = page.last().map_or(after, |row| row.seq);
        if page.len() < PAGE {
            break;
        }
    }
    scoped.rollback().await?;
    Ok(open.close().await?)
}
