//! Moving files after records: what is here and not there goes up, what records name and is not here comes down.
//!
//! Owns the order and the pauses. Never moves anything while records are on their way. Invariant: the server's word that it
//! has a file whole is the only thing that counts as custody; whatever breaks off goes on where it was.

use super::http::{Answer, Request, RequestError, request};
use super::state::SyncState;
use crate::device::hex;
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::blobs::BlobRow;
use neonpro_contract::blob::{
    AT_HEADER, Address, Custody, DEVICE_HEADER, SIGNATURE_HEADER, SIZE_HEADER, chunk_count, path,
    request_bytes,
};
use neonpro_contract::catalogue::TABLES;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::limits::BLOB_CHUNK_BYTES;
use std::time::Duration;
use tokio::sync::watch;

/// Longest time between two looks at what there is to move.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Time until the first look again where something was left; twice as long each time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long one request may take: a chunk at 64 kbit/s.
const REQUEST_MAX: Duration = Duration::from_secs(40);
/// Bytes of an answer's head, and of answers that are no chunk.
const HEAD_BYTES_MAX: u64 = 16 * 1024;

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    /// Records are on their way, or the line is gone.
    #[error("records first")]
    NotQuiet,
    #[error("the server did not answer")]
    Request(#[from] RequestError),
    #[error("the server is not to be had for this now: {0}")]
    Refused(u16),
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

/// Moves files whenever records are quiet, until the sync ends.
pub(crate) async fn run(replica: Replica, mut state: watch::Receiver<SyncState>) {
    let mut pause = LOOK_AGAIN;
    let names: Vec<&str> = naming_tables().collect();
    let mut moved = replica.watch(&names);
    loop {
        match state.wait_for(|state| state.quiet || state.ended).await {
            Ok(state) if !state.ended => {}
            _ => return,
        }
        let mover = Mover { replica: &replica, state: &state };
        let left = match mover.round().await {
            Ok(left) => left,
            Err(Interrupted::NotQuiet) => true,
            Err(error) => {
                tracing::debug!(%error, "files were not moved; the next round tries again");
                true
            }
        };
        let wait = if left { pause } else { LOOK_EVERY };
        pause = if left { pause.saturating_mul(2).min(LOOK_EVERY) } else { LOOK_AGAIN };
        tokio::select! {
            _ = moved.changed() => pause = LOOK_AGAIN,
            _ = state.wait_for(|state| state.ended) => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Tables whose records name files: where nothing of them changed, there is nothing to look for.
fn naming_tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().filter(|table| table.columns().any(|field| field.blob)).map(|table| table.name)
}

/// One round.
struct Mover<'a> {
    replica: &'a Replica,
    state: &'a watch::Receiver<SyncState>,
}

impl Mover<'_> {
    /// Whether something was left that the server does not take or give yet.
    async fn round(&self) -> Result<bool, Interrupted> {
        let mut left = false;
        let swept = self.local(|replica| replica.sweep_blobs()).await;
        if let Err(error) = swept {
            tracing::warn!(%error, "files nobody names any more were not all removed");
        }
        for (row, document) in self.local(|replica| replica.list_uploads()).await? {
            match self.upload(&row, document).await {
                // What the server does not let this device name yet: its edit waits, or is set aside.
                Ok(()) => {}
                Err(Interrupted::Refused(404 | 422)) => left = true,
                Err(error) => return Err(error),
            }
        }
        for (address, document, chunks) in self.local(|replica| replica.list_downloads()).await? {
            match self.download(&address, document, chunks).await {
                // Not there yet, or not for this device.
                Ok(()) => {}
                Err(Interrupted::Refused(404)) => left = true,
                Err(error) => return Err(error),
            }
        }
        Ok(left)
    }

    /// Work on the replica, off the runtime's threads.
    async fn local<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Replica) -> Result<T, ReplicaError> + Send + 'static,
    ) -> Result<T, Interrupted> {
        let replica = self.replica.clone();
        let done = tokio::task::spawn_blocking(move || work(&replica)).await;
        Ok(done.map_err(|_| ReplicaError::Bookkeeping("blob"))??)
    }

    async fn upload(&self, row: &BlobRow, document: DocumentId) -> Result<(), Interrupted> {
        let address = row.address;
        let asked = self.ask("GET", &path(&document, &address, None), None, &[]).await?;
        let mut custody: Custody = read(&asked)?;
        while !custody.stored {
            // All may be there without having been looked at: the last one again has it done.
            let last = chunk_count(row.size).and_then(|count| count.checked_sub(1)).unwrap_or_default();
            let chunk = custody.chunks.min(last);
            let reading = row.clone();
            let bytes = self.local(move |replica| replica.read_chunk(&reading, chunk)).await?;
            let answer =
                self.ask("PUT", &path(&document, &address, Some(chunk)), Some(row.size), &bytes).await?;
            let now: Custody = read(&answer)?;
            if now.chunks <= chunk && !now.stored {
                return Err(Interrupted::Request(RequestError::Answer));
            }
            custody = now;
        }
        self.local(move |replica| replica.mark_custody(&address)).await
    }

    async fn download(
        &self,
        address: &Address,
        document: DocumentId,
        mut chunk: u32,
    ) -> Result<(), Interrupted> {
        let address = *address;
        loop {
            let answer = self.ask("GET", &path(&document, &address, Some(chunk)), None, &[]).await?;
            let size = answer.header(SIZE_HEADER).and_then(|size| size.parse::<u64>().ok());
            let size = size.ok_or(Interrupted::Request(RequestError::Answer))?;
            let count = chunk_count(size).ok_or(Interrupted::Request(RequestError::Answer))?;
            self.local(move |replica| replica.append_chunk(&address, (size, chunk), &answer.body)).await?;
            chunk = chunk.saturating_add(1);
            if chunk >= count {
                return Ok(());
            }
        }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        size: Option<u64>,
        body: &[u8],
    ) -> Result<Answer, Interrupted> {
        if !self.state.borrow().quiet {
            return Err(Interrupted::NotQuiet);
        }
        let inner = &self.replica.inner;
        let identity = &inner.store.identity;
        let at = inner.clock.now_us().saturating_add(inner.store.clock_offset_us());
        let message = request_bytes(identity.device, at, method, path, body);
        let mut headers = vec![
            (DEVICE_HEADER, identity.device.to_string()),
            (AT_HEADER, at.to_string()),
            (SIGNATURE_HEADER, hex(&identity.signing_key.sign(&message))),
        ];
        headers.extend(size.map(|size| (SIZE_HEADER, size.to_string())));
        let answer_bytes_max = HEAD_BYTES_MAX.saturating_add(BLOB_CHUNK_BYTES as u64);
        let asked = Request { method, path, headers: &headers, body, answer_bytes_max };
        let answer =
            tokio::time::timeout(REQUEST_MAX, request(&identity.server_url, identity.pin, &asked)).await;
        let answer = answer.map_err(|_| RequestError::Answer)??;
        if answer.status == 200 { Ok(answer) } else { Err(Interrupted::Refused(answer.status)) }
    }
}

fn read(answer: &Answer) -> Result<Custody, Interrupted> {
    serde_json::from_slice(&answer.body).map_err(|_| Interrupted::Request(RequestError::Answer))
}
