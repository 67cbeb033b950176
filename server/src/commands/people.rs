//! Commands about tablets and the people on them: tickets, revocation, who may write, memberships.

use super::output;
use clap::{Args, Subcommand};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId};
use neonpro_contract::permissions::Audience;
use neonpro_server::config::DatabaseArgs;
use neonpro_server::store::authority::{Grant, People};
use neonpro_server::tls::Tls;
use neonpro_server::{authority, clock, http};
use std::error::Error;
use std::path::PathBuf;

/// Who may write on a tablet. One of the two must be said.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PeopleArgs {
    /// Every active member of the clinic may write on it.
    #[arg(long)]
    members: bool,
    /// This professional may write on it, as long as they are a member. May be repeated.
    #[arg(long)]
    person: Vec<AuthorId>,
}

/// Arguments of `enrol-ticket`.
#[derive(Debug, Args)]
pub(crate) struct TicketArgs {
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
    #[command(flatten)]
    people: PeopleArgs,
    /// Certificate (PEM) the server uses, if not its own self-signed one.
    #[arg(long, requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its key.
    #[arg(long)]
    tls_key: Option<PathBuf>,
}

/// Which tablet.
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    /// The device's id.
    #[arg(long)]
    device: DeviceId,
}

/// What is done to a tablet.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Revoke it, and have it destroy its keys and its replica. Its unsent work stays in its escrow file.
    Wipe(DeviceArgs),
}

/// Arguments of `device-people`.
#[derive(Debug, Args)]
pub(crate) struct DevicePeopleArgs {
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    people: PeopleArgs,
}

/// Arguments of `membership`.
#[derive(Debug, Args)]
pub(crate) struct MembershipArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The clinic's id.
    #[arg(long)]
    clinic: ClinicId,
    /// The professional's id.
    #[arg(long)]
    person: AuthorId,
    /// The role from now on: admin, manager, professional or assistant.
    #[arg(long, required_unless_present = "end", conflicts_with = "end", value_parser = role)]
    role: Option<Role>,
    /// The membership ends.
    #[arg(long)]
    end: bool,
}

impl PeopleArgs {
    fn people(&self) -> People {
        if self.members { People::Members } else { People::Named(self.person.iter().copied().collect()) }
    }
}

fn role(text: &str) -> Result<Role, &'static str> {
    Role::from_name(text).ok_or("admin, manager, professional or assistant")
}

pub(crate) async fn enrol_ticket(args: TicketArgs) -> Result<(), Box<dyn Error>> {
    let tls = match (&args.tls_certificate, &args.tls_key) {
        (Some(certificate), Some(key)) => Tls::load(certificate, key)?,
        _ => Tls::load_or_make(&args.database.data_dir().await?, &[])?,
    };
    let audience = if args.front_desk { Audience::FrontDesk } else { Audience::Clinical };
    let grant = Grant { audience, people: args.people.people() };
    let open = args.database.open().await?;
    let code = http::enrol::make_code(&open.store, args.clinic, &grant, clock::now()).await?;
    output::line(&http::enrol::ticket(&args.url, &tls.fingerprint, &code));
    Ok(open.close().await?)
}

pub(crate) async fn revoke(args: DeviceArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let revoked = authority::revoke(&open.store, args.clinic, args.device, clock::now()).await?;
    output::line(if revoked { "revoked" } else { "no such active device in this clinic" });
    Ok(open.close().await?)
}

pub(crate) async fn wipe(args: DeviceArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let asked = authority::wipe(&open.store, args.clinic, args.device, clock::now()).await?;
    output::line(if asked {
        "revoked; it wipes itself when it hears of it"
    } else {
        "no device of this clinic that was not asked before"
    });
    Ok(open.close().await?)
}

pub(crate) async fn device_people(args: DevicePeopleArgs) -> Result<(), Box<dyn Error>> {
    let DeviceArgs { database, clinic, device } = args.device;
    let open = database.open().await?;
    let set = authority::set_people(&open.store, clinic, device, &args.people.people(), clock::now()).await?;
    output::line(if set { "set" } else { "no such active device in this clinic" });
    Ok(open.close().await?)
}

pub(crate) async fn membership(args: MembershipArgs) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let role = args.role.filter(|_| !args.end);
    let set = authority::set_membership(&open.store, args.clinic, args.person, role, clock::now()).await?;
    output::line(if set { "set" } else { "no such member in this clinic" });
    Ok(open.close().await?)
}
