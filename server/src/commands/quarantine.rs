//! `neonpro-server quarantine`: what waits for an administrator, and what one decides about it.

use super::output;
use clap::{Args, Subcommand};
use neonpro_contract::ids::{AuthorId, ClinicId, EditId};
use neonpro_server::admission::Admission;
use neonpro_server::clock::{self, Clock};
use neonpro_server::config::{AdmissionArgs, DatabaseArgs};
use neonpro_server::merge::Merger;
use neonpro_server::set_aside::{self, Outcome};
use neonpro_server::store::Store;
use neonpro_server::telemetry::Metrics;
use serde_json::json;
use std::error::Error;
use std::sync::Arc;

/// Which edits are listed at most.
const LISTED_MAX: i64 = 1_000;

/// Edits that were set aside.
#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    admission: AdmissionArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what waits, oldest first: one JSON object a line, without content.
    List {
        /// The clinic's id.
        #[arg(long)]
        clinic: ClinicId,
        /// Refused and discarded ones too.
        #[arg(long)]
        all: bool,
    },
    /// Show one edit with the words of its author. Prints patient data.
    Show {
        /// The clinic's id.
        #[arg(long)]
        clinic: ClinicId,
        /// The edit's id.
        #[arg(long)]
        edit: EditId,
    },
    /// Merge it, minus the question of consent or deadline it was set aside by.
    Release(Decide),
    /// Decide that it is not merged. Its bytes and the reason are kept, its author is told.
    Discard(Decide),
}

#[derive(Debug, Args)]
struct Decide {
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    /// The edit's id.
    #[arg(long)]
    edit: EditId,
    /// Who decides: id of an administrator of the clinic.
    #[arg(long)]
    by: AuthorId,
    /// Why. The author reads it.
    #[arg(long, value_parser = reason)]
    reason: String,
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if (1..=500).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err("a reason has 1 to 500 characters".to_owned())
    }
}

/// Runs one of the commands.
pub(crate) async fn run(args: QuarantineArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let metrics = Arc::new(Metrics::default());
    let admission = Admission::new(args.admission.config()?, Arc::clone(&metrics));
    let merger = Merger::new(open.store.clone(), metrics, admission, Clock::system());
    let done = answer(&open.store, &merger, args.command).await;
    open.close().await?;
    done
}

async fn answer(store: &Store, merger: &Merger, command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::List { clinic, all } => {
            for edit in set_aside::list(store, clinic, all, LISTED_MAX).await? {
                output::line(&serde_json::to_string(&edit)?);
            }
            Ok(())
        }
        Command::Show { clinic, edit } => match set_aside::show(store, clinic, edit).await? {
            Some(shown) => {
                output::line(&format!("{shown:#}"));
                Ok(())
            }
            None => Err("there is no such set-aside edit in this clinic".into()),
        },
        Command::Release(decide) => {
            let Decide { clinic, edit, by, reason } = decide;
            told(&set_aside::release(merger, clinic, edit, by, &reason, clock::now()).await?)
        }
        Command::Discard(decide) => {
            let Decide { clinic, edit, by, reason } = decide;
            told(&set_aside::discard(store, clinic, edit, by, &reason, clock::now()).await?)
        }
    }
}

fn told(outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    use neonpro_contract::fate::Fate;
    match outcome {
        Outcome::Judged(Fate::Accepted { seq, .. }) => {
            output::line(&json!({ "outcome": "merged", "seq": seq }).to_string());
            Ok(())
        }
        Outcome::Judged(Fate::Rebase { .. }) => {
            output::line(
                &json!({ "outcome": "asked", "meaning": "its tablet expresses it again" }).to_string(),
            );
            Ok(())
        }
        Outcome::Judged(fate) => {
            let code = fate.set_aside().map_or_else(|| fate.as_str(), neonpro_contract::fate::Code::as_str);
            Err(format!("the merge still says: {code}").into())
        }
        Outcome::Discarded => {
            output::line(&json!({ "outcome": "discarded" }).to_string());
            Ok(())
        }
        Outcome::NoSuchEdit => Err("there is no such set-aside edit with content in this clinic".into()),
        Outcome::NotAnAdministrator => Err("that person is not an administrator of this clinic".into()),
    }
}
