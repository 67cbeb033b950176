//! A listener between the server's pool and PostgreSQL: every statement in order, as the protocol carries it, so that
//! two courses of events can be compared by what was asked of the database instead of by how long it took.
//!
//! PostgreSQL, Frontend/Backend Protocol 3.0: a start-up message without a type, then messages of a type, a length and a
//! body. On the Unix socket nothing is encrypted.

use neonpro_server::postgres::ConnectionSettings;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

type Heard = Arc<Mutex<Vec<String>>>;

/// A running listener.
pub struct Statements {
    heard: Heard,
    dir: TempDir,
    settings: ConnectionSettings,
}

impl Statements {
    /// Stands in front of a cluster.
    #[must_use]
    pub fn before(settings: &ConnectionSettings) -> Self {
        let dir = TempDir::new().unwrap();
        let heard = Heard::default();
        let listener = UnixListener::bind(socket(dir.path(), settings.port)).unwrap();
        let behind = socket(&settings.socket_dir, settings.port);
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (behind, heard) = (behind.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(server) = UnixStream::connect(behind).await else { return };
                    let (client_read, mut client_write) = client.into_split();
                    let (mut server_read, server_write) = server.into_split();
                    let up = tokio::spawn(listen(client_read, server_write, heard));
                    let _ = tokio::io::copy(&mut server_read, &mut client_write).await;
                    up.abort();
                });
            }
        });
        let settings = ConnectionSettings { socket_dir: dir.path().to_owned(), ..settings.clone() };
        Self { heard, dir, settings }
    }

    /// How to reach the cluster through it.
    #[must_use]
    pub fn settings(&self) -> &ConnectionSettings {
        &self.settings
    }

    /// What was said since the last call, one entry a statement, ids replaced by a mark.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How much was said and not yet taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it listens.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

fn socket(dir: &Path, port: u16) -> std::path::PathBuf {
    dir.join(format!(".s.PGSQL.{port}"))
}

/// Forwards a client's messages and notes the statements among them.
async fn listen(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, heard: Heard) {
    let mut prepared: HashMap<String, String> = HashMap::new();
    let mut started = false;
    loop {
        let mut kind = [0u8; 1];
        if started && from.read_exact(&mut kind).await.is_err() {
            return;
        }
        let Ok(length) = from.read_u32().await else { return };
        let mut body = vec![0; length as usize - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        if started {
            note(kind[0], &body, &mut prepared, &heard);
            if to.write_all(&kind).await.is_err() {
                return;
            }
        }
        started = true;
        if to.write_u32(length).await.is_err() || to.write_all(&body).await.is_err() {
            return;
        }
    }
}

fn note(kind: u8, body: &[u8], prepared: &mut HashMap<String, String>, heard: &Heard) {
    let mut texts = body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let (first, second) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
    let said = match kind {
        b'Q' => first,
        b'P' => {
            // Preparing is remembered, not noted: it happens once per connection and statement.
            prepared.insert(first, second);
            return;
        }
        // Portal, then the statement it is bound to.
        b'B' => prepared.get(&second).cloned().unwrap_or(second),
        _ => return,
    };
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(without_ids(&said));
}

/// Replaces what looks like an id.
fn without_ids(sql: &str) -> String {
    sql.split('\'')
        .map(|part| if uuid::Uuid::try_parse(part).is_ok() { "…" } else { part })
        .collect::<Vec<_>>()
        .join("'")
}
