//! Settings of a server process: command line first, environment second, defaults last.

use crate::admission::{AdmissionConfig, LOCKED_WAIT_MAX};
use crate::audit::Notary;
use crate::database::Source;
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
    /// Directory of the embedded cluster, the server's own certificate and the audit's signing key.
    #[arg(long, env = "NEONPRO_DATA")]
    pub data: Option<PathBuf>,
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
    /// Logs as JSON lines.
    #[arg(long)]
    pub log_json: bool,
}
