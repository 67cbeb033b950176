//! Taking over the files a lost tablet had not sent: opened with the clinic's key, kept like any other file.
//!
//! A file is taken only for a record that names it now; one whose record waits for a release or was never sent is reported and
//! stays where it is, to be recovered again later.

use super::{RecoverError, load_keys, open_with};
use crate::actor::Actor;
use crate::blobs::Blobs;
use crate::blobs::custody::confirm;
use crate::clock;
use crate::keys::Subject;
use crate::store::audit::AuditRecord;
use crate::store::{Scoped, Store, StoreResult};
use hpke::Kem;
use hpke::kem::X25519HkdfSha256;
use neonpro_contract::blob::{Address, addresses, chunk_count, cipher};
use neonpro_contract::catalogue::{FacetId, TABLES};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::escrow::{FILE_KEY_LABEL, FILE_KEY_SUFFIX, FileKey, SealedFileKey, file_key_bound};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, RecordId};
use neonpro_contract::limits::BLOB_BYTES_MAX;
use neonpro_contract::time::ServerInstant;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Records looked at in one statement for what they name.
const PAGE_RECORDS: usize = 500;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFate {
    /// It is kept from now on.
    Kept,
    /// The server had it.
    Known,
    /// No record names it, or none that is not set aside.
    Unnamed,
    /// It was not sealed to this clinic, was changed, or is not whole.
    Unreadable,
}

/// Takes over every file in the folder a lost tablet kept them in, after its edits were recovered. `by` is the administrator.
///
/// # Errors
/// The folder cannot be read, the person may not, or the database or the store of files failed. Files that were taken stay
/// taken; doing it again goes on.
pub async fn recover_files(
    (store, blobs): (&Store, &Blobs),
    clinic: ClinicId,
    by: AuthorId,
    folder: &Path,
    now: ServerInstant,
) -> Result<BTreeMap<Address, FileFate>, RecoverError> {
    let actor = Actor::system(clinic);
    let found = list(folder).map_err(|error| RecoverError::Folder(folder.to_owned(), error))?;
    let mut scoped = store.begin(&actor).await?;
    super::require_admin(&mut scoped, by).await?;
    let keys = load_keys(&mut scoped).await?;
    let wanted = found.iter().map(|(address, _)| *address).collect();
    let subjects = list_subjects(&mut scoped, &wanted).await?;
    scoped.commit().await?;
    let (mut fates, mut devices) = (BTreeMap::new(), BTreeSet::new());
    for (address, path) in found {
        let fate = match open(&path, &address, clinic, &keys) {
            None => FileFate::Unreadable,
            Some((device, plain)) => match subjects.get(&address) {
                None => FileFate::Unnamed,
                Some(subject) => {
                    let fate = take((store, blobs), &actor, *subject, (&address, &plain), now).await?;
                    if fate == FileFate::Kept {
                        devices.insert(device);
                    }
                    fate
                }
            },
        };
        fates.insert(address, fate);
    }
    note(store, &actor, (&fates, &devices), by, now).await?;
    Ok(fates)
}

/// Every file whose sealed key lies beside it.
fn list(folder: &Path) -> std::io::Result<Vec<(Address, PathBuf)>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let name = entry?.file_name();
        let hex = name.to_str().and_then(|name| name.strip_suffix(FILE_KEY_SUFFIX));
        if let Some((hex, address)) = hex.and_then(|hex| Some((hex, Address::from_hex(hex)?))) {
            found.push((address, folder.join(hex)));
        }
    }
    found.sort_by_key(|(address, _)| *address);
    Ok(found)
}

