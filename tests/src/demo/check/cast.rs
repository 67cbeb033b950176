//! Who plays: two tablets of one clinic, one of another, and the people and patients they were given.

use super::LIMIT;
use super::teller::Teller;
use crate::demo::books::Books;
use crate::demo::script::ScriptTablet;
use crate::demo::server::{Clinic, DemoServer};
use crate::demo::tablet::Files;
use crate::demo::{Outcome, Problem};
use serde_json::{Value as Json, json};
use std::path::Path;

/// Names of the tablets.
pub const NAMES: [&str; 3] = ["Tablet Sala 1", "Tablet Sala 2", "Tablet Filial"];

/// Where it plays.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The demo's directory.
    pub dir: &'a Path,
    /// The server.
    pub server: &'a DemoServer,
    /// Its books.
    pub books: &'a mut Books,
    /// The clinic of the first two tablets.
    pub here: Clinic,
    /// The clinic of the third.
    pub abroad: Clinic,
}

/// Whom and what the story is about.
#[derive(Debug, Clone)]
pub struct Roles {
    /// Who uses the first tablet: a professional's id.
    pub first: Json,
    /// Who uses the second.
    pub second: Json,
    /// Somebody of the other clinic.
    pub stranger: Json,
    /// A patient who consented to treatment.
    pub treated: Json,
    /// A patient of whom no consent to treatment was ever asked.
    pub unasked: Json,
    /// A product, one of its lots, and what is left in it.
    pub stock: (Json, Json, f64),
}

/// The tablets.
#[derive(Debug)]
pub struct Cast {
    /// Tablet of the clinic.
    pub a: ScriptTablet,
    /// Another one.
    pub b: ScriptTablet,
    /// Tablet of another clinic.
    pub c: ScriptTablet,
    /// Whom and what it is about.
    pub roles: Roles,
}

impl Cast {
    /// Enrols the tablets, lets them fetch their clinics, picks people and patients.
    ///
    /// # Errors
    /// What does not come about.
    pub async fn assemble(scene: &mut Scene<'_>, teller: &mut Teller) -> Outcome<Self> {
        teller.scene("Three tablets");
        let [a, b, c] = NAMES.map(|name| ScriptTablet::start(Files::of(scene.dir, name), name));
        let (mut a, mut b, mut c) = (a?, b?, c?);
        let ticket = enrol(&mut a, scene, &scene.here).await?;
        enrol(&mut b, scene, &scene.here).await?;
        enrol(&mut c, scene, &scene.abroad).await?;
        teller.holds(
            &format!(
                "{} and {} enrol in {}, {} in {}, each with a one-time ticket",
                a.name, b.name, scene.here.name, c.name, scene.abroad.name
            ),
            true,
        );
        used_ticket(scene, &ticket, teller).await?;
        tokio::try_join!(first_sync(&mut a), first_sync(&mut b), first_sync(&mut c))?;
        let records = count(&mut a, "patients").await?;
        teller.holds(
            &format!("All three fetch their clinic ({records} patients on {}) and are confirmed", a.name),
            records > 0,
        );
        let numbers = scene.server.numbers().await?;
        teller.equal(
            "The server counts their three sessions and no disagreement of digests",
            &(numbers.sessions, numbers.digest_mismatches),
            &(3, 0),
        );
        let roles = pick(&mut a, &mut c).await?;
        Ok(Self { a, b, c, roles })
    }

    /// Ends the tablets' programs.
    ///
    /// # Errors
    /// One that does not end.
    pub async fn leave(self) -> Outcome<()> {
        tokio::try_join!(self.a.quit(), self.b.quit(), self.c.quit()).map(drop)
    }
}

async fn enrol(tablet: &mut ScriptTablet, scene: &Scene<'_>, clinic: &Clinic) -> Outcome<String> {
    let ticket = scene.server.ticket(clinic.id).await?;
    tablet.does(json!({"do": "enrol", "ticket": ticket, "name": tablet.name})).await?;
    Ok(ticket)
}

