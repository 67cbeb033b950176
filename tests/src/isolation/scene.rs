//! The scene of the attacks: three clinics with rows in every table, and what is known of them beforehand.

use super::catalog::{Catalog, Column, Relation, Unique};
use super::fill::{Sample, by_key, row, sample};
use super::rights::{Class, NOBODY, class};
use crate::sql::{list, must, text};
use serde_json::{Value as Json, json};
use sqlx_postgres::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// What every attack may know.
pub struct Scene {
    pub catalog: Catalog,
    pub targets: Vec<Target>,
    clinics: Vec<Uuid>,
}

/// A relation under attack.
pub struct Target {
    pub relation: Relation,
    pub class: Class,
    samples: HashMap<Uuid, Sample>,
    /// A row for each unique key that fulfils its condition, by index and clinic.
    keyed: HashMap<(String, Uuid), Sample>,
    counts: HashMap<Uuid, usize>,
}

impl Scene {
    /// Fills the database and reads it, as superuser.
    pub async fn set(conn: &mut PgConnection) -> Self {
        let make = format!(
            "do $$ begin
                perform pg_advisory_xact_lock(0);
                if not exists (select from pg_roles where rolname = '{NOBODY}') then
                    create role {NOBODY} nologin;
                end if;
            end $$"
        );
        must(conn, &make).await;
        let clinics: Vec<Uuid> = list(conn, "select id::text from clinics order by id")
            .await
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        assert!(clinics.len() >= 3, "the template has three clinics");
        let catalog = Catalog::read(conn).await;
        share(conn, &catalog, &clinics).await;
        super::fill::fill(conn, &catalog, &catalog.foreign_keys, &clinics).await;
        // The planner's statistics are a way to read: let there be some.
        must(conn, "analyze").await;
        Self::look(conn, catalog, clinics).await
    }

    /// Looks again, at a schema that was changed.
    pub async fn look(conn: &mut PgConnection, catalog: Catalog, clinics: Vec<Uuid>) -> Self {
        let mut targets = Vec::new();
        for relation in &catalog.relations {
            targets.push(Target::read(conn, relation, &clinics).await);
        }
        Self { catalog, targets, clinics }
    }

    #[must_use]
    pub fn clinics(&self) -> &[Uuid] {
        &self.clinics
    }

    /// The clinic that attacks.
    #[must_use]
    pub fn own(&self) -> Uuid {
        self.clinics[0]
    }

    /// The clinic that is attacked.
    #[must_use]
    pub fn foreign(&self) -> Uuid {
        self.clinics[1]
    }

    #[must_use]
    pub fn target(&self, name: &str) -> &Target {
        self.targets.iter().find(|target| target.name() == name).unwrap_or_else(|| panic!("no {name}"))
    }
}

impl Target {
    async fn read(conn: &mut PgConnection, relation: &Relation, clinics: &[Uuid]) -> Self {
        let (mut samples, mut keyed, mut counts) = (HashMap::new(), HashMap::new(), HashMap::new());
        let class = class(relation);
        if relation.has_clinic() {
            for clinic in clinics {
                let count = format!("select count(*) from {} where clinic_id = '{clinic}'", relation.name);
                counts.insert(*clinic, text(conn, &count).await.parse().unwrap());
                let found = sample(conn, relation, *clinic).await;
                samples.insert(
                    *clinic,
                    found.unwrap_or_else(|| panic!("{} has no row to steal", relation.name)),
                );
                for unique in &relation.uniques {
                    let all: String =
                        unique.columns.iter().map(|column| format!(" and {column} is not null")).collect();
                    let holds = unique.predicate.as_deref().unwrap_or("true");
                    let condition = format!("where clinic_id = '{clinic}'{all} and ({holds})");
                    let mut found = row(conn, relation, &condition).await;
                    if found.is_none() {
                        name_one(conn, relation, unique, *clinic).await;
                        found = row(conn, relation, &condition).await;
                    }
                    let found =
                        found.unwrap_or_else(|| panic!("no row under {}: teach scene.rs", unique.name));
                    keyed.insert((unique.name.clone(), *clinic), found);
                }
            }
        }
        Self { relation: relation.clone(), class, samples, keyed, counts }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.relation.name
    }

    /// A row of a clinic.
    #[must_use]
    pub fn sample(&self, clinic: Uuid) -> &Sample {
        &self.samples[&clinic]
    }

    /// A row of a clinic that a unique key covers.
    #[must_use]
    pub fn keyed(&self, unique: &str, clinic: Uuid) -> &Sample {
        &self.keyed[&(unique.to_owned(), clinic)]
    }