/// The file, if it was sealed to this clinic and is what its name says.
fn open(
    path: &Path,
    address: &Address,
    clinic: ClinicId,
    keys: &[([u8; 32], <X25519HkdfSha256 as Kem>::PrivateKey)],
) -> Option<(DeviceId, Vec<u8>)> {
    let mut key_path = path.as_os_str().to_owned();
    key_path.push(FILE_KEY_SUFFIX);
    let lies = std::fs::read(key_path).ok()?;
    let sealed = SealedFileKey::read(&lies).filter(|sealed| sealed.header.clinic == clinic)?;
    let (_, private) = keys.iter().find(|(public, _)| *public == sealed.header.public_key)?;
    let opening = open_with(&sealed.header, private, &sealed.encapsulated, FILE_KEY_LABEL)?;
    let mut content = sealed.sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let content = opening.open_in_place(nonce, Aad::from(file_key_bound(address)), &mut content).ok()?;
    let FileKey { size, key } = FileKey::decode(content)?;
    let chunks = chunk_count(size)?;
    let longest = cipher::offset(chunks).min(BLOB_BYTES_MAX.saturating_mul(2) as u64);
    if std::fs::metadata(path).ok()?.len() > longest {
        return None;
    }
    let file = std::fs::read(path).ok()?;
    let mut plain = Vec::new();
    for chunk in 0..chunks {
        let mut sealed = cipher::sealed_chunk(&file, size, chunk)?.to_vec();
        plain.extend_from_slice(cipher::open(&key, address, chunk, &mut sealed)?);
    }
    (Address::of(&plain) == *address).then_some((sealed.header.device, plain))
}

/// Whose these files are: every record of the clinic that can name a file is read.
async fn list_subjects(
    scoped: &mut Scoped,
    wanted: &BTreeSet<Address>,
) -> StoreResult<BTreeMap<Address, Subject>> {
    let mut found = BTreeMap::new();
    for table in TABLES.iter().filter(|table| table.columns().any(|field| field.blob)) {
        let mut after: Option<RecordId> = None;
        loop {
            let page = scoped.list_records_after(table, after, 0, PAGE_RECORDS).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for stored in &page {
                for facet in (0u8..).map(FacetId).take(table.facets.len()) {
                    let document = DocumentId { table: table.id, record: stored.id, facet };
                    for address in addresses(table, facet, &stored.row).intersection(wanted) {
                        if let Some(subject) = scoped.find_blob_subject(document, address).await? {
                            found.insert(*address, subject);
                        }
                    }
                }
            }
        }
    }
    Ok(found)
}

async fn take(
    (store, blobs): (&Store, &Blobs),
    actor: &Actor,
    subject: Subject,
    (address, plain): (&Address, &[u8]),
    now: ServerInstant,
) -> Result<FileFate, RecoverError> {
    let mut scoped = store.begin(actor).await?;
    let size = plain.len() as u64;
    scoped.append_blob((clock::fresh_id(now), subject), address, size, now).await?;
    let row = scoped.find_blob(subject, address).await?;
    let row = row.ok_or(crate::store::StoreError::Missing("file"))?;
    if row.stored {
        scoped.commit().await?;
        return Ok(FileFate::Known);
    }
    let sealer = scoped.chunk_sealer(row.id, subject).await?;
    scoped.commit().await?;
    let chunks = plain.chunks(neonpro_contract::limits::BLOB_CHUNK_BYTES);
    for (number, chunk) in (0u32..).zip(chunks).skip(usize::try_from(row.chunks).unwrap_or(usize::MAX)) {
        blobs.put(actor.clinic(), row.id, number, sealer.seal(number, chunk)?).await?;
        let mut scoped = store.begin(actor).await?;
        scoped.mark_chunk(row.id, number).await?;
        scoped.commit().await?;
    }
    let whole = crate::store::blobs::BlobRow { chunks: chunk_count(size).unwrap_or_default(), ..row };
    let genuine = confirm((store, blobs), actor, whole, address, now).await?;
    Ok(if genuine { FileFate::Kept } else { FileFate::Unreadable })
}

/// One entry for what was new; none where nothing was.
async fn note(
    store: &Store,
    actor: &Actor,
    (fates, devices): (&BTreeMap<Address, FileFate>, &BTreeSet<DeviceId>),
    by: AuthorId,
    now: ServerInstant,
) -> StoreResult<()> {
    let kept = fates.values().filter(|fate| **fate == FileFate::Kept).count();
    if kept == 0 {
        return Ok(());
    }
    let entry = AuditRecord {
        action: "files_recovered",
        device: devices.first().map(|device| device.0),
        author: Some(by.0),
        edit: None::<Uuid>,
        code: None,
        detail: json!({ "files": kept, "devices": devices }),
    };
    let mut scoped = store.begin(actor).await?;
    scoped.lock_head().await?;
    scoped.append_audit(&[entry], now).await?;
    scoped.commit().await
}
