//! A base backup of a running cluster, as PostgreSQL documents it: begin, copy, end (chapter 26.3.3).

use neonpro_server::postgres::EmbeddedPostgres;
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::executor::Executor;
use sqlx_core::row::Row as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A backup.
pub struct BaseBackup {
    /// Where it lies.
    pub dir: PathBuf,
    cluster: PathBuf,
}

impl BaseBackup {
    /// Takes one of the cluster in a server's directory, into a directory below another.
    pub async fn take(postgres: &Path, below: &Path) -> Self {
        let settings = EmbeddedPostgres::running(postgres).expect("the cluster runs");
        let owner = neonpro_server::database::Access::embedded(&settings, &settings.database).owner;
        let mut admin = owner.connect().await.unwrap();
        let (cluster, dir) = (postgres.join("cluster"), below.join("backup"));
        admin.execute("select pg_backup_start('backup', true)").await.unwrap();
        copy(&cluster, &dir);
        let end = "select labelfile, spcmapfile from pg_backup_stop(false)";
        let row = admin.fetch_one(end).await.unwrap();
        let (label, spaces): (String, String) = (row.get(0), row.get(1));
        // What was written meanwhile is in the log, up to its end.
        let _ = std::fs::remove_dir_all(dir.join("pg_wal"));
        copy(&cluster.join("pg_wal"), &dir.join("pg_wal"));
        admin.close().await.unwrap();
        std::fs::write(dir.join("backup_label"), label).unwrap();
        std::fs::write(dir.join("tablespace_map"), spaces).unwrap();
        let _ = std::fs::remove_file(dir.join("postmaster.pid"));
        Self { dir, cluster }
    }

    /// Puts it in the place of the cluster, which is stopped.
    pub fn restore(&self) {
        std::fs::remove_dir_all(&self.cluster).unwrap();
        copy(&self.dir, &self.cluster);
        for file in ["backup_label", "tablespace_map"] {
            let (like, file) = (self.cluster.join("PG_VERSION"), self.cluster.join(file));
            let owned = Command::new("chown").arg("--reference").arg(like).arg(file).status();
            assert!(owned.unwrap().success());
        }
    }
}

/// With owners and modes. A file that is gone meanwhile is none of the backup's.
fn copy(from: &Path, to: &Path) {
    let _ = Command::new("cp").args(["-a", "--"]).arg(from).arg(to).output().unwrap();
    assert!(
        to.join("PG_VERSION").exists() || to.ends_with("pg_wal"),
        "nothing was copied to {}",
        to.display()
    );
}
