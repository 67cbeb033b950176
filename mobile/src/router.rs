//! The router: every screen behind the door.

use crate::access::stand_lease;
use crate::app::App;
use crate::guard::stand_guard;
use crate::handed::stand_handed;
use crate::screens;
use axum::Router;
use axum::middleware::from_fn_with_state;

/// The tablet's page over an app.
pub fn router(app: App) -> Router {
    screens::routes()
        .layer(from_fn_with_state(app.clone(), stand_handed))
        .layer(from_fn_with_state(app.clone(), stand_lease))
        .layer(from_fn_with_state(app.guard().clone(), stand_guard))
        .with_state(app)
}
