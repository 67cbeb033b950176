//! A tablet with its page, as a process; and the files every tablet of the demo has.

use super::child::{Child, program};
use super::http::{self, Reply};
use super::server::{Clinic, DemoServer};
use super::{Outcome, Problem};
use serde_json::Value as Json;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest start: opening a replica, or enrolling one.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The files of a tablet.
#[derive(Debug, Clone)]
pub struct Files {
    /// The replica.
    pub replica: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// What its program said.
    pub log: PathBuf,
}

impl Files {
    /// The files of a tablet called so.
    #[must_use]
    pub fn of(dir: &Path, name: &str) -> Self {
        let name = name.to_lowercase().replace(' ', "-");
        let file = |kind: &str| dir.join(format!("{name}.{kind}"));
        Self { replica: file("replica"), key: file("key"), log: file("log") }
    }

    /// The arguments that name them.
    #[must_use]
    pub fn arguments(&self) -> [OsString; 4] {
        ["--replica".into(), self.replica.clone().into(), "--key-file".into(), self.key.clone().into()]
    }
}

/// A tablet whose page is served.
#[derive(Debug)]
pub struct DemoTablet {
    /// What people call it.
    pub name: String,
    /// Its clinic.
    pub clinic: Clinic,
    /// The address that opens its page.
    pub url: String,
    /// The process.
    pub child: Child,
    address: SocketAddr,
    secret: String,
}

impl DemoTablet {
    /// Serves a tablet of a clinic; enrols it when there is no replica yet.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start(dir: &Path, server: &DemoServer, clinic: &Clinic, name: &str) -> Outcome<Self> {
        let files = Files::of(dir, name);
        let mut more: Vec<OsString> = Vec::new();
        if !files.replica.exists() {
            let ticket = server.ticket(clinic.id).await?;
            more.extend(["--enrol".into(), ticket.into(), "--name".into(), name.into()]);
        }
        Self::serve(&files, clinic, name, more).await
    }

    /// Serves a tablet that is enrolled, without letting it talk to the server.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start_offline(dir: &Path, clinic: &Clinic, name: &str) -> Outcome<Self> {
        Self::serve(&Files::of(dir, name), clinic, name, vec!["--offline".into()]).await
    }

    async fn serve(files: &Files, clinic: &Clinic, name: &str, more: Vec<OsString>) -> Outcome<Self> {
        let arguments = std::iter::once("serve".into()).chain(files.arguments()).chain(more);
        let mut child = Child::start(name, &program("neonpro-tablet")?, arguments, &files.log)?;
        let said = child.listening(START_LIMIT).await?;
        let url = said["listening"].as_str().unwrap_or_default().to_owned();
        let (address, secret) = http::entrance(&url)?;
        Ok(Self { name: name.to_owned(), clinic: clinic.clone(), url, child, address, secret })
    }

    /// GET of one of its screens.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> Outcome<Reply> {
        http::get_plain(self.address, path, &self.secret).await
    }

    /// The three facts and the connection, as the tablet tells them.
    ///
    /// # Errors
    /// No answer.
    pub async fn state(&self) -> Outcome<Json> {
        let reply = self.get("/estado.json").await?;
        if reply.status != 200 {
            return Err(Problem::from(format!("{} answered {}", self.name, reply.status)));
        }
        Ok(serde_json::from_str(&reply.body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_tablet_are_named_after_it() {
        let files = Files::of(Path::new("/d"), "Tablet Sala 1");
        assert_eq!(files.replica, Path::new("/d/tablet-sala-1.replica"));
        assert_eq!(files.key, Path::new("/d/tablet-sala-1.key"));
    }
}
