//! What the sync engine tells about itself.

/// What the engine is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Connection {
    /// Nobody has started it, or it was switched off.
    #[default]
    Offline,
    /// Connecting.
    Connecting,
    /// Connected.
    Live {
        /// Everything from the server is here.
        caught_up: bool,
    },
    /// Waiting before the next attempt.
    Waiting {
        /// How long, ms.
        for_ms: u64,
    },
    /// The server does not want this device; trying again is pointless until someone acts.
    Stopped {
        /// The server's code.
        reason: String,
    },
}

/// What the engine has done since it started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncState {
    /// What it is doing.
    pub connection: Connection,
    /// Connected, everything here settled, everything there arrived.
    pub quiet: bool,
    /// It will do nothing more.
    pub ended: bool,
    /// Edits the server merged.
    pub accepted: u64,
    /// Edits that were set aside.
    pub set_aside: u64,
    /// Feed entries applied.
    pub entries: u64,
    /// Records of a first sync applied.
    pub records: u64,
    /// Sessions opened.
    pub sessions: u64,
    /// Times the digests disagreed.
    pub repairs: u64,
    /// Last feed number applied.
    pub cursor: i64,
    /// Code of the last failure.
    pub problem: Option<String>,
}

/// How a single sync went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReport {
    /// Everything here was settled and everything there had arrived.
    pub settled: bool,
    /// Edits the server merged.
    pub accepted: u64,
    /// Edits that were set aside.
    pub set_aside: u64,
    /// Feed entries applied.
    pub entries: u64,
    /// Records of a first sync applied.
    pub records: u64,
    /// Last feed number applied.
    pub cursor: i64,
    /// Code of what went wrong.
    pub problem: Option<String>,
}
