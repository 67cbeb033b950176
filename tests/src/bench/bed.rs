//! The test bed: the real server as a child process over its embedded PostgreSQL, and clinics of a given size.

use super::proxy::Proxy;
use crate::fleet::Tablet;
use crate::raw::tls;
use neonpro_client_core::{Clock, ReplicaKey, SyncOptions, enrol};
use neonpro_contract::catalogue::{Role, table};
use neonpro_contract::ids::{AuthorId, ClinicId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::value::Value;
use neonpro_server::clock;
use neonpro_server::database::{Database, Source};
use neonpro_server::demo::{self, DemoSize};
use neonpro_server::http::enrol::{make_code, ticket};
use neonpro_server::keys::MasterSource;
use neonpro_server::store::authority::Grant;
use neonpro_server::store::load::{LoadBatch, LoadRecord};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A server and a place for replicas.
pub struct Bed {
    pub database: Database,
    pub dir: tempfile::TempDir,
    server: Child,
    address: SocketAddr,
    fingerprint: String,
}

/// CPU seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    pub server: f64,
    /// The workers that try changes before they are merged.
    pub admission: f64,
    pub postgres: f64,
    /// This process, which is every tablet.
    pub tablets: f64,
}

impl Cpu {
    /// What was used since then.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            server: self.server - before.server,
            admission: self.admission - before.admission,
            postgres: self.postgres - before.postgres,
            tablets: self.tablets - before.tablets,
        }
    }

    /// Adds what was used elsewhere.
    pub fn add(&mut self, other: Self) {
        self.server += other.server;
        self.admission += other.admission;
        self.postgres += other.postgres;
        self.tablets += other.tablets;
    }

    /// The share of one of so many.
    #[must_use]
    pub fn shared(self, among: f64) -> Self {
        Self {
            server: self.server / among,
            admission: self.admission / among,
            postgres: self.postgres / among,
            tablets: self.tablets / among,
        }
    }
}

/// One process as `/proc` tells of it.
#[derive(Debug, Clone)]
struct Stat {
    process: u32,
    parent: u32,
    seconds: f64,
}

impl Stat {
    fn is_worker(&self) -> bool {
        let told = std::fs::read(format!("/proc/{}/cmdline", self.process)).unwrap_or_default();
        String::from_utf8_lossy(&told).contains("admission-worker")
    }
}

fn stat(path: &Path) -> Option<Stat> {
    let process = path.file_name()?.to_str()?.parse().ok()?;
    let text = std::fs::read_to_string(path.join("stat")).ok()?;
    // The name may hold anything; the fields after its closing bracket are numbers.
    let fields: Vec<&str> = text.rsplit(") ").next()?.split(' ').collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    let seconds = (ticks(11)? + ticks(12)?) / 100.0;
    Some(Stat { process, parent: fields.get(1)?.parse().ok()?, seconds })
}

/// A clinic made for a workload.
#[derive(Debug, Clone)]
pub struct Clinic {
    pub id: ClinicId,
    /// Someone who may write identities.
    pub author: AuthorId,
    /// Someone who may write the chart.
    pub doctor: AuthorId,
    pub patients: Vec<RecordId>,
}

