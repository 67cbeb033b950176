//! The pool: every connection runs as the restricted role, and none is handed out that is not as it was made.

use super::access::Access;
use super::{DatabaseError, during};
use crate::store::Store;
use sqlx_core::pool::PoolOptions;
use sqlx_core::row::Row as _;
use sqlx_postgres::{PgConnection, Postgres};
use std::time::Duration;

/// Connections of one server process. The merge of a clinic uses one, a session's page another.
const CONNECTIONS_MAX: u32 = 24;
/// How long a task waits for a connection before it reports the pool exhausted.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(10);

/// Opens it.
pub(super) async fn open(access: &Access) -> Result<Store, DatabaseError> {
    let pool = PoolOptions::<Postgres>::new()
        .max_connections(CONNECTIONS_MAX)
        .min_connections(2)
        .acquire_timeout(ACQUIRE_LIMIT)
        // The question below is the sign of life as well: one round trip, as before.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(is_clean(connection)))
        .connect_with(
            access.server.clone().options([("role", "neonpro_server")]).application_name("neonpro-server"),
        )
        .await
        .map_err(during("opening the pool"))?;
    Ok(Store::new(pool))
}

/// Whether a connection is in no transaction, runs as the restricted role and names no clinic.
///
/// A `begin` that was cancelled before its answer came leaves the connection inside a transaction, with a clinic set,
/// and the driver's own count (sqlx 0.9.0) does not know of it: the next statement would run in that clinic and be lost
/// at the end. So the database is asked. A simple query outside of a transaction begins together with its own.
///
/// # Errors
/// A connection that broke.
pub async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx_core::Error> {
    sqlx_core::raw_sql::raw_sql(
        "select now() = statement_timestamp() and current_user = 'neonpro_server' \
         and coalesce(current_setting('neonpro.clinic_id', true), '') = ''",
    )
    .fetch_one(connection)
    .await?
    .try_get(0)
}
