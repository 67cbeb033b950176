//! The step from one record to the next.

use super::*;
use crate::catalogue::table;
use serde_json::json;

fn session(notes: &str, addenda: Json, locked: bool) -> Row {
    let mut row = Row::empty(table("treatment_sessions").unwrap());
    row.set("treatment_plan_id", Value::Uuid(uuid::Uuid::from_u128(1)));
    row.set("professional_id", Value::Uuid(uuid::Uuid::from_u128(2)));
    row.set("session_number", Value::Int(1));
    row.set("notes", Value::Text(notes.to_owned()));
    if addenda != json!({}) {
        row.set("addenda", Value::Json(addenda));
    }
    if locked {
        row.set("locked_at", Value::Instant(1_700_000_000_000_000));
    }
    row
}

#[test]
fn a_locked_record_takes_further_addenda_and_loses_none() {
    let step = |was: Json, is: Json| {
        transition(Some(&session("x", was, true)), &session("x", is, true), Joined::Alone)
    };
    assert_eq!(step(json!({}), json!({"1": "esqueci"})), Ok(()));
    assert_eq!(step(json!({"1": "esqueci"}), json!({"1": "esqueci", "2": "mais"})), Ok(()));
    assert_eq!(step(json!({"1": "esqueci"}), json!({"1": "outro"})), Err(Code::RecordLocked), "overwritten");
    assert_eq!(step(json!({"1": "a", "2": "b"}), json!({"1": "a"})), Err(Code::RecordLocked), "removed");
    assert_eq!(step(json!({"1": "a"}), json!({})), Err(Code::RecordLocked), "all removed");
    assert_eq!(step(json!({"1": {"a": "b"}}), json!({"1": {"a": "b", "c": "d"}})), Err(Code::RecordLocked));
    let open = transition(
        Some(&session("x", json!({"1": "a"}), false)),
        &session("x", json!({"1": "b"}), false),
        Joined::Alone,
    );
    assert_eq!(open, Ok(()), "before the lock they are a draft");
}

#[test]
fn a_text_that_merging_made_too_long_passes_until_somebody_touches_it() {
    let (fits, long) = ("a".repeat(LONG_TEXT_BYTES_MAX), "a".repeat(LONG_TEXT_BYTES_MAX + 1));
    let row = |notes: &str| session(notes, json!({}), false);
    assert_eq!(transition(Some(&row("a")), &row(&long), Joined::Alone), Err(Code::InvalidValue));
    assert_eq!(transition(Some(&row(&fits)), &row(&long), Joined::Concurrently), Ok(()));
    let mut other = row(&long);
    other.set("outcome", Value::Text("bem".into()));
    assert_eq!(transition(Some(&row(&long)), &other, Joined::Alone), Ok(()), "another field");
    let longer = row(&(long.clone() + "a"));
    assert_eq!(transition(Some(&row(&long)), &longer, Joined::Alone), Err(Code::InvalidValue));
    assert_eq!(transition(Some(&row(&long)), &row(&fits), Joined::Alone), Ok(()));
    let beyond = row(&"a".repeat(MERGED_TEXT_BYTES_MAX + 1));
    assert_eq!(transition(Some(&row(&fits)), &beyond, Joined::Concurrently), Err(Code::InvalidValue));
    assert_eq!(overgrown(&row(&long)).map(|field| field.name).collect::<Vec<_>>(), ["notes"]);
    assert_eq!(overgrown(&row(&fits)).count(), 0);
    let nul = row("a\u{0}");
    assert_eq!(transition(Some(&row("a")), &nul, Joined::Concurrently), Err(Code::InvalidValue));
}
