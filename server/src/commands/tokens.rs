//! Commands about the tokens other software calls the API with.

use super::output;
use clap::{Args, Subcommand};
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_server::actor::Actor;
use neonpro_server::clock;
use neonpro_server::config::DatabaseArgs;
use neonpro_server::tokens::{self, Scope};
use std::error::Error;
use uuid::Uuid;

/// Most tokens a list shows.
const LIST_MAX: i64 = 1_000;

/// Tokens other software calls the API with.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make one; its text is printed once and kept nowhere.
    Make {
        /// What it is for, in words.
        #[arg(long)]
        name: String,
        /// subjects, erasure or incidents; may be repeated.
        #[arg(long, value_parser = scope, required = true)]
        scope: Vec<Scope>,
        /// In whose name it acts: id of an administrator of the clinic.
        #[arg(long)]
        acts_for: AuthorId,
        /// How long it is good, days.
        #[arg(long, default_value_t = 90)]
        days: i64,
    },
    /// Tokens of the clinic, newest first; never their texts.
    List,
    /// End one at once.
    Revoke {
        /// Its id.
        #[arg(long)]
        token: Uuid,
        /// Who revokes it: a professional's id.
        #[arg(long)]
        by: AuthorId,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    let names = || Scope::ALL.map(Scope::name).join(", ");
    Scope::from_name(text).ok_or_else(|| format!("one of {}", names()))
}

pub(crate) async fn run(args: TokenArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let (store, clinic, now) = (&open.store, args.clinic, clock::now());
    match args.command {
        TokenCommand::Make { name, scope, acts_for, days } => {
            let made = tokens::make(store, clinic, (&name, &scope, days), acts_for, now).await?;
            output::line(&serde_json::to_string(&made)?);
        }
        TokenCommand::List => {
            let mut scoped = store.begin(&Actor::system(clinic)).await?;
            for token in scoped.list_service_tokens(LIST_MAX).await? {
                output::line(&serde_json::to_string(&token)?);
            }
            scoped.rollback().await?;
        }
        TokenCommand::Revoke { token, by } => {
            let revoked = tokens::revoke(store, clinic, token, by, now).await?;
            output::line(if revoked { "revoked" } else { "no such token in force in this clinic" });
        }
    }
    Ok(open.close().await?)
}
