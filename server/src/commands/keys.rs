//! Commands about keys: how they stand, a new key for a clinic, another master key.

use super::output;
use clap::{Args, Subcommand};
use neonpro_contract::ids::ClinicId;
use neonpro_server::actor::Actor;
use neonpro_server::config::DatabaseArgs;
use neonpro_server::keys::{Keyring, MasterSource};
use neonpro_server::store::Store;
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;

/// Keys of clinics.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// A clinic's id; may be repeated.
    #[arg(long, required = true)]
    clinic: Vec<ClinicId>,
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Which versions there are, and what each wraps.
    Status,
    /// Make a new key for the clinic and wrap its data keys by it. Interrupted, it goes on when it is run again.
    Rotate,
    /// Wrap clinics' keys by this server's master key that another one wrapped. Interrupted, it goes on when it is run
    /// again.
    Rewrap {
        /// File of the master key used so far.
        #[arg(long)]
        old_master_key: PathBuf,
    },
}

pub(crate) async fn run(args: KeysArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    for clinic in args.clinic {
        match &args.command {
            KeysCommand::Status => status(&open.store, clinic).await?,
            KeysCommand::Rotate => rotate(&open.store, clinic).await?,
            KeysCommand::Rewrap { old_master_key } => {
                let old = Keyring::new(MasterSource::File(old_master_key.clone()).load(false)?);
                let mut scoped = open.store.begin(&Actor::system(clinic)).await?;
                let rewrapped = scoped.rewrap_clinic_keys(&old).await?;
                scoped.commit().await?;
                output::line(&json!({ "clinic": clinic, "rewrapped": rewrapped }).to_string());
            }
        }
    }
    Ok(open.close().await?)
}

async fn status(store: &Store, clinic: ClinicId) -> Result<(), Box<dyn Error>> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    for standing in scoped.list_key_standings().await? {
        output::line(&json!({ "clinic": clinic, "key": standing }).to_string());
    }
    Ok(scoped.rollback().await?)
}

/// One transaction per batch, with a line for each.
async fn rotate(store: &Store, clinic: ClinicId) -> Result<(), Box<dyn Error>> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let version = scoped.begin_rotation().await?;
    scoped.commit().await?;
    neonpro_server::crash_point!("rotation.after_begin");
    let mut done = 0usize;
    loop {
        let mut scoped = store.begin(&Actor::system(clinic)).await?;
        let some = scoped.rotate_some(version).await?;
        neonpro_server::crash_point!("rotation.before_commit");
        scoped.commit().await?;
        neonpro_server::crash_point!("rotation.after_commit");
        done = done.saturating_add(some);
        output::line(&json!({ "clinic": clinic, "version": version, "wrapped_anew": done }).to_string());
        if some == 0 {
            return Ok(());
        }
    }
}
