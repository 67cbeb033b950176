//! Scope of practice in the database: the facts of a verdict in one statement, bundles once per process, verdicts kept.
//!
//! Never decides. Invariant: a bundle that no pinned publisher signed is as if it were not there.

use super::{Scoped, Store, StoreError, StoreResult};
use neonpro_contract::scope_of_practice::{Act, Bundle, Facts, PublisherKey, Verdict, publisher_keys};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Bundles this process has read. A version is written once, so what was read stays true.
#[derive(Debug)]
pub(super) struct ScopeBundles {
    publishers: Vec<PublisherKey>,
    read: Mutex<HashMap<Uuid, Option<Arc<Bundle>>>>,
}

impl Default for ScopeBundles {
    fn default() -> Self {
        Self::of(publisher_keys())
    }
}

impl ScopeBundles {
    fn of(publishers: Vec<PublisherKey>) -> Self {
        Self { publishers, read: Mutex::default() }
    }

    fn known(&self, id: &Uuid) -> Option<Option<Arc<Bundle>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn keep(&self, id: Uuid, content: &Json, signature: &str) {
        let bundle = match Bundle::open(content, signature, &self.publishers) {
            Ok(bundle) => Some(Arc::new(bundle)),
            Err(error) => {
                tracing::error!(bundle = %id, code = error.code(), "a scope bundle does not count");
                None
            }
        };
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(id, bundle);
    }
}

/// What a group of edits asks about.
#[derive(Debug, Clone, Default)]
pub struct ScopeQuestion {
    /// Professionals.
    pub people: Vec<Uuid>,
    /// Procedures.
    pub procedures: Vec<Uuid>,
    /// Whether products may be named.
    pub products: bool,
}

/// A verdict to keep.
#[derive(Debug, Clone, Copy)]
pub struct ScopeRecord<'a> {
    /// Table of the act's record.
    pub table: u16,
    /// The act's record.
    pub record: Uuid,
    /// The edit that was judged.
    pub edit: Uuid,
    /// The act.
    pub act: &'a Act,
    /// What the rules said.
    pub verdict: &'a Verdict,
}

impl Store {
    /// The same door with other publishers than the pinned ones.
    #[must_use]
    pub fn trusting(mut self, publishers: Vec<PublisherKey>) -> Self {
        self.scope = Arc::new(ScopeBundles::of(publishers));
        self
    }

    /// Publishers whose bundles count.
    #[must_use]
    pub fn publishers(&self) -> &[PublisherKey] {
        &self.scope.publishers
    }
}

impl Scoped {
    /// What the verdict on these people and procedures is drawn from.
    ///
    /// # Errors
    /// A database failure.
    pub async fn load_scope_facts(&mut self, asked: &ScopeQuestion) -> StoreResult<Facts> {
        let clinic = self.actor().clinic().0;
        let row = sqlx_core::query::query(AssertSqlSafe(facts_sql()))
            .bind(clinic)
            .bind(&asked.people)
            .bind(&asked.procedures)
            .bind(asked.products)
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::during("reading the scope of practice"))?;
        let unreadable = |_| StoreError::Unreadable("scope of practice");
        let facts: Json = row.try_get(0).map_err(unreadable)?;
        let bundles: Vec<Uuid> = row.try_get(1).map_err(unreadable)?;
        let mut facts: Facts =
            serde_json::from_value(facts).map_err(|_| StoreError::Unreadable("scope of practice"))?;
        self.read_bundles(&bundles).await?;
        facts.bundles = bundles.iter().filter_map(|id| self.scope.known(id).flatten()).collect();
        Ok(facts)
    }

    async fn read_bundles(&mut self, ids: &[Uuid]) -> StoreResult<()> {
        let missing: Vec<Uuid> = ids.iter().copied().filter(|id| self.scope.known(id).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rows =
            sqlx_core::query::query("select id, content, signature from scope_bundles where id = any($1)")
                .bind(&missing)
                .fetch_all(self.connection())
                .await
                .map_err(StoreError::during("reading scope bundles"))?;
        let unreadable = |_| StoreError::Unreadable("scope_bundles");
        for row in &rows {
            let content: Json = row.try_get(1).map_err(unreadable)?;
            let signature: String = row.try_get(2).map_err(unreadable)?;
            self.scope.keep(row.try_get(0).map_err(unreadable)?, &content, &signature);
        }
        Ok(())
    }

    /// Keeps verdicts. One edit judges one act once.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_scope_verdicts(
        &mut self,
        records: &[ScopeRecord<'_>],
        now: ServerInstant,
    ) -> StoreResult<()> {
        if records.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        let rows: Vec<Json> = records.iter().map(verdict_json).collect();
        sqlx_core::query::query(
            "insert into sync.scope_verdicts (clinic_id, record_id, table_id, edit_id, professional_id, procedure_id, \
             products, act_at, level, is_authorized, conditions, bundle, rules, judged_at) \
             select $1, record, table_id, edit, professional, procedure, products, act_at, level, authorised, \
             conditions, bundle, rules, $3::timestamptz from jsonb_to_recordset($2) as r (record uuid, \
             table_id smallint, edit uuid, professional uuid, procedure uuid, products uuid[], act_at timestamptz, \
             level text, authorised boolean, conditions text[], bundle text, rules text[]) \
             on conflict do nothing",
        )
        .bind(clinic)
        .bind(Json::Array(rows))
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("keeping scope verdicts"))?;
        Ok(())
    }
}

