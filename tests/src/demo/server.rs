//! The server process of the demo: its data loaded, its port kept from start to start, its tickets.

use super::child::{Child, command, output, program};
use super::http::{self, Reply};
use super::metrics::{self, Numbers};
use super::{Outcome, Problem};
use neonpro_contract::ids::ClinicId;
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// Longest first start: making a cluster, migrating.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A clinic of the demo network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clinic {
    /// Its id.
    pub id: ClinicId,
    /// Its name.
    pub name: String,
}

/// The running server.
pub struct DemoServer {
    /// Base URL for tablets.
    pub url: String,
    /// The process.
    pub child: Child,
    dir: PathBuf,
    address: SocketAddr,
    tls: TlsConnector,
}

impl std::fmt::Debug for DemoServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DemoServer({})", self.url)
    }
}

/// Loads the demo network where it is missing, and names its clinics.
///
/// # Errors
/// What the server's program says.
pub async fn load(dir: &Path, patients: u32) -> Outcome<Vec<Clinic>> {
    let log = log(dir);
    let mut command = command(program("neonpro-server")?, &log)?;
    command.arg("demo-data").arg("--data").arg(data(dir)).arg("--patients").arg(patients.to_string());
    let text = output(command, &log).await?;
    text.lines().map(clinic).collect()
}

/// Reads a line of `demo-data`.
///
/// # Errors
/// Another line.
pub fn clinic(line: &str) -> Outcome<Clinic> {
    let unreadable = || -> Problem { format!("an unexpected line: {line}").into() };
    let said: Json = serde_json::from_str(line).map_err(|_| unreadable())?;
    let text = |name: &str| said.get(name).and_then(Json::as_str);
    let id = text("clinic").and_then(|id| id.parse().ok()).ok_or_else(unreadable)?;
    Ok(Clinic { id, name: text("name").ok_or_else(unreadable)?.to_owned() })
}

impl DemoServer {
    /// Starts the server. Tablets know it by its port, so a later start takes the first one's.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start(dir: &Path) -> Outcome<Self> {
        let kept = dir.join("server.json");
        let port = std::fs::read_to_string(&kept).ok().and_then(|text| port(&text));
        let listen = format!("127.0.0.1:{}", port.unwrap_or(0));
        let arguments =
            ["serve", "--listen", &listen, "--data"].map(PathBuf::from).into_iter().chain([data(dir)]);
        let mut child = Child::start("neonpro-server", &program("neonpro-server")?, arguments, &log(dir))?;
        let said = child.listening(START_LIMIT).await?;
        let url = said["listening"].as_str().unwrap_or_default().to_owned();
        let address: SocketAddr = url.trim_start_matches("https://").parse()?;
        std::fs::write(&kept, json!({ "port": address.port() }).to_string())?;
        let tls = http::trusting(&data(dir).join("tls-certificate.pem"))?;
        Ok(Self { url, child, dir: dir.to_owned(), address, tls })
    }

    /// A one-time ticket for a tablet of a clinic.
    ///
    /// # Errors
    /// What the server's program says.
    pub async fn ticket(&self, clinic: ClinicId) -> Outcome<String> {
        let log = log(&self.dir);
        let mut command = command(program("neonpro-server")?, &log)?;
        command.args(["enrol-ticket", "--clinic", &clinic.to_string(), "--url", &self.url, "--members"]);
        command.arg("--data").arg(data(&self.dir));
        Ok(output(command, &log).await?.trim().to_owned())
    }

    /// Where PostgreSQL keeps its files.
    #[must_use]
    pub fn postgres(&self) -> PathBuf {
        data(&self.dir).join("postgres")
    }

    /// GET.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> Outcome<Reply> {
        http::get_encrypted(self.address, &self.tls, path).await
    }

    /// Whether the server can work.
    pub async fn ready(&self) -> bool {
        self.get("/readyz").await.is_ok_and(|reply| reply.status == 200)
    }

    /// What the server counted since it started.
    ///
    /// # Errors
    /// No answer.
    pub async fn numbers(&self) -> Outcome<Numbers> {
        Ok(metrics::read(&self.get("/metrics").await?.body))
    }
}

fn data(dir: &Path) -> PathBuf {
    dir.join("server")
}

fn log(dir: &Path) -> PathBuf {
    dir.join("server.log")
}

fn port(text: &str) -> Option<u16> {
    let kept: Json = serde_json::from_str(text).ok()?;
    kept.get("port")?.as_u64().and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clinic_is_read_from_its_line() {
        let id = "01900000-0000-7000-8000-000000000001";
        let read = clinic(&format!(r#"{{"clinic":"{id}","name":"Clínica Aurora"}}"#)).unwrap();
        assert_eq!((read.id.to_string().as_str(), read.name.as_str()), (id, "Clínica Aurora"));
        for line in ["", "{}", r#"{"clinic":"x","name":"y"}"#] {
            assert!(clinic(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_kept_port_is_read_and_anything_else_is_not() {
        assert_eq!(port(r#"{"port":4711}"#), Some(4711));
        for text in ["", "4711", r#"{"port":"4711"}"#, r#"{"port":70000}"#] {
            assert_eq!(port(text), None, "{text}");
        }
    }
}
