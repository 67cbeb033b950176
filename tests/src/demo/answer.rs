//! Lines of a scripted tablet: answers to requests, and events between them.

use super::Outcome;
use serde_json::{Map, Value as Json};

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// The answer to the request of this id.
    Answer(u64, Result<Map<String, Json>, Refused>),
    /// Something nobody asked for.
    Event,
}

/// A request that was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Stable name.
    pub code: String,
    /// What, why, what to do.
    pub message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refused {}

/// Reads a line.
///
/// # Errors
/// Neither an answer nor an event.
pub fn read(line: &str) -> Outcome<Line> {
    let mut said: Map<String, Json> =
        serde_json::from_str(line).map_err(|error| format!("an unreadable line ({error}): {line}"))?;
    if said.contains_key("event") {
        return Ok(Line::Event);
    }
    let id = said.remove("id").and_then(|id| id.as_u64()).ok_or_else(|| format!("no id: {line}"))?;
    let text = |name: &str| said.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let refused = || Refused { code: text("code"), message: text("message") };
    match said.get("ok").and_then(Json::as_bool) {
        Some(true) => Ok(Line::Answer(id, Ok(said))),
        Some(false) => Ok(Line::Answer(id, Err(refused()))),
        None => Err(format!("neither done nor refused: {line}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_an_event() {
        let answer = read(r#"{"id":7,"ok":true,"cursor":5}"#).unwrap();
        let Line::Answer(7, Ok(members)) = answer else { panic!("{answer:?}") };
        assert_eq!(members["cursor"], 5);
        assert_eq!(read(r#"{"event":"changed","tables":["patients"]}"#).unwrap(), Line::Event);
    }

    #[test]
    fn a_refusal_keeps_its_code_and_its_sentence() {
        let refused =
            read(r#"{"id":1,"ok":false,"code":"not_found","message":"Nothing was written."}"#).unwrap();
        let expected = Refused { code: "not_found".into(), message: "Nothing was written.".into() };
        assert_eq!(refused, Line::Answer(1, Err(expected)));
    }

    #[test]
    fn anything_else_is_an_error() {
        for line in ["", "ok", "[]", "{}", r#"{"id":"a","ok":true}"#, r#"{"id":1}"#] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
