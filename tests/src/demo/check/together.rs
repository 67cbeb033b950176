//! Back online: everyone converges, what needs a person is listed, and a consent releases what waited for it.

use super::cast::{Cast, Scene, settles};
use super::offline::{NAME_A, NAME_B, PLAN};
use super::teller::Teller;
use crate::demo::Outcome;
use crate::demo::script::ScriptTablet;
use neonpro_contract::value::{Column, Value, instant_text};
use neonpro_server::clock;
use serde_json::{Value as Json, json};

/// What needs a person on the server once both tablets are back.
const ITEMS: [&str; 4] =
    ["agenda/double_booking", "fields/concurrent_values", "stock/negative_lot", "stock/negative_product"];

/// Both tablets come back at once.
///
/// # Errors
/// What does not come about.
pub async fn reconnect(cast: &mut Cast, scene: &Scene<'_>, teller: &mut Teller) -> Outcome<()> {
    teller.scene("Back online");
    cast.a.does(json!({"do": "online"})).await?;
    cast.b.does(json!({"do": "online"})).await?;
    let settled = json!({"waiting_edits": 0, "caught_up": true});
    tokio::try_join!(settles(&mut cast.a, settled.clone()), settles(&mut cast.b, settled.clone()))?;
    reach_head(cast, scene).await?;
    teller.holds("Both tablets send what waited and fetch what the other did", true);
    Ok(())
}

/// Waits until both tablets have applied the clinic's feed to its end.
async fn reach_head(cast: &mut Cast, scene: &Scene<'_>) -> Outcome<()> {
    let head = scene.books.head(scene.here.id).await?.seq;
    let wanted = json!({"cursor": head, "caught_up": true});
    tokio::try_join!(settles(&mut cast.a, wanted.clone()), settles(&mut cast.b, wanted.clone())).map(drop)
}