async fn used_ticket(scene: &Scene<'_>, ticket: &str, teller: &mut Teller) -> Outcome<()> {
    let mut late = ScriptTablet::start(Files::of(scene.dir, "Tablet Atrasado"), "Tablet Atrasado")?;
    let answer = late.ask(json!({"do": "enrol", "ticket": ticket, "name": "Tablet Atrasado"})).await?;
    let code = answer.err().map(|refused| refused.code);
    teller.equal(
        "A fourth tablet cannot use the first one's ticket",
        &code.as_deref(),
        &Some("enrolment_code_refused"),
    );
    late.quit().await
}

/// Goes online and stays there until the whole clinic has arrived.
async fn first_sync(tablet: &mut ScriptTablet) -> Outcome<()> {
    tablet.does(json!({"do": "online"})).await?;
    settles(
        tablet,
        json!({"synced_once": true, "caught_up": true, "waiting_edits": 0, "needs_attention": 0}),
    )
    .await?;
    // The confirmation is written a moment after the last page was.
    let sql = "select 1 from sync_meta where last_confirmed_at is not null";
    let limit = u64::try_from(LIMIT.as_millis())?;
    tablet.does(json!({"do": "wait", "until": {"sql": sql}, "timeout_ms": limit})).await.map(drop)
}

/// Waits for a status.
///
/// # Errors
/// It does not come about.
pub async fn settles(tablet: &mut ScriptTablet, status: Json) -> Outcome<()> {
    let limit = u64::try_from(LIMIT.as_millis())?;
    tablet.does(json!({"do": "wait", "until": {"status": status}, "timeout_ms": limit})).await.map(drop)
}

/// Rows of a table on a tablet.
///
/// # Errors
/// A refused query.
pub async fn count(tablet: &mut ScriptTablet, table: &str) -> Outcome<u64> {
    let rows = tablet.rows(&format!("select count(*) from {table}"), &[]).await?;
    Ok(rows[0][0].as_u64().unwrap_or_default())
}

const TREATED: &str = "select id from patients p
    where exists (select 1 from data_consent_records c
        where c.patient_id = p.id and c.consent_type = 'treatment' and c.consent_given)
    and not exists (select 1 from data_consent_records c
        where c.patient_id = p.id and c.consent_type = 'treatment' and not c.consent_given)
    order by id limit 1";

const UNASKED: &str = "select id from patients p
    where not exists (select 1 from data_consent_records c where c.patient_id = p.id and c.consent_type = 'treatment')
    order by id limit 1";

/// A lot the whole stock of its product lies in, with enough for one of two equal uses and not for both.
const STOCK: &str = "with moved as (select product_id, lot_id,
        case transaction_type when 'purchase' then 1 else -1 end * cast(quantity as real) as quantity
        from inventory_transactions where transaction_type in ('purchase', 'usage', 'waste'))
    select product_id, lot_id, sum(quantity) as balance from moved group by product_id
    having count(distinct lot_id) = 1 and balance > 2 order by balance limit 1";

async fn pick(a: &mut ScriptTablet, c: &mut ScriptTablet) -> Outcome<Roles> {
    let [first, second] = professionals(a).await?;
    let [stranger, _] = professionals(c).await?;
    let treated = one(a, TREATED).await?.remove(0);
    let unasked = one(a, UNASKED).await?.remove(0);
    let stock = one(a, STOCK).await?;
    let [product, lot, balance] = &stock[..] else { return Err("no lot with stock".into()) };
    let balance = balance.as_f64().ok_or("a balance that is no number")?;
    Ok(Roles { first, second, stranger, treated, unasked, stock: (product.clone(), lot.clone(), balance) })
}

async fn one(tablet: &mut ScriptTablet, sql: &str) -> Outcome<Vec<Json>> {
    let rows = tablet.rows(sql, &[]).await?;
    rows.into_iter().next().ok_or_else(|| Problem::from(format!("the demo network has nothing for: {sql}")))
}

async fn professionals(tablet: &mut ScriptTablet) -> Outcome<[Json; 2]> {
    let users = tablet.tell(json!({"do": "users"}), "users").await?;
    let users = users.as_array().cloned().unwrap_or_default();
    let mut found =
        users.into_iter().filter(|user| user["role"] == "professional").map(|mut user| user["author"].take());
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => Ok([first, second]),
        _ => Err("fewer than two professionals in the clinic".into()),
    }
}
