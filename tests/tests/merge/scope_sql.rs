//! The SQL function `validate_professional_scope` and the contract's verdict, asked the same questions on one database.

use neonpro_contract::catalogue::{BODY_AREAS, PROCEDURE_CLASSES, PRODUCT_CLASSES};
use neonpro_contract::scope_of_practice::{Act, SHIPPED, publisher_keys, verdict, write_hex};
use neonpro_contract::scope_of_practice::{Bundle, PublisherKey};
use neonpro_contract::value::instant_text;
use neonpro_server::actor::Actor;
use neonpro_server::clock;
use neonpro_server::store::scope::ScopeQuestion;
use neonpro_tests::world::World;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value as Json, json};
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgConnection;
use uuid::Uuid;

const SEED: u64 = 20_261_125;
const DAY: i64 = 86_400_000_000;
/// 2026-06-01: everything generated lies within a month of it.
const MIDDLE: i64 = 1_780_272_000_000_000;
const CASES: usize = 4_000;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
    fn instant(&mut self) -> i64 {
        MIDDLE + (i64::try_from(self.below(60)).unwrap() - 30) * DAY
    }
    /// An SQL literal, or null.
    fn maybe(&mut self, percent: u64, literal: String) -> String {
        if self.chance(percent) { literal } else { "null".to_owned() }
    }
}

fn quoted(text: impl std::fmt::Display) -> String {
    format!("'{text}'")
}

