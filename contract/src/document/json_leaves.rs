//! A JSON object as a flat map of leaves, keyed by JSON pointer (RFC 6901).
//!
//! Flat, because two people who create the same nested object independently would otherwise create two
//! containers, of which Automerge shows one. With leaves, their keys merge at any depth.

use crate::limits::{CHANGE_KEY_BYTES_MAX, JSON_DEPTH_MAX, JSON_LEAVES_MAX};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Pointer → leaf as JSON text. `None` when the object is too deep or too large.
pub(super) fn flatten(object: &Json) -> Option<BTreeMap<String, String>> {
    let mut leaves = BTreeMap::new();
    descend(object, String::new(), 0, &mut leaves)?;
    Some(leaves)
}

fn descend(json: &Json, path: String, depth: usize, leaves: &mut BTreeMap<String, String>) -> Option<()> {
    if depth > JSON_DEPTH_MAX || leaves.len() >= JSON_LEAVES_MAX || path.len() > CHANGE_KEY_BYTES_MAX {
        return None;
    }
    match json {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                descend(value, format!("{path}/{escaped}"), depth.saturating_add(1), leaves)?;
            }
        }
        _ if path.is_empty() => {}
        leaf => drop(leaves.insert(path, leaf.to_string())),
    }
    Some(())
}

/// Builds the object again. Where a leaf and deeper leaves compete, the deeper ones win on every replica alike.
/// `None` for what [`flatten`] never makes: a path too deep to walk, a leaf that is no JSON or holds leaves itself.
pub(super) fn build(leaves: &BTreeMap<String, String>) -> Option<Json> {
    let mut root = Map::new();
    for (path, text) in leaves {
        let value: Json = serde_json::from_str(text).ok()?;
        if path.matches('/').count() > JSON_DEPTH_MAX || value.as_object().is_some_and(|map| !map.is_empty())
        {
            return None;
        }
        let keys: Vec<String> =
            path.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
        insert(&mut root, &keys, value);
    }
    Some(Json::Object(root))
}

fn insert(map: &mut Map<String, Json>, keys: &[String], value: Json) {
    match keys {
        [] => {}
        [last] => drop(map.insert(last.clone(), value)),
        [first, rest @ ..] => {
            let slot = map.entry(first.clone()).or_insert_with(|| Json::Object(Map::new()));
            if !slot.is_object() {
                *slot = Json::Object(Map::new());
            }
            if let Json::Object(inner) = slot {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_survives_the_round_trip() {
        let object = json!({"a": {"b": 1, "c/d": [1, 2]}, "e": null, "f": {}, "~": "x"});
        assert_eq!(build(&flatten(&object).unwrap()), Some(object));
    }

    #[test]
    fn an_object_too_deep_is_not_flattened() {
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!({ "k": deep });
        }
        assert!(flatten(&deep).is_none());
    }

    #[test]
    fn what_no_tablet_flattened_is_not_built() {
        let leaves = |path: &str, leaf: &str| BTreeMap::from([(path.to_owned(), leaf.to_owned())]);
        assert_eq!(build(&leaves(&"/a".repeat(100_000), "1")), None, "deep enough to overflow the stack");
        assert_eq!(build(&leaves("/a", &"[".repeat(100_000))), None, "no JSON");
        assert_eq!(build(&leaves("/a", r#"{"b":1}"#)), None, "leaves inside a leaf");
    }
}
