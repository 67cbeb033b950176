//! What the server sends: pages of the feed, rows of a first sync, repairs. One write transaction each.

pub(crate) mod changes;
pub(crate) mod page;
pub(crate) mod purge;
pub(crate) mod repair;
pub(crate) mod rows;
pub(crate) mod snapshot;
