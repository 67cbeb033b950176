//! Scope bundles from files: keys, signatures, installation. `neonpro-server scope`.
//!
//! Owns what a publisher and an operator do. Never keeps a key: it lies where its owner put it. Invariant: nothing is
//! installed that a pinned publisher did not sign.

use crate::clock;
use crate::config::DatabaseArgs;
use crate::store::load::{Loaded, ReferenceRows};
use crate::store::{Store, StoreError};
use clap::{Args, Subcommand};
use neonpro_contract::catalogue::{Table, table};
use neonpro_contract::ids::RecordId;
use neonpro_contract::row::Row;
use neonpro_contract::scope_of_practice::{
    Bundle, BundleError, PublisherKey, SHIPPED, publisher_keys, read_hex, write_hex,
};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::Value;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value as Json, json};
use std::error::Error;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why a bundle was not installed.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// It does not count.
    #[error("the bundle does not count")]
    Bundle(#[from] BundleError),
    /// The database.
    #[error("the bundle could not be written")]
    Store(#[from] StoreError),
}

/// Arguments of `scope`.
#[derive(Debug, Clone, Args)]
pub struct ScopeArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Make a publisher's key and print its public half.
    Keygen {
        /// File of the private key (PKCS#8); must not exist.
        #[arg(long)]
        key: PathBuf,
    },
    /// Sign a bundle: writes the signature beside it, ending in `.sig`.
    Sign {
        /// The publisher's private key.
        #[arg(long)]
        key: PathBuf,
        /// The bundle.
        #[arg(long)]
        bundle: PathBuf,
    },
    /// Check a bundle and its signature.
    Verify {
        /// The bundle.
        #[arg(long)]
        bundle: PathBuf,
        /// Public key (hexadecimal) instead of the pinned ones.
        #[arg(long)]
        publisher: Option<String>,
    },
    /// Install a bundle that a pinned publisher signed. Tablets receive it with the next reference data.
    Install {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The bundle.
        #[arg(long)]
        bundle: PathBuf,
    },
}

/// Runs a command; `line` prints one line for a person.
///
/// # Errors
/// What stopped it.
pub async fn command(args: ScopeArgs, line: &(dyn Fn(&str) + Sync)) -> Result<(), Box<dyn Error>> {
    match args.command {
        Command::Keygen { key } => {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new())
                .map_err(|_| "no randomness")?;
            let public = public_of(pkcs8.as_ref())?;
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key)?;
            std::io::Write::write_all(&mut file, pkcs8.as_ref())?;
            line(&write_hex(&public));
        }
        Command::Sign { key, bundle } => {
            let pair = Ed25519KeyPair::from_pkcs8(&std::fs::read(&key)?).map_err(|_| "not an Ed25519 key")?;
            let read = Bundle::read(&json_of(&bundle)?)?;
            let signature = write_hex(pair.sign(&read.signing_bytes()).as_ref());
            std::fs::write(signature_path(&bundle), format!("{signature}\n"))?;
            line(&summary(&read));
        }
        Command::Verify { bundle, publisher } => {
            let keys = match publisher {
                Some(hex) => vec![key_of(&hex).ok_or("not a public key of 32 bytes")?],
                None => publisher_keys(),
            };
            let signature = std::fs::read_to_string(signature_path(&bundle))?;
            line(&summary(&Bundle::open(&json_of(&bundle)?, &signature, &keys)?));
        }
        Command::Install { database, bundle } => {
            let (content, signature) = (json_of(&bundle)?, std::fs::read_to_string(signature_path(&bundle))?);
            let open = database.open().await?;
            let installed = install(&open.store, &content, &signature, clock::now()).await?;
            line(if installed.records > 0 { "installed" } else { "already there" });
            open.close().await?;
        }
    }
    Ok(())
}

/// Installs a bundle. One that is there already stays as it is.
///
/// # Errors
/// A bundle that does not count, the same version with other content, or a database failure.
pub async fn install(
    store: &Store,
    content: &Json,
    signature: &str,
    now: ServerInstant,
) -> Result<Loaded, ScopeError> {
    write(store, &[row_of(content, signature, store.publishers())?], now).await
}

/// Installs the bundles of this release.
///
/// # Errors
/// As [`install`].
pub async fn install_shipped(store: &Store, now: ServerInstant) -> Result<Loaded, ScopeError> {
    write(store, &shipped_rows(store.publishers())?, now).await
}

/// The bundles of this release as reference rows.
///
/// # Errors
/// A bundle none of these publishers signed.
pub fn shipped_rows(publishers: &[PublisherKey]) -> Result<ReferenceRows, ScopeError> {
    let row = |(content, signature): &(&str, &str)| {
        let content: Json = serde_json::from_str(content).map_err(|_| BundleError::Shape)?;
        row_of(&content, signature, publishers)
    };
    SHIPPED.iter().map(row).collect()
}

fn bundles() -> Result<&'static Table, ScopeError> {
    Ok(table("scope_bundles").ok_or(StoreError::Missing("table"))?)
}

async fn write(store: &Store, rows: &[(RecordId, Row)], now: ServerInstant) -> Result<Loaded, ScopeError> {
    Ok(store.load_reference(bundles()?, rows, now).await?)
}

fn row_of(
    content: &Json,
    signature: &str,
    publishers: &[PublisherKey],
) -> Result<(RecordId, Row), ScopeError> {
    let bundle = Bundle::open(content, signature, publishers)?;
    let mut row = Row::empty(bundles()?);
    row.set("version", Value::Text(bundle.version.clone()));
    row.set("in_force_from", Value::Instant(bundle.in_force_from.timestamp_micros()));
    row.set("content", Value::Json(content.clone()));
    row.set("signature", Value::Text(signature.trim().to_owned()));
    Ok((record_id(&bundle.version), row))
}

/// The row of a version: the same wherever it is installed.
fn record_id(version: &str) -> RecordId {
    let digest = ring::digest::digest(&ring::digest::SHA256, version.as_bytes());
    let mut bytes = [0u8; 16];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    RecordId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn json_of(path: &Path) -> Result<Json, Box<dyn Error>> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn signature_path(bundle: &Path) -> PathBuf {
    bundle.with_extension("sig")
}

fn public_of(pkcs8: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| "not an Ed25519 key")?;
    Ok(pair.public_key().as_ref().to_vec())
}

fn key_of(hex: &str) -> Option<PublisherKey> {
    read_hex(hex.trim())?.try_into().ok()
}

fn summary(bundle: &Bundle) -> String {
    let unreviewed = bundle.entries.iter().filter(|entry| entry.reviewed_by.is_none()).count();
    json!({
        "version": bundle.version, "in_force_from": bundle.in_force_from, "entries": bundle.entries.len(),
        "without_reviewer": unreviewed,
    })
    .to_string()
}
