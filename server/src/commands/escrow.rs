//! `neonpro-server recover-outbox`: unsent work out of a tablet's escrow file.

use super::output;
use clap::Args;
use neonpro_contract::blob::Address;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_server::admission::Admission;
use neonpro_server::blobs::Blobs;
use neonpro_server::clock::{self, Clock};
use neonpro_server::config::{AdmissionArgs, DatabaseArgs, FilesArgs};
use neonpro_server::escrow::{self, FileFate, Report};
use neonpro_server::merge::Merger;
use neonpro_server::telemetry::Metrics;
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of `recover-outbox`.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    admission: AdmissionArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    /// Who does it: id of an administrator of the clinic.
    #[arg(long)]
    by: AuthorId,
    /// The folder beside the replica that ends in `.blobs`: photographs the tablet had not sent are taken over too.
    #[arg(long, value_name = "FOLDER")]
    tablet_files: Option<PathBuf>,
    #[command(flatten)]
    files: FilesArgs,
    /// The file beside the replica that ends in `.escrow`.
    file: PathBuf,
}

pub(crate) async fn recover(args: RecoverArgs) -> Result<(), Box<dyn Error>> {
    let file = tokio::fs::read(&args.file).await?;
    let open = args.database.open().await?;
    let metrics = Arc::new(Metrics::default());
    let admission = Admission::new(args.admission.config()?, Arc::clone(&metrics));
    let merger = Merger::new(open.store.clone(), metrics, admission, Clock::system());
    let done = escrow::recover(&merger, args.clinic, args.by, &file, clock::now()).await;
    let taken = match (&done, &args.tablet_files) {
        (Ok(_), Some(folder)) => {
            let blobs = Blobs::in_folder(&args.files.folder(&args.database).await?)?;
            let doors = (&open.store, &blobs);
            escrow::recover_files(doors, args.clinic, args.by, folder, clock::now()).await
        }
        _ => Ok(BTreeMap::new()),
    };
    open.close().await?;
    tell(&done?);
    tell_files(&taken?);
    Ok(())
}

/// One line a file.
fn tell_files(taken: &BTreeMap<Address, FileFate>) {
    for (address, fate) in taken {
        let fate = match fate {
            FileFate::Kept => "kept",
            FileFate::Known => "known_before",
            FileFate::Unnamed => "no_record_names_it",
            FileFate::Unreadable => "unreadable",
        };
        output::line(&json!({ "file": address.to_string(), "fate": fate }).to_string());
    }
}

/// One line an edit, then one about the file.
fn tell(report: &Report) {
    let mut aside = 0usize;
    for one in &report.edits {
        let code = one.fate.set_aside();
        aside = aside.saturating_add(usize::from(code.is_some()));
        let line = json!({
            "edit": one.edit,
            "fate": one.fate.as_str(),
            "code": code.map(neonpro_contract::fate::Code::as_str),
            "known_before": one.known,
            "kept_for_an_administrator": code.is_some(),
        });
        output::line(&line.to_string());
    }
    let line = json!({
        "edits": report.edits.len(),
        "set_aside": aside,
        "unreadable": report.unreadable,
        "torn_bytes": report.torn_bytes,
    });
    output::line(&line.to_string());
}