/// Entries that need attention, as `place/code`.
///
/// # Errors
/// A refusal.
pub async fn attention(tablet: &mut ScriptTablet) -> Outcome<Vec<String>> {
    let entries = tablet.tell(json!({"do": "attention"}), "attention").await?;
    let name = |entry: &Json| format!("{}/{}", text(&entry["place"]), text(&entry["code"]));
    Ok(entries.as_array().into_iter().flatten().map(name).collect())
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What became of everything, on the server and on the tablets.
///
/// # Errors
/// What cannot be asked.
pub async fn outcome(cast: &mut Cast, scene: &mut Scene<'_>, teller: &mut Teller) -> Outcome<()> {
    let mut fates = vec!["Tablet Sala 1: accepted"; 5];
    fates.extend(["Tablet Sala 2: accepted"; 5]);
    fates.push("Tablet Sala 2: quarantined/consent_missing");
    teller.equal(
        "The server kept 10 edits, and set 1 aside: the plan",
        &scene.books.fates(scene.here.id).await?,
        &owned(&fates),
    );
    teller.equal(
        "Of the other clinic's tablet it kept nothing but the refusal",
        &scene.books.fates(scene.abroad.id).await?,
        &owned(&["Tablet Filial: refused/not_found"]),
    );
    teller.equal(
        "People must decide: the name, the hour, the lot and its product; nothing else",
        &scene.books.items(scene.here.id).await?,
        &owned(&ITEMS),
    );
    teller.equal(
        "In the other clinic nobody must decide anything",
        &scene.books.items(scene.abroad.id).await?,
        &Vec::new(),
    );
    let counted = scene.server.numbers().await?;
    let edits: Vec<_> = counted.edits.iter().map(|(fate, number)| format!("{fate} {number}")).collect();
    teller.equal(
        "The server's metrics say the same",
        &edits,
        &owned(&["accepted 10", "quarantined 1", "refused 1"]),
    );
    teller.equal("No digest disagreed", &counted.digest_mismatches, &0);
    merged(cast, teller).await?;
    facts(cast, teller).await
}

/// The patient as both tablets show it.
async fn merged(cast: &mut Cast, teller: &mut Teller) -> Outcome<()> {
    let Cast { a, b, roles, .. } = cast;
    let conflicts = a.tell(json!({"do": "conflicts"}), "conflicts").await?;
    // The tablets tell the time by the server's clock, each a few milliseconds off: the entry knows whose was later.
    let later = latest(&conflicts);
    for tablet in [a, b] {
        let row =
            tablet.tell(json!({"do": "row", "table": "patients", "record": roles.treated}), "row").await?;
        let allergies = row["allergies"].as_array().cloned().unwrap_or_default();
        let both =
            allergies.contains(&json!("iodo (sala 1)")) && allergies.contains(&json!("pólen (sala 2)"));
        let found = [&row["phone"], &row["email"], &row["name"], &json!(both)].map(Clone::clone);
        let expected =
            [json!("+55 11 90000-0001"), json!("marina.dois@example.com"), later.clone(), json!(true)];
        teller.equal(
            &format!("{} shows both fields, both allergies and the name captured later", tablet.name),
            &found,
            &expected,
        );
        let conflicts = tablet.tell(json!({"do": "conflicts"}), "conflicts").await?;
        teller.equal(
            &format!("{} shows the name as disputed, with both values", tablet.name),
            &disputed(&conflicts),
            &vec![format!("patients.name: {NAME_A}, {NAME_B}")],
        );
    }
    Ok(())
}

/// The value of the first disputed field that was captured last.
fn latest(conflicts: &Json) -> Json {
    let choices = conflicts[0]["choices"].as_array().cloned().unwrap_or_default();
    let captured =
        |choice: &Json| Value::from_json(&choice["captured_at"], Column::Instant).ok()?.as_instant();
    let last = choices.into_iter().max_by_key(captured);
    last.map_or(Json::Null, |mut choice| choice["value"].take())
}

/// Disputed fields, as `table.field: values`.
fn disputed(conflicts: &Json) -> Vec<String> {
    let of = |conflict: &Json| {
        let choices = conflict["choices"].as_array().cloned().unwrap_or_default();
        let mut values: Vec<&str> = choices.iter().map(|choice| text(&choice["value"])).collect();
        values.sort_unstable_by_key(|value| std::cmp::Reverse(*value));
        format!(
            "{}.{}: {}",
            text(&conflict["document"]["table"]),
            text(&conflict["field"]),
            values.join(", ")
        )
    };
    conflicts.as_array().into_iter().flatten().map(of).collect()
}

/// The three facts and what needs attention.
async fn facts(cast: &mut Cast, teller: &mut Teller) -> Outcome<()> {
    let Cast { a, b, c, .. } = cast;
    let expected = [vec![], owned(&["quarantined/consent_missing"]), owned(&["refused/not_found"])];
    for (tablet, expected) in [a, b, c].into_iter().zip(expected) {
        let status = tablet.status().await?;
        let found =
            (status["waiting_edits"].clone(), status["needs_attention"].clone(), attention(tablet).await?);
        let entries = json!(expected.len());
        teller.equal(
            &format!("{}: nothing waits, needs attention: {}", tablet.name, listed(&expected)),
            &found,
            &(json!(0), entries, expected),
        );
    }
    Ok(())
}

fn listed(entries: &[String]) -> String {
    if entries.is_empty() { "nothing".to_owned() } else { entries.join(", ") }
}

/// The patient is asked, and the plan goes in by itself.
///
/// # Errors
/// What does not come about.
pub async fn consent(cast: &mut Cast, scene: &mut Scene<'_>, teller: &mut Teller) -> Outcome<()> {
    teller.scene("The patient consents");
    let values = json!({"patient_id": cast.roles.unasked, "consent_type": "treatment", "consent_given": true,
        "consent_date": instant_text(clock::now().0)});
    let request = json!({"do": "create", "table": "data_consent_records", "author": cast.roles.first, "values": values});
    cast.a.does(request).await?;
    settles(&mut cast.b, json!({"needs_attention": 0, "waiting_edits": 0})).await?;
    teller.equal(
        &format!(
            "The consent is recorded on {}, and the entry on {} closes by itself",
            cast.a.name, cast.b.name
        ),
        &attention(&mut cast.b).await?,
        &Vec::new(),
    );
    reach_head(cast, scene).await?;
    let Cast { a, b, roles, .. } = cast;
    for tablet in [a, b] {
        let sql = "select p.title, p.author_id, s.notes from treatment_plans p
            join treatment_sessions s on s.treatment_plan_id = p.id where p.patient_id = uuid(?1)";
        let rows = tablet.rows(sql, std::slice::from_ref(&roles.unasked)).await?;
        teller.equal(
            &format!("{} shows the plan and its session, in the name of who wrote them", tablet.name),
            &rows,
            &vec![vec![json!(PLAN), roles.second.clone(), json!("Primeira sessão")]],
        );
    }
    let mut fates = vec!["Tablet Sala 1: accepted"; 6];
    fates.extend(["Tablet Sala 2: accepted"; 6]);
    teller.equal("Nothing is left in quarantine", &scene.books.fates(scene.here.id).await?, &owned(&fates));
    teller.equal(
        "What people must decide is still the same",
        &scene.books.items(scene.here.id).await?,
        &owned(&ITEMS),
    );
    let mismatches = scene.server.numbers().await?.digest_mismatches;
    teller.equal("Still no digest disagreed: the plan came by the feed, not by a repair", &mismatches, &0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_is_named_with_its_values_in_one_order() {
        let choice = |value: &str| json!({"value": value});
        let of = |choices: [Json; 2]| json!([{"document": {"table": "patients"}, "field": "name", "choices": choices}]);
        let expected = vec![format!("patients.name: {NAME_A}, {NAME_B}")];
        assert_eq!(disputed(&of([choice(NAME_A), choice(NAME_B)])), expected);
        assert_eq!(disputed(&of([choice(NAME_B), choice(NAME_A)])), expected);
        assert_eq!(disputed(&json!([])), Vec::<String>::new());
    }

    #[test]
    fn the_later_of_two_values_is_found_by_its_capture() {
        let choice = |value: &str, at: &str| json!({"value": value, "captured_at": at});
        let (first, last) = (choice("A", "2026-01-01T00:00:00Z"), choice("B", "2026-01-01T00:00:00.000002Z"));
        assert_eq!(latest(&json!([{"choices": [last, first]}])), "B");
        assert_eq!(latest(&json!([])), Json::Null);
    }
}
