//! Settings of a server process: command line first, environment second, defaults last.

use crate::admission::{AdmissionConfig, LOCKED_WAIT_MAX};
use crate::audit::Notary;
use crate::database::{Database, DatabaseError, Source};
use crate::erasure::ledger::Ledger;
use crate::keys::MasterSource;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Settings every command needs.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Use this database instead of an embedded one, e.g. `postgres://user@localhost/neonpro?host=/run/postgresql`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Account that makes roles and migrates, over a connection that is closed before anyone is served. Without it, the
    /// account of the database URL does.
    #[arg(long, env = "MIGRATION_DATABASE_URL", hide_env_values = true, requires = "database_url")]
    pub migration_database_url: Option<String>,
    /// Directory of the embedded cluster, the server's own certificate, the master key and the audit's signing key.
    #[arg(long, env = "NEONPRO_DATA")]
    pub data: Option<PathBuf>,
    /// File of the master key that wraps every clinic's key (made if missing while nothing is wrapped, mode 0600).
    /// Keep a copy apart from the database's backups. Default: `master-key` in the data directory.
    #[arg(long, env = "NEONPRO_MASTER_KEY", conflicts_with = "key_command")]
    pub master_key: Option<PathBuf>,
    /// Program that wraps and unwraps clinics' keys (a key service) in place of a file; see docs/encryption.md.
    #[arg(long, env = "NEONPRO_KEY_COMMAND")]
    pub key_command: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The data directory.
    ///
    /// # Errors
    /// When no directory can be chosen.
    pub async fn data_dir(&self) -> Result<PathBuf, crate::postgres::PostgresError> {
        match &self.data {
            Some(dir) => Ok(dir.clone()),
            None => {
                let cluster = crate::postgres::default_data_dir().await?;
                Ok(cluster.parent().map_or(cluster.clone(), PathBuf::from))
            }
        }
    }

    /// Where the master key is.
    ///
    /// # Errors
    /// When no directory can be chosen.
    pub async fn master(&self) -> Result<MasterSource, crate::postgres::PostgresError> {
        Ok(match (&self.key_command, &self.master_key) {
            (Some(program), _) => MasterSource::Command(program.clone()),
            (None, Some(file)) => MasterSource::File(file.clone()),
            (None, None) => MasterSource::in_directory(&self.data_dir().await?),
        })
    }

    /// Opens the database.
    ///
    /// # Errors
    /// What failed, and where.
    pub async fn open(&self) -> Result<Database, DatabaseError> {
        Database::open(&self.source().await?, &self.master().await?).await
    }

    /// Where the database is.
    ///
    /// # Errors
    /// When no directory can be chosen.
    pub async fn source(&self) -> Result<Source, crate::postgres::PostgresError> {
        match &self.database_url {
            Some(url) => {
                Ok(Source::Url { server: url.clone(), migration: self.migration_database_url.clone() })
            }
            None => Ok(Source::Embedded(self.data_dir().await?.join("postgres"))),
        }
    }
}

/// Settings of the admission workers.
#[derive(Debug, Clone, Args)]
pub struct AdmissionArgs {
    /// Processes in which changes are tried before they are merged.
    #[arg(long, env = "NEONPRO_ADMISSION_WORKERS", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub admission_workers: u8,
    /// Program of the workers; this one when it is not named.
    #[arg(long, hide = true)]
    pub admission_program: Option<PathBuf>,
}

impl AdmissionArgs {
    /// Which program, and how many.
    ///
    /// # Errors
    /// When this program does not know where it lies.
    pub fn config(&self) -> std::io::Result<AdmissionConfig> {
        let program = self.admission_program.clone().map_or_else(std::env::current_exe, Ok)?;
        let workers = usize::from(self.admission_workers);
        let arguments = vec!["admission-worker".into()];
        Ok(AdmissionConfig { program, arguments, workers, locked_wait: LOCKED_WAIT_MAX })
    }
}

/// Where files of patients are.
#[derive(Debug, Clone, Args)]
pub struct FilesArgs {
    /// Folder of patients' files, sealed; one for all servers of a database. Back it up with the database. Default: `files` in
    /// the data directory.
    #[arg(long = "files", env = "NEONPRO_FILES", value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

impl FilesArgs {
    /// The folder.
    ///
    /// # Errors
    /// When no directory can be chosen.
    pub async fn folder(&self, database: &DatabaseArgs) -> Result<PathBuf, crate::postgres::PostgresError> {
        match &self.folder {
            Some(folder) => Ok(folder.clone()),
            None => Ok(database.data_dir().await?.join("files")),
        }
    }
}

/// Where the audit's signing key is.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Key that signs checkpoints of the audit (made if missing, mode 0600); its checkpoints are kept beside it. Default:
    /// `audit-key` in the data directory.
    #[arg(long, env = "NEONPRO_AUDIT_KEY")]
    pub audit_key: Option<PathBuf>,
}

impl AuditArgs {
    /// The key's file.
    ///
    /// # Errors
    /// When no directory can be chosen.
    pub async fn key_file(&self, database: &DatabaseArgs) -> Result<PathBuf, crate::postgres::PostgresError> {
        match &self.audit_key {
            Some(path) => Ok(path.clone()),
            None => Ok(Notary::key_in(&database.data_dir().await?)),
        }
    }
}

/// Where the ledger of erasures is.
#[derive(Debug, Clone, Args)]
pub struct LedgerArgs {
    /// Ledger of erasures, which outlives every backup of the database: keep it on storage of its own, and one file for
    /// all servers of a database. Default: `erasures.ledger` in the data directory.
    #[arg(long, env = "NEONPRO_ERASURE_LEDGER")]
    pub erasure_ledger: Option<PathBuf>,
}

impl LedgerArgs {
    /// The file.
    ///
    /// # Errors
    /// When no directory can be chosen.
    pub async fn file(&self, database: &DatabaseArgs) -> Result<PathBuf, crate::postgres::PostgresError> {
        match &self.erasure_ledger {
            Some(path) => Ok(path.clone()),
            None => Ok(Ledger::file_in(&database.data_dir().await?)),
        }
    }
}

/// Settings of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Address for tablets (TLS 1.3). Port 0 chooses a free one.
    #[arg(long, env = "NEONPRO_LISTEN", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Certificate chain (PEM). Without one, a self-signed certificate is made and kept in the data directory.
    #[arg(long, env = "NEONPRO_TLS_CERTIFICATE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    #[arg(long, env = "NEONPRO_TLS_KEY", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Names and addresses the self-signed certificate is for.
    #[arg(long, default_values_t = [String::from("localhost"), String::from("127.0.0.1")])]
    pub tls_name: Vec<String>,
    /// The admission workers.
    #[command(flatten)]
    pub admission: AdmissionArgs,
    /// Where the audit's signing key is.
    #[command(flatten)]
    pub audit: AuditArgs,
    /// Where the ledger of erasures is.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// Where files of patients are.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Logs as JSON lines.
    #[arg(long)]
    pub log_json: bool,
}