    /// How many rows of a clinic there are.
    #[must_use]
    pub fn count(&self, clinic: Uuid) -> usize {
        self.counts[&clinic]
    }

    /// The condition that names a row of a clinic.
    #[must_use]
    pub fn named(&self, clinic: Uuid) -> String {
        match self.relation.key() {
            Some(_) => by_key(&self.relation, self.sample(clinic)),
            None => format!("clinic_id = '{clinic}'"),
        }
    }

    /// A row that is nobody's yet: as the given one, with fresh values under every unique key but the kept one, where
    /// its references allow it.
    #[must_use]
    pub fn fresh(&self, catalog: &Catalog, row: &Sample, keep: Option<&str>) -> Sample {
        let bound: Vec<&String> = catalog.references(self.name()).flat_map(|key| &key.columns).collect();
        let kept: &[String] = keep
            .and_then(|name| self.relation.uniques.iter().find(|unique| unique.name == name))
            .map_or(&[], |unique| &unique.columns);
        let mut row = row.clone();
        let mut varied: Vec<&str> = Vec::new();
        for unique in self.relation.uniques.iter().filter(|unique| Some(unique.name.as_str()) != keep) {
            let free = |column: &&Column| {
                unique.columns.contains(&column.name)
                    && column.name != "clinic_id"
                    && !bound.contains(&&column.name)
                    && !kept.contains(&column.name)
            };
            let columns: Vec<&Column> = self.relation.columns.iter().filter(free).collect();
            if columns.iter().any(|column| varied.contains(&column.name.as_str())) {
                continue;
            }
            if let Some(column) = columns.into_iter().min_by_key(|column| rank(&column.kind)) {
                varied.push(&column.name);
                let value = another(&column.kind, &row[&column.name]);
                row.insert(column.name.clone(), value);
            }
        }
        row
    }
}

/// One share of each kind: given by the attacker, given to it, and between two others.
async fn share(conn: &mut PgConnection, catalog: &Catalog, clinics: &[Uuid]) {
    if !catalog.relations.iter().any(|relation| relation.name == "sync.shares") {
        return;
    }
    for (from, to) in [(0, 1), (1, 0), (1, 2)] {
        let share = format!(
            "insert into sync.shares (clinic_id, to_clinic, referral_id, patient_id, state, opened_at, told_seq)
             values ('{}', '{}', gen_random_uuid(), gen_random_uuid(), 'open', now(), 0)",
            clinics[from], clinics[to]
        );
        must(conn, &share).await;
    }
}

/// Gives one row of a clinic what a partial key asks for: ids that are there.
async fn name_one(conn: &mut PgConnection, relation: &Relation, unique: &Unique, clinic: Uuid) {
    let ids = unique
        .columns
        .iter()
        .filter(|name| relation.column(name).is_some_and(|column| column.kind == "uuid" && !column.required));
    let set: Vec<String> = ids.map(|name| format!("{name} = gen_random_uuid()")).collect();
    if !set.is_empty() {
        let sql = format!(
            "update {0} set {1} where ctid = (select ctid from {0} where clinic_id = '{clinic}' limit 1)",
            relation.name,
            set.join(", ")
        );
        must(conn, &sql).await;
    }
}

/// Types that are easiest to vary come first.
fn rank(kind: &str) -> u8 {
    match kind {
        "uuid" => 0,
        "text" => 1,
        "bytea" => 2,
        "bigint" | "integer" => 3,
        _ => 4,
    }
}

/// A value of the same type that occurs nowhere else.
fn another(kind: &str, value: &Json) -> Json {
    match (kind, value) {
        ("uuid", Json::String(id)) => {
            let id: Uuid = id.parse().unwrap();
            json!(Uuid::from_u128(id.as_u128() ^ 0x0f0f_0000_0000_0000_0000_0000_0f0f_0f0f))
        }
        ("text", Json::String(text)) => json!(format!("{text}~")),
        ("bytea", Json::String(hex)) => {
            let flipped: String = hex
                .chars()
                .enumerate()
                .map(|(place, c)| match c.to_digit(16) {
                    Some(digit) if place > 1 => char::from_digit(digit ^ 0xf, 16).unwrap(),
                    _ => c,
                })
                .collect();
            json!(flipped)
        }
        ("bigint" | "integer", Json::Number(number)) => json!(number.as_i64().unwrap() + 1_000_000),
        (_, value) => value.clone(),
    }
}