fn verdict_json(record: &ScopeRecord<'_>) -> Json {
    let ScopeRecord { table, record, edit, act, verdict } = record;
    json!({
        "record": record, "table_id": table, "edit": edit, "professional": act.professional,
        "procedure": act.procedure, "products": act.products, "act_at": instant_text(act.at_us),
        "level": verdict.level.as_str(), "authorised": verdict.authorised, "conditions": verdict.conditions,
        "bundle": verdict.bundle, "rules": verdict.rules,
    })
}

/// One statement, because a merge pays for every round trip. `$1` clinic, `$2` people, `$3` procedures, `$4` products.
fn facts_sql() -> String {
    let us = |column: &str| format!("(extract(epoch from {column}) * 1000000)::bigint");
    format!(
        "select jsonb_build_object( \
         'people', coalesce((select jsonb_object_agg(p.id, jsonb_build_object('profession', p.professional_type, \
            'council', p.council_type, 'state', p.council_state, 'active', coalesce(p.is_active, true), \
            'retired_us', {retired})) from professionals p where p.clinic_id = $1 and (p.id = any($2) or p.id in \
            (select s.supervisor_id from professional_supervision s \
             where s.clinic_id = $1 and s.supervisee_id = any($2)))), '{{}}'), \
         'validations', coalesce((select jsonb_agg(jsonb_build_object('professional', r.professional_id, \
            'procedure', r.procedure_id, 'medication', r.medication_id, 'authorised', r.is_authorized, \
            'level', r.authorization_level, 'conditions', r.conditions, 'supervision', r.supervision_requirements, \
            'from_us', {valid_from}, 'until_us', {valid_until})) from professional_scope_validation r \
            where r.clinic_id = $1 and r.professional_id = any($2) \
            and (r.procedure_id is null or r.procedure_id = any($3))), '[]'), \
         'supervisions', coalesce((select jsonb_agg(jsonb_build_object('supervisor', s.supervisor_id, \
            'supervisee', s.supervisee_id, 'autonomy', coalesce(s.max_autonomy_level, 1), \
            'active', coalesce(s.is_active, true), 'from_us', {start}, 'until_us', {end})) \
            from professional_supervision s where s.clinic_id = $1 and s.supervisee_id = any($2) \
            and s.supervision_type = 'clinical'), '[]'), \
         'decisions', coalesce((select jsonb_agg(jsonb_build_object('id', d.id, 'rule', d.rule_id, \
            'choice', d.choice, 'reason', d.reason, 'from_us', {decided_from}, 'until_us', {decided_until})) \
            from scope_decisions d where d.clinic_id = $1), '[]'), \
         'procedures', coalesce((select jsonb_object_agg(t.id, jsonb_build_object('class', t.procedure_class, \
            'body_area', t.body_area)) from service_types t where t.id = any($3)), '{{}}'), \
         'products', coalesce((select jsonb_object_agg(i.id, i.product_class) from inventory_products i \
            where $4 and i.clinic_id = $1 and i.product_class is not null), '{{}}')), \
         (select coalesce(array_agg(b.id), '{{}}') from scope_bundles b)",
        retired = us("p.retired_at"),
        valid_from = us("r.valid_from"),
        valid_until = us("r.valid_until"),
        start = us("s.start_date"),
        end = us("s.end_date"),
        decided_from = us("d.valid_from"),
        decided_until = us("d.valid_until"),
    )
}