impl Bed {
    /// Starts the server that lies beside this program.
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("neonpro-bench-").tempdir().unwrap();
        open_to_all(dir.path());
        let program = std::env::current_exe().unwrap().with_file_name("neonpro-server");
        let data = dir.path().join("server");
        let mut server = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = told["listening"].as_str().unwrap().trim_start_matches("https://").parse().unwrap();
        let fingerprint = told["fingerprint"].as_str().unwrap().to_owned();
        let database =
            Database::open(&Source::Embedded(data.join("postgres")), &MasterSource::in_directory(&data))
                .await
                .unwrap();
        Self { database, dir, server, address, fingerprint }
    }

    /// A clinic with this many patients and its people, and nothing else.
    pub async fn clinic(&self, seed: u64, patients: u32) -> Clinic {
        self.clinic_of(
            seed,
            DemoSize { patients: patients * 2 + 40, days_before: 0, days_after: 0 },
            patients,
            false,
        )
        .await
    }

    /// A clinic with this many patients and everything it does: agenda, care, stock, payments, conversations.
    pub async fn working_clinic(&self, seed: u64, patients: u32) -> Clinic {
        self.clinic_of(
            seed,
            DemoSize { patients: patients * 2, days_before: 30, days_after: 14 },
            patients,
            true,
        )
        .await
    }

    async fn clinic_of(&self, seed: u64, size: DemoSize, patients: u32, whole: bool) -> Clinic {
        let now = clock::now();
        let network = demo::network(seed, now, size).unwrap();
        let id = ClinicId(clock::fresh_id(now));
        let home = &network.clinics[0];
        let mut batch = LoadBatch::new();
        // What patients do comes after them.
        let mut later = Vec::new();
        for record in home.batch.records() {
            match record.table.name {
                "clinics" => {
                    let mut record = LoadRecord { id: RecordId(id.0), ..record.clone() };
                    record.row.set("network_id", Value::Null);
                    batch.push(record).unwrap();
                }
                "professionals" | "clinic_professionals" => batch.push(record.clone()).unwrap(),
                "patients" => {}
                _ if whole => later.push(record.clone()),
                _ => {}
            }
        }
        let people = network.clinics.iter().flat_map(|clinic| clinic.batch.records());
        let mut ids = Vec::new();
        for record in people.filter(|record| record.table.name == "patients").take(patients as usize) {
            ids.push(record.id);
            batch.push(LoadRecord { author: None, ..record.clone() }).unwrap();
        }
        if whole {
            for (table, rows) in &network.reference {
                self.database.store.load_reference(table, rows, now).await.unwrap();
            }
        }
        later.into_iter().for_each(|record| batch.push(record).unwrap());
        assert_eq!(ids.len(), patients as usize, "the generator made too few patients");
        assert!(
            !whole
                || home.batch.records().iter().filter(|record| record.table.name == "patients").count()
                    <= ids.len()
        );
        self.database.store.load(id, &batch, now).await.unwrap();
        let who = |role| home.people.iter().find(|person| person.role == role).unwrap().id;
        let (author, doctor) = (who(Role::Assistant), who(Role::Professional));
        assert!(table("patients").is_some());
        Clinic { id, author, doctor, patients: ids }
    }

    /// A counting proxy in front of the server.
    pub async fn proxy(&self) -> Proxy {
        Proxy::start(self.address).await
    }

    /// An enrolled tablet that reaches the server through a proxy and is offline.
    pub async fn tablet(&self, clinic: &Clinic, proxy: &Proxy, name: &str) -> Tablet {
        let grant = Grant::to_members(Audience::Clinical);
        let code = make_code(&self.database.store, clinic.id, &grant, clock::now()).await.unwrap();
        let ticket = ticket(&format!("https://{}", proxy.address), &self.fingerprint, &code);
        let path: PathBuf = self.dir.path().join(format!("{name}.replica"));
        let replica = enrol(&ticket, &path, ReplicaKey::new([7; 32]), name, Clock::system()).await.unwrap();
        let handle = replica.start_sync(SyncOptions { online: false, ..SyncOptions::default() });
        Tablet { replica, handle, path }
    }

    /// Most memory the server process ever held, MB.
    #[must_use]
    pub fn server_peak_rss_mb(&self) -> f64 {
        status_kb(self.server.id(), "VmHWM:") / 1_024.0
    }

    /// CPU seconds used so far: by the server process, and by the processes of its PostgreSQL.
    #[must_use]
    pub fn cpu(&self) -> Cpu {
        let mut cpu = Cpu::default();
        let Ok(processes) = std::fs::read_dir("/proc") else { return cpu };
        let stats: Vec<Stat> = processes.flatten().filter_map(|entry| stat(&entry.path())).collect();
        for stat in &stats {
            let mut above = stat.clone();
            let under = loop {
                if above.process == self.server.id() {
                    break true;
                }
                match stats.iter().find(|other| other.process == above.parent) {
                    Some(parent) => above = parent.clone(),
                    None => break false,
                }
            };
            if stat.process == std::process::id() {
                cpu.tablets += stat.seconds;
            } else if stat.process == self.server.id() {
                cpu.server += stat.seconds;
            } else if under && stat.is_worker() {
                cpu.admission += stat.seconds;
            } else if under {
                cpu.postgres += stat.seconds;
            }
        }
        cpu
    }

    /// Bytes the cluster's databases take on disk.
    pub async fn database_bytes(&self) -> f64 {
        let mut pg = super::limits::connect(self).await;
        let size: i64 = sqlx_core::query_scalar::query_scalar(
            "select sum(pg_database_size(oid))::bigint from pg_database",
        )
        .fetch_one(&mut pg)
        .await
        .unwrap();
        size as f64
    }

    /// Seconds that merges have waited for admission.
    pub async fn admission_wait_seconds(&self) -> f64 {
        let mut stream = tls(self.address, &[&rustls::version::TLS13]).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        // The server may close without a goodbye of TLS; what it said is here.
        let _ = stream.read_to_string(&mut answer).await;
        let line = answer.lines().find_map(|line| line.strip_prefix("neonpro_admission_seconds_sum "));
        line.and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(0.0)
    }

    /// Stops the server.
    pub async fn stop(mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
        self.database.close().await.unwrap();
    }
}

fn status_kb(process: u32, key: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// PostgreSQL runs as another user when this runs as root: it must be able to pass through.
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711)).unwrap();
}
