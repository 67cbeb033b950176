//! What the server sends: pages of the feed, rows of a first sync, repairs. One write transaction each.

pub(crate) mod page;
pub(crate) mod rows;
pub(crate) mod repair;
pub(crate) mod snapshot;
