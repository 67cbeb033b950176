//! Without a network: two tablets work on the same patient, the same hour and the same lot; a third one reaches for a
//! patient of another clinic.

use super::LIMIT;
use super::cast::{Cast, Scene};
use super::teller::Teller;
use crate::demo::Outcome;
use crate::demo::script::ScriptTablet;
use neonpro_contract::time::{US_PER_DAY, US_PER_SECOND};
use neonpro_contract::value::instant_text;
use neonpro_server::clock;
use serde_json::{Value as Json, json};
use std::time::Duration;

/// What the first tablet's person calls the patient.
pub const NAME_A: &str = "Marina Sala Um da Silva";
/// What the second's does.
pub const NAME_B: &str = "Marina Sala Dois da Silva";
/// The title of the plan nobody consented to yet.
pub const PLAN: &str = "Plano sem termo assinado";
/// Edits each tablet makes offline: telephone or e-mail, name, allergy, appointment, use of stock; and the plan.
const EDITS: [u64; 2] = [5, 6];

/// The whole act.
///
/// # Errors
/// What cannot be done at all.
pub async fn act(cast: &mut Cast, scene: &mut Scene<'_>, teller: &mut Teller) -> Outcome<()> {
    teller.scene("Without a network");
    cast.a.does(json!({"do": "offline"})).await?;
    cast.b.does(json!({"do": "offline"})).await?;
    let before = [confirmed(&mut cast.a).await?, confirmed(&mut cast.b).await?];
    teller.holds(
        &format!("{} and {} go offline; the server is left with one session", cast.a.name, cast.b.name),
        sessions(scene, 1).await?,
    );
    patient(cast, teller).await?;
    agenda(cast, teller).await?;
    stock(cast, teller).await?;
    plan(cast, teller).await?;
    status(cast, before, teller).await?;
    foreign(cast, scene, teller).await
}

async fn confirmed(tablet: &mut ScriptTablet) -> Outcome<Json> {
    Ok(tablet.status().await?["last_confirmed_at"].take())
}

/// Whether the server comes to hold so many sessions.
async fn sessions(scene: &Scene<'_>, expected: u64) -> Outcome<bool> {
    let asked = tokio::time::timeout(LIMIT, async {
        while scene.server.numbers().await?.sessions != expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    });
    match asked.await {
        Ok(reached) => reached.map(|()| true),
        Err(_) => Ok(false),
    }
}

async fn update(tablet: &mut ScriptTablet, author: &Json, patient: &Json, values: Json) -> Outcome<()> {
    let request =
        json!({"do": "update", "table": "patients", "record": patient, "author": author, "values": values});
    tablet.does(request).await.map(drop)
}

async fn allergy(tablet: &mut ScriptTablet, author: &Json, patient: &Json, member: &str) -> Outcome<()> {
    let add = json!([{"op": "add", "field": "allergies", "member": member}]);
    let request =
        json!({"do": "update", "table": "patients", "record": patient, "author": author, "ops": add});
    tablet.does(request).await.map(drop)
}

async fn patient(cast: &mut Cast, teller: &mut Teller) -> Outcome<()> {
    let Cast { a, b, roles, .. } = cast;
    update(a, &roles.first, &roles.treated, json!({"phone": "+55 11 90000-0001"})).await?;
    update(b, &roles.second, &roles.treated, json!({"email": "marina.dois@example.com"})).await?;
    teller.holds("Of one patient, one tablet changes the telephone, the other the e-mail", true);
    update(a, &roles.first, &roles.treated, json!({"name": NAME_A})).await?;
    update(b, &roles.second, &roles.treated, json!({"name": NAME_B})).await?;
    teller.holds("Both change the name, a guarded field", true);
    allergy(a, &roles.first, &roles.treated, "iodo (sala 1)").await?;
    allergy(b, &roles.second, &roles.treated, "pólen (sala 2)").await?;
    teller.holds("Both add an allergy", true);
    Ok(())
}

/// Tomorrow in five weeks: an hour the demo's agenda does not reach.
fn hour(begins: i64) -> (String, String) {
    let day = clock::now().0.div_euclid(US_PER_DAY) + 36;
    let at = |minutes: i64| instant_text(day * US_PER_DAY + minutes * 60 * US_PER_SECOND);
    (at(begins), at(begins + 60))
}

