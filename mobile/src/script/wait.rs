//! Waiting for a state of the replica, with a limit.

use super::Answer;
use super::commands::{members, one, status};
use super::refusal::Refusal;
use super::request::Until;
use super::tablet::Tablet;
use neonpro_client_core::Replica;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

/// Looks at the state now and after every change, until it is met.
pub(super) async fn until(tablet: &mut Tablet, until: Until, timeout_ms: u64) -> Answer {
    let mut watch = tablet.replica().await?.watch(&[]);
    let (until, online) = (Arc::new(until), tablet.is_online());
    let waiting = async {
        loop {
            let wanted = Arc::clone(&until);
            let (met, seen) = tablet.work(move |replica| look(replica, &wanted, online)).await?;
            if met {
                return Ok(members(seen));
            }
            watch.changed().await;
        }
    };
    match tokio::time::timeout(Duration::from_millis(timeout_ms), waiting).await {
        Ok(answer) => answer,
        Err(_) => Err(Refusal::timed_out("The awaited state", timeout_ms)),
    }
}

/// Whether the state is met, and what was seen.
fn look(replica: &Replica, until: &Until, online: bool) -> Result<(bool, Json), Refusal> {
    match until {
        Until::Query { sql, params, equals, at_least } => {
            let result = replica.query(sql, params, 1)?;
            let seen = result.rows.into_iter().next().and_then(|row| row.into_iter().next());
            let met = match (equals, at_least) {
                (Some(wanted), _) => seen.as_ref() == Some(wanted),
                (None, Some(least)) => {
                    seen.as_ref().and_then(Json::as_f64).is_some_and(|seen| seen >= *least)
                }
                (None, None) => seen.is_some(),
            };
            Ok((met, json!({ "value": seen })))
        }
        Until::Status { status: wanted } => {
            let seen = status(replica, online)?;
            let met = wanted.iter().all(|(name, value)| seen.get(name) == Some(value));
            Ok((met, Json::Object(one("status", seen))))
        }
    }
}