async fn run(admin: &mut PgConnection, sql: String) {
    sqlx_core::raw_sql::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(admin)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// The shipped rules and some of every other shape, signed by a key of the test.
fn signed_bundle(random: &mut Random) -> (Json, String, PublisherKey) {
    let mut content: Json = serde_json::from_str(SHIPPED.last().unwrap().0).unwrap();
    content["version"] = json!("2026-12");
    content["in_force_from"] = json!(instant_text(MIDDLE - 10 * DAY));
    let professions = ["doctor", "nurse", "biomedic", "aesthetician", "dentist"];
    let entries = content["entries"].as_array_mut().unwrap();
    for number in 0..60 {
        let some = |random: &mut Random, from: &[&'static str]| -> Vec<&'static str> {
            if random.chance(40) { vec![random.pick(from), random.pick(from)] } else { Vec::new() }
        };
        let from = random.instant();
        let reviewed = random.chance(50);
        entries.push(json!({
            "id": format!("caso-{number:02}"),
            "profession": random.pick(&professions),
            "credential": random.chance(30).then(|| random.pick(&["COREN", "CFM", "CFBM"])),
            "procedure_classes": some(random, PROCEDURE_CLASSES),
            "body_areas": some(random, BODY_AREAS),
            "product_classes": some(random, PRODUCT_CLASSES),
            "jurisdiction": random.pick(&["BR", "SP", "RJ"]),
            "level": random.pick(&["independent", "supervised", "contested", "prohibited"]),
            "legal_basis": "caso gerado",
            "litigation": null,
            "valid_from": instant_text(from),
            "valid_until": random.chance(50).then(|| instant_text(from + 20 * DAY)),
            "reviewed_by": reviewed.then_some("Revisora, OAB/SP 1"),
            "reviewed_at": reviewed.then(|| instant_text(from)),
        }));
    }
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let signature = write_hex(pair.sign(&Bundle::read(&content).unwrap().signing_bytes()).as_ref());
    (content, signature, pair.public_key().as_ref().try_into().unwrap())
}

/// Ids of what may be asked about.
struct Made {
    people: Vec<Uuid>,
    procedures: Vec<Uuid>,
    products: Vec<Uuid>,
}

async fn make(admin: &mut PgConnection, random: &mut Random, clinic: Uuid) -> Made {
    let fresh = || clock::fresh_id(clock::now());
    let mut made = Made { people: Vec::new(), procedures: Vec::new(), products: Vec::new() };
    for class in PROCEDURE_CLASSES.iter().map(quoted).chain(["null".to_owned()]) {
        for area in BODY_AREAS.iter().map(quoted).chain(["null".to_owned()]) {
            let id = fresh();
            run(
                admin,
                format!(
                    "insert into service_types (id, name, duration_minutes, procedure_class, body_area)
                values ('{id}', 'x', 30, {class}, {area})"
                ),
            )
            .await;
            made.procedures.push(id);
        }
    }
    for class in PRODUCT_CLASSES.iter().map(quoted).chain(["null".to_owned()]) {
        let id = fresh();
        run(admin, format!("insert into inventory_products (clinic_id, id, name, category, unit_type, unit_size, product_class)
            values ('{clinic}', '{id}', 'x', 'x', 'ml', 1, {class})")).await;
        made.products.push(id);
    }
    for (number, (profession, council)) in [
        ("doctor", "CFM"),
        ("nurse", "COREN"),
        ("nurse", "CFM"),
        ("biomedic", "CFBM"),
        ("aesthetician", "CNEP"),
        ("dentist", "CFO"),
        ("biologist", "CFBio"),
        ("nurse", "COREN"),
        ("biomedic", "CFBM"),
        ("pharmacist", "CFF"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = fresh();
        let (state, active) =
            (random.pick(&["SP", "RJ", "MG", "1"]), random.pick(&["true", "true", "true", "null", "false"]));
        let at = quoted(instant_text(random.instant()));
        let retired = random.maybe(20, at);
        run(admin, format!("insert into professionals (clinic_id, id, name, email, professional_type, council_type, council_number,
            council_state, is_active, retired_at) values ('{clinic}', '{id}', 'x', 'scope{number}@x.br', '{profession}', '{council}', '1',
            '{state}', {active}, {retired})")).await;
        made.people.push(id);
    }
    made
}

/// The clinic's own rules, supervisions and decisions about what was made.
async fn rule(admin: &mut PgConnection, random: &mut Random, clinic: Uuid, made: &Made, rules: &[String]) {
    for number in 0..120 {
        let from = random.instant();
        let until = random.maybe(50, quoted(instant_text(from + 15 * DAY)));
        let (one, other) = (random.pick(&made.procedures), random.pick(&made.products));
        let (procedure, product) = (random.maybe(60, quoted(one)), random.maybe(50, quoted(other)));
        let level = random.pick(&["'independent'", "'supervised'", "'prohibited'", "null"]);
        let (who, ok) = (random.pick(&made.people), !random.chance(8));
        let wording = random.maybe(40, quoted(format!("na sala {number}")));
        run(admin, format!("insert into professional_scope_validation (clinic_id, professional_id, procedure_id, medication_id,
            is_authorized, authorization_level, conditions, supervision_requirements, valid_from, valid_until)
            values ('{clinic}', '{who}', {procedure}, {product}, {ok}, {level}, array['é {number}', 'Z', 'a'], {wording},
            '{}', {until})", instant_text(from))).await;
    }
    for _ in 0..14 {
        let from = random.instant();
        let until = random.maybe(50, quoted(instant_text(from + 15 * DAY)));
        let kind = random.pick(&["clinical", "clinical", "mentorship"]);
        let (level, active) =
            (random.pick(&["1", "3", "5", "null"]), random.pick(&["true", "null", "false"]));
        let (boss, who) = (random.pick(&made.people), random.pick(&made.people));
        run(admin, format!("insert into professional_supervision (clinic_id, supervisor_id, supervisee_id, supervision_type, scope,
            frequency, max_autonomy_level, start_date, end_date, is_active) values ('{clinic}', '{boss}', '{who}', '{kind}', 'x',
            'daily', {level}, '{}', {until}, {active})", instant_text(from))).await;
    }
    for number in 0..40 {
        let from = random.instant();
        let until = random.maybe(40, quoted(instant_text(from + 10 * DAY)));
        let (rule, choice) = (random.pick(rules), random.pick(&["permit", "supervise", "forbid"]));
        run(admin, format!("insert into scope_decisions (clinic_id, rule_id, choice, reason, decided_by, valid_from, valid_until)
            values ('{clinic}', '{rule}', '{choice}', 'motivo {number}', '{}', '{}', {until})", made.people[0], instant_text(from))).await;
    }
}

#[tokio::test]
async fn the_sql_function_and_the_contract_give_the_same_verdict() {
    println!("seed {SEED}");
    let random = &mut Random(SEED);
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (content, signature, key) = signed_bundle(random);
    let store = world.store().clone().trusting(publisher_keys().into_iter().chain([key]).collect());
    neonpro_server::scope::install(&store, &content, &signature, clock::now()).await.unwrap();
    let contested =
        content["entries"].as_array().unwrap().iter().filter(|entry| entry["level"] == "contested");
    let rules: Vec<String> = contested.map(|entry| entry["id"].as_str().unwrap().to_owned()).collect();
    let mut admin = world.database.admin().await;
    let made = make(&mut admin, random, clinic.0).await;
    rule(&mut admin, random, clinic.0, &made, &rules).await;

    let mut cases: Vec<(Uuid, Option<Uuid>, Option<Uuid>, i64)> = Vec::with_capacity(CASES);
    for _ in 0..CASES {
        let (procedure, product) = (random.pick(&made.procedures), random.pick(&made.products));
        cases.push((
            random.pick(&made.people),
            random.chance(85).then_some(procedure),
            random.chance(50).then_some(product),
            random.instant(),
        ));
    }
    let asked =
        ScopeQuestion { people: made.people.clone(), procedures: made.procedures.clone(), products: true };
    let mut scoped = store.begin(&Actor::system(clinic)).await.unwrap();
    let facts = scoped.load_scope_facts(&asked).await.unwrap();
    scoped.rollback().await.unwrap();
    assert_eq!(facts.bundles.len(), 2);

    run(&mut admin, format!("set role neonpro_server; set neonpro.clinic_id = '{clinic}'")).await;
    let answers = sqlx_core::query::query(
        "select v.* from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) with ordinality \
         as c(who, procedure, product, at, n), validate_professional_scope(who, procedure, product, at::timestamptz) v \
         order by n",
    )
    .bind(cases.iter().map(|case| case.0).collect::<Vec<_>>())
    .bind(cases.iter().map(|case| case.1).collect::<Vec<_>>())
    .bind(cases.iter().map(|case| case.2).collect::<Vec<_>>())
    .bind(cases.iter().map(|case| instant_text(case.3)).collect::<Vec<_>>())
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(answers.len(), cases.len());
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let (professional, procedure, product, at_us) = *case;
        let products = product.into_iter().collect();
        let ours = verdict(&facts, &Act { professional, procedure, products, at_us, starting: false });
        let theirs: (bool, String, Vec<String>) =
            (answer.try_get(0).unwrap(), answer.try_get(1).unwrap(), answer.try_get(2).unwrap());
        assert_eq!((ours.authorised, ours.level.as_str().to_owned(), ours.conditions), theirs, "{case:?}");
        *seen.entry(format!("{} {}", theirs.1, theirs.0)).or_default() += 1;
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 6, "every kind of answer was given: {seen:?}");
    assert!(seen.values().all(|count| *count >= 20), "{seen:?}");
}
