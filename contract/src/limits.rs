//! Every limit of the product, with its unit and its reason. Both sides enforce the same ones.

/// Bytes of one WebSocket message in either direction. A slow 256 kbit/s link moves it in ~30 s.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Bytes a compressed page may expand to. Bounds what a hostile frame can make us allocate.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of one signed edit's envelope. A clinical note with a drawn signature stays far below.
pub const ENVELOPE_BYTES_MAX: usize = 512 * 1024;
/// Bytes of one Automerge change. One facet of one record, edited once.
pub const CHANGE_BYTES_MAX: usize = 256 * 1024;
/// Operations in one change. A text of 64 KiB in another's place is one per character taken away and one per character
/// typed.
pub const CHANGE_OPS_MAX: usize = 140_000;
/// Dependencies of one change: concurrent heads of one facet.
pub const CHANGE_DEPS_MAX: usize = 64;
/// Bytes of an actor id: device tag (8) and generation (4).
pub const ACTOR_BYTES: usize = 12;
/// Bytes of a change's message: the header of `document::header`.
pub const CHANGE_MESSAGE_BYTES_MAX: usize = 128;
/// Actors a change may name beside its own: everybody who wrote into the document since its epoch began.
pub const CHANGE_ACTORS_MAX: usize = 256;
/// Bytes of one key in a map: a member of a set, or the path of a JSON value.
pub const CHANGE_KEY_BYTES_MAX: usize = 4 * 1024;
/// Largest sequence number and operation counter of a change. Automerge's own end at 2^32; an honest document stays
/// below 2^23 before it is flattened.
pub const CHANGE_COUNTER_MAX: u64 = 268_435_456;
/// Bytes of a document's saved history. Beyond it a change is kept aside rather than merged.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Documents one edit may touch. A person edits one screen at a time.
pub const EDIT_DOCUMENTS_MAX: usize = 32;
/// How long a tablet may work without its server before it locks reading, s: 14 days, a holiday with room to spare.
pub const LEASE_SECONDS: u32 = 14 * 24 * 3_600;
/// Edits in one push frame.
pub const PUSH_EDITS_MAX: usize = 256;
/// Bytes of envelopes in one push frame: what one tablet may have in flight.
pub const PUSH_BYTES_MAX: usize = 256 * 1024;
/// Edits merged in one transaction, from all devices of a clinic together.
pub const GROUP_EDITS_MAX: usize = 512;
/// Edits waiting for a clinic's merger before a push is shed with `Bye{busy}`.
pub const MERGE_QUEUE_EDITS_MAX: usize = 16_384;
/// Feed entries in one page.
pub const PAGE_ENTRIES_MAX: usize = 512;
/// Raw bytes of entries after which a page is closed.
pub const PAGE_BYTES_TARGET: usize = 192 * 1024;
/// Records in one bootstrap page: one insert transaction on the tablet.
pub const BOOTSTRAP_PAGE_RECORDS: usize = 1_000;
/// Purge receipts in one frame: a patient's photographs over some years.
pub const RECEIPTS_MAX: usize = 512;
/// Hours a device may leave a withdrawal unanswered before a person is told. A weekend and a day; the system setting
/// `withdrawal_alarm_hours` says otherwise.
pub const PURGE_OVERDUE_HOURS: i64 = 72;
/// Live changes after which the server flattens a quiet document into its next epoch.
pub const DOCUMENT_LIVE_CHANGES_MAX: u32 = 64;
/// Saved bytes of a document's live history above which the server flattens it before it travels. With it, whatever a
/// record holds fits a frame.
pub const DOCUMENT_LIVE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one file: a photograph of 48 megapixels, or some dozen scanned pages.
pub const BLOB_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Bytes of a file's chunk: what a broken line loses. 8 s at 256 kbit/s.
pub const BLOB_CHUNK_BYTES: usize = 256 * 1024;
/// How far the time a request was signed at may lie from the server's, µs: 10 minutes, what a tablet's estimate is off by
/// after days without the server.
pub const BLOB_REQUEST_AGE_MAX_US: i64 = 600 * 1_000_000;
/// Days an upload may take before what came of it is thrown away.
pub const BLOB_PARTIAL_DAYS: i64 = 7;
/// Bytes of a short text (names, titles, codes). 200 characters of four bytes.
pub const SHORT_TEXT_BYTES_MAX: usize = 800;
/// Bytes of a long text (notes). About 15 pages.
pub const LONG_TEXT_BYTES_MAX: usize = 64 * 1024;
/// Bytes a long text may reach when texts that were each short enough are merged. Nobody is to blame for the sum: it is
/// kept and shown to a person, up to what a frame carries with ease.
pub const MERGED_TEXT_BYTES_MAX: usize = 4 * LONG_TEXT_BYTES_MAX;
/// Members of a set (allergies, side effects).
pub const SET_MEMBERS_MAX: usize = 256;
/// Members a set may reach when sets that were each small enough are merged.
pub const MERGED_SET_MEMBERS_MAX: usize = 4 * SET_MEMBERS_MAX;
/// Leaves of a JSON field, and how deep its path may go.
pub const JSON_LEAVES_MAX: usize = 1_024;
/// Depth of a JSON field.
pub const JSON_DEPTH_MAX: usize = 16;
/// How long an edit may wait for a dependency before it is quarantined and becomes an item, in days.
pub const HELD_DAYS_MAX: i64 = 7;
/// Decisions about set-aside edits in one frame.
pub const HANDOVER_EDITS_MAX: usize = 64;
/// Bytes of one edit handed over, as JSON and as signed: with its frame it stays below the limit of a frame.
pub const HANDOVER_BYTES_MAX: usize = 960 * 1024;
/// How long the feed waits for a device that says nothing, in days. Beyond it the device fetches everything again and
/// keeps its unsent work.
pub const FEED_SILENT_DAYS_MAX: i64 = 30;
/// How far ahead of the server a device's clock may be before its captures are clamped with a warning, ms.
pub const CLOCK_AHEAD_WARN_MS: i64 = 5 * 60 * 1_000;
/// Seconds between polls for feed entries whose notification was lost.
pub const FEED_POLL_SECONDS: u64 = 15;
/// Entries of a clinic's audit after which a checkpoint is signed without waiting.
pub const AUDIT_CHECKPOINT_ENTRIES: i64 = 1_000;
/// Seconds after which a checkpoint is signed over whatever the audit gained: how much of its end could be rewritten unseen.
pub const AUDIT_CHECKPOINT_SECONDS: i64 = 300;
/// Reads in one frame: 20 kB, one statement on the server.
pub const READS_MAX: usize = 256;
/// Milliseconds between looks for revoked devices whose notification was lost. Half of what a revocation may take.
pub const REVOCATION_POLL_MS: u64 = 1_000;
/// Seconds without a byte after which a socket counts as dead.
pub const SOCKET_IDLE_SECONDS: u64 = 60;
/// Rules in one scope bundle: eight professions with a few dozen each. Every verdict on an act reads them all.
pub const SCOPE_ENTRIES_MAX: usize = 256;
/// Canonical bytes of one scope bundle: it travels as one row of reference data.
pub const SCOPE_BUNDLE_BYTES_MAX: usize = 256 * 1024;
