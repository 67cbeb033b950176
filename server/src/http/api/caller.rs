//! Who asks: the service token of a request, judged for the scope its handler needs.

use super::problem::Problem;
use crate::state::AppState;
use crate::tokens::{self, Scope};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use neonpro_contract::ids::{AuthorId, ClinicId};
use std::marker::PhantomData;

/// A scope as a type: a handler cannot forget to ask for it.
pub(super) trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

/// [`Scope::Subjects`].
pub(super) struct Subjects;
/// [`Scope::Erasure`].
pub(super) struct Erasure;
/// [`Scope::Incidents`].
pub(super) struct Incidents;

impl Needs for Subjects {
    const SCOPE: Scope = Scope::Subjects;
}
impl Needs for Erasure {
    const SCOPE: Scope = Scope::Erasure;
}
impl Needs for Incidents {
    const SCOPE: Scope = Scope::Incidents;
}

/// Whose request it is.
pub(super) struct Caller<S: Needs> {
    /// The clinic.
    pub clinic: ClinicId,
    /// The administrator it acts for.
    pub by: AuthorId,
    scope: PhantomData<S>,
}

impl<S: Needs> FromRequestParts<AppState> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Problem::Unauthorised)?;
        let found = tokens::find_caller(&state.store, token.trim(), S::SCOPE, state.clock.now()).await?;
        let (clinic, by) = found.ok_or(Problem::Unauthorised)?;
        Ok(Self { clinic, by, scope: PhantomData })
    }
}