fn booking(author: &Json, patient: &Json, professional: &Json, begins: i64) -> Json {
    let (start, end) = hour(begins);
    json!({"do": "create", "table": "appointments", "author": author, "values": {
        "patient_id": patient, "professional_id": professional, "status": "scheduled",
        "start_time": start, "end_time": end, "duration_minutes": 60}})
}

async fn agenda(cast: &mut Cast, teller: &mut Teller) -> Outcome<()> {
    let Cast { a, b, roles, .. } = cast;
    a.does(booking(&roles.first, &roles.treated, &roles.first, 15 * 60)).await?;
    b.does(booking(&roles.second, &roles.unasked, &roles.first, 15 * 60 + 30)).await?;
    teller.holds("Both book the same professional for overlapping hours", true);
    Ok(())
}

async fn stock(cast: &mut Cast, teller: &mut Teller) -> Outcome<()> {
    let Cast { a, b, roles, .. } = cast;
    let (product, lot, balance) = &roles.stock;
    let used = balance - 1.0;
    for (tablet, author) in [(a, &roles.first), (b, &roles.second)] {
        let values = json!({"product_id": product, "lot_id": lot, "transaction_type": "usage",
            "quantity": format!("{used:.3}"), "performed_by": author});
        tablet
            .does(json!({"do": "create", "table": "inventory_transactions", "author": author, "values": values}))
            .await?;
    }
    teller.holds(&format!("Both use {used} of a lot that holds {balance}"), true);
    Ok(())
}

/// A plan and its first session in one edit: set aside whole, or accepted whole.
async fn plan(cast: &mut Cast, teller: &mut Teller) -> Outcome<()> {
    let Cast { b, roles, .. } = cast;
    let plan = clock::fresh_id(clock::now());
    let put = |field: &str, value: Json| json!({"op": "put", "field": field, "value": value});
    let documents = json!([
        {"table": "treatment_plans", "record": plan, "create": true, "ops": [
            put("patient_id", roles.unasked.clone()), put("professional_id", roles.second.clone()),
            put("title", json!(PLAN)), put("status", json!("active"))]},
        {"table": "treatment_sessions", "record": clock::fresh_id(clock::now()), "create": true, "ops": [
            put("treatment_plan_id", json!(plan)), put("session_number", json!(1)),
            put("notes", json!("Primeira sessão"))]},
    ]);
    let answer = b.does(json!({"do": "edit", "author": roles.second, "documents": documents})).await?;
    let warning = answer["edits"][0]["warning"].as_str();
    teller.equal(
        &format!("{} writes a plan and a session for a patient who was never asked, and is warned", b.name),
        &warning,
        &Some("consent_missing"),
    );
    Ok(())
}

async fn status(cast: &mut Cast, before: [Json; 2], teller: &mut Teller) -> Outcome<()> {
    let Cast { a, b, .. } = cast;
    for ((tablet, edits), before) in [a, b].into_iter().zip(EDITS).zip(before) {
        let status = tablet.status().await?;
        let facts = [
            &status["connection"],
            &status["waiting_edits"],
            &status["needs_attention"],
            &status["last_confirmed_at"],
        ];
        let facts = facts.map(Clone::clone);
        teller.equal(
            &format!(
                "{}: offline, {edits} edits wait, none needs attention, the last confirmation is the old one",
                tablet.name
            ),
            &facts,
            &[json!("offline"), json!(edits), json!(0), before],
        );
    }
    Ok(())
}

/// The tablet of another clinic, online all the time.
async fn foreign(cast: &mut Cast, scene: &Scene<'_>, teller: &mut Teller) -> Outcome<()> {
    let Cast { c, roles, .. } = cast;
    let request = json!({"do": "update", "table": "patients", "record": roles.treated, "author": roles.stranger,
        "values": {"name": "Roubada"}});
    let code = c.ask(request).await?.err().map(|refused| refused.code);
    teller.equal(
        &format!("{} cannot change a patient of {}: there is none on it", c.name, scene.here.name),
        &code.as_deref(),
        &Some("not_found"),
    );
    c.does(booking(&roles.stranger, &roles.treated, &roles.stranger, 9 * 60)).await?;
    super::cast::settles(c, json!({"waiting_edits": 0, "needs_attention": 1})).await?;
    teller.equal(
        &format!("An appointment with that patient is refused by the server, and {} is told", c.name),
        &super::together::attention(c).await?,
        &vec!["refused/not_found".to_owned()],
    );
    Ok(())
}
