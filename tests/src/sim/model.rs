//! I2, I8, I13: the clinic's records, built once more from nothing but the signed edits, in the order they were merged.
//!
//! A reference model: it checks each edit's signature, its author and its consent by rules written here, not by the
//! server's, and must arrive at the rows the server has. It shares with the server only what is proved elsewhere: how a
//! document is made of its changes.

use super::consent::{Consents, Event};
use super::moment;
use super::operator::{Change, What};
use super::world::World;
use neonpro_contract::catalogue::{
    Kind, Lifecycle, PatientLink, Purpose, Role, Scope, TABLES, TableId, table, table_by_id,
};
use neonpro_contract::document::{Clamps, Document, ParsedChange};
use neonpro_contract::edit::{DocumentId, Envelope};
use neonpro_contract::ids::{ClinicId, RecordId};
use neonpro_contract::permissions::{may_write, purpose};
use neonpro_contract::row::Row;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::Value;
use neonpro_server::actor::Actor;
use neonpro_server::store::Store;
use neonpro_server::store::edits::LoggedEdit;
use ring::signature::{ED25519, UnparsedPublicKey};
use sqlx_core::row::Row as _;
use sqlx_postgres::PgRow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Rows by table and record.
pub type Rows = BTreeMap<(TableId, Uuid), Row>;

struct Device {
    key: Vec<u8>,
    revoked_at: Option<i64>,
    /// Who may write on it; none: every member.
    named: Option<BTreeSet<Uuid>>,
}

struct Model {
    clinic: ClinicId,
    rows: Rows,
    documents: HashMap<DocumentId, (u32, Document, Clamps)>,
    consents: HashMap<Uuid, Consents>,
    devices: HashMap<Uuid, Device>,
}

/// Every row of a clinic's tables.
pub async fn rows(store: &Store, clinic: ClinicId) -> Rows {
    let mut found = Rows::new();
    let mut scoped = store.begin(&Actor::system(clinic)).await.unwrap();
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        let mut after: Option<RecordId> = None;
        loop {
            let page = scoped.list_records_after(table, after, 0, 1_000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            found.extend(page.into_iter().map(|stored| ((table.id, stored.id.0), stored.row)));
        }
    }
    scoped.rollback().await.unwrap();
    found
}

/// Builds a clinic anew and compares.
pub async fn rebuilt(world: &mut World, clinic: usize) {
    let id = world.node.clinics()[clinic].id;
    let mut model = Model {
        clinic: id,
        rows: world.beginning[clinic].clone(),
        documents: HashMap::new(),
        consents: HashMap::new(),
        devices: devices(world, id).await,
    };
    let mut admin = world.node.database.admin().await;
    for (table, record, row) in moment::made(&mut admin, id).await {
        model.rows.entry((table, record)).or_insert(row);
    }
    model.begin();
    let merged = merged(world, id).await;
    let mut changes = world.operator.of(clinic).peekable();
    let mut found = Ok(());
    for group in merged.chunk_by(|a, b| a.merged_at == b.merged_at) {
        let first = group.first().map_or(0, |merged| merged.seq);
        while let Some(change) = changes.next_if(|change| change.after < first) {
            model.operator(change);
        }
        found = found.and_then(|()| model.group(group));
    }
    changes.for_each(|change| model.operator(change));
    if let Err(wrong) = found {
        return world.violated(wrong);
    }
    let canonical = rows(&world.node.database.store, id).await;
    if let Err(wrong) = model.compare(&canonical).and(heads(world, id, &mut model).await) {
        world.violated(wrong);
    }
}

async fn devices(world: &World, clinic: ClinicId) -> HashMap<Uuid, Device> {
    let mut admin = world.node.database.admin().await;
    let sql = "select id, public_key, (extract(epoch from revoked_at) * 1000000)::bigint from sync.devices \
        where clinic_id = $1";
    let rows = sqlx_core::query::query(sql).bind(clinic.0).fetch_all(&mut admin).await.unwrap();
    let device = |row: &PgRow| Device { key: row.get(1), revoked_at: row.get(2), named: None };
    rows.iter().map(|row| (row.get(0), device(row))).collect()
}

async fn merged(world: &World, clinic: ClinicId) -> Vec<LoggedEdit> {
    let mut scoped = world.node.database.store.begin(&Actor::system(clinic)).await.unwrap();
    let edits = scoped.list_logged_edits(i64::MIN, i64::MAX).await.unwrap();
    scoped.rollback().await.unwrap();
    edits
}

/// I2: the heads the server keeps are those of the document rebuilt.
async fn heads(world: &World, clinic: ClinicId, model: &mut Model) -> Result<(), String> {
    let mut admin = world.node.database.admin().await;
    let sql = "select table_id, record_id, facet, epoch, coalesce(heads, ''), live_changes from sync.documents where clinic_id = $1";
    for row in sqlx_core::query::query(sql).bind(clinic.0).fetch_all(&mut admin).await.unwrap() {
        let id = DocumentId {
            table: TableId(row.get::<i16, _>(0).unsigned_abs()),
            record: RecordId(row.get(1)),
            facet: neonpro_contract::catalogue::FacetId(u8::try_from(row.get::<i16, _>(2)).unwrap()),
        };
        let (epoch, told, live): (i32, Vec<u8>, i32) = (row.get(3), row.get(4), row.get(5));
        let Some((known, document, _)) = model.documents.get_mut(&id) else {
            if live == 0 {
                continue;
            }
            return Err(format!("I2: {id} has live changes and no accepted edit"));
        };
        // Flattened since its last edit.
        if live == 0 && *known < epoch.unsigned_abs() {
            continue;
        }
        let told: BTreeSet<&[u8]> = told.chunks(32).collect();
        let heads = document.heads();
        let built: BTreeSet<&[u8]> = heads.iter().map(<[u8; 32]>::as_slice).collect();
        if *known != epoch.unsigned_abs() || told != built {
            return Err(format!("I2: the heads of {id} are not those of its accepted edits (epoch {epoch})"));
        }
    }
    Ok(())
}

impl Model {
    /// What the clinic began with.
    fn begin(&mut self) {
        let consents = table("data_consent_records").unwrap();
        let began: Vec<(Uuid, Row)> = self
            .rows
            .iter()
            .filter(|((table, _), _)| *table == consents.id)
            .map(|((_, id), row)| (*id, row.clone()))
            .collect();
        for (id, row) in began {
            self.consented(id, &row);
        }
    }

    fn consented(&mut self, id: Uuid, row: &Row) {
        if let Some(patient) = row.get("patient_id").as_uuid() {
            self.consents.entry(patient).or_default().add(Event::of(id, row));
        }
    }

    /// Edits of one transaction.
    fn group(&mut self, group: &[LoggedEdit]) -> Result<(), String> {
        let before = self.roles();
        for merged in group {
            self.edit(merged, &before)?;
        }
        Ok(())
    }

    /// What an operator changed beside the edits.
    fn operator(&mut self, change: &Change) {
        match &change.what {
            What::People { device, named } => {
                if let Some(device) = self.devices.get_mut(device) {
                    device.named.clone_from(named);
                }
            }
            What::Membership { person, role, .. } => {
                let memberships = table("clinic_professionals").unwrap();
                for ((of, _), row) in &mut self.rows {
                    let theirs =
                        *of == memberships.id && row.get("professional_id").as_uuid() == Some(*person);
                    if theirs && row.get("retired_at").is_null() {
                        put(row, "is_active", Value::Bool(role.is_some()));
                        if let Some(role) = role {
                            put(row, "role", Value::Text(role.name().to_owned()));
                        }
                    }
                }
            }
        }
    }

    /// Who may do what, by the memberships of the moment.
    fn roles(&self) -> HashMap<Uuid, Vec<Role>> {
        let (memberships, people) = (table("clinic_professionals").unwrap(), table("professionals").unwrap());
        let mut roles: HashMap<Uuid, Vec<Role>> = HashMap::new();
        let here =
            |row: &Row| row.get("is_active").as_bool().unwrap_or(true) && row.get("retired_at").is_null();
        for ((of, _), row) in &self.rows {
            if *of != memberships.id || !here(row) {
                continue;
            }
            let Some(person) = row.get("professional_id").as_uuid() else { continue };
            if !self.rows.get(&(people.id, person)).is_some_and(here) {
                continue;
            }
            let role = row.get("role").as_text().and_then(Role::from_name).unwrap_or(Role::Assistant);
            roles.entry(person).or_default().push(role);
        }
        roles
    }

    fn edit(&mut self, merged: &LoggedEdit, before: &HashMap<Uuid, Vec<Role>>) -> Result<(), String> {
        let device = self.devices.get(&merged.device).ok_or("I8: an accepted edit of an unknown device")?;
        let message = merged.outline.signing_bytes(self.clinic);
        if UnparsedPublicKey::new(&ED25519, &device.key).verify(&message, &merged.signature).is_err() {
            return Err("I8: an accepted edit without a valid signature".to_owned());
        }
        // One that waited on the server came while its device was active and granted to its author.
        if device.revoked_at.is_some_and(|at| at <= merged.received_at) {
            return Err(format!("I8: an edit of {} was accepted after its revocation", merged.device));
        }
        let waited = merged.received_at < merged.merged_at;
        if !waited && device.named.as_ref().is_some_and(|people| !people.contains(&merged.author)) {
            return Err(format!("I8: {} may not write on {}", merged.author, merged.device));
        }
        let envelope = merged.outline.envelope();
        for change in &merged.changes {
            let bytes = change.bytes.as_ref().ok_or("I8: an accepted edit that does not read")?;
            let id = change.document;
            let of = id.table().ok_or("I8: an accepted edit of no table")?;
            let may = |roles: &HashMap<Uuid, Vec<Role>>| {
                let own = roles.get(&merged.author);
                own.is_some_and(|roles| roles.iter().any(|role| may_write(of, id.facet, *role)))
            };
            // What this very transaction changed counts for edits it released.
            let may = may(before) || may(&self.roles());
            if !may {
                return Err(format!("I8: {} had no right to write {id}", merged.author));
            }
            self.change(envelope, change.epoch, id, bytes, merged.merged_at)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        envelope: &Envelope,
        epoch: u32,
        id: DocumentId,
        bytes: &[u8],
        merged_at: i64,
    ) -> Result<(), String> {
        let key = (id.table, id.record.0);
        let of = id.table().ok_or("no table")?;
        let row = self.rows.entry(key).or_insert_with(|| Row::empty(of));
        let parsed = ParsedChange::parse(bytes).map_err(|error| format!("I13: {id}: {error}"))?;
        let open = self.documents.remove(&id).filter(|(known, ..)| *known == epoch);
        let (_, mut document, mut clamps) = match open {
            Some(open) => open,
            None => (
                epoch,
                Document::genesis(id, epoch, row).map_err(|e| format!("I13: {id}: {e}"))?,
                Clamps::new(),
            ),
        };
        if !document.contains(&parsed.hash()) {
            document.apply(&parsed).map_err(|error| format!("I13: {id} in epoch {epoch}: {error}"))?;
            if envelope.captured_at.0 > merged_at {
                clamps.insert(parsed.hash(), ServerInstant(merged_at));
            }
            document.project(&clamps, row).map_err(|error| format!("I13: {id}: {error}"))?;
            row.set_derived_defaults();
        }
        let row = row.clone();
        self.documents.insert(id, (epoch, document, clamps));
        if of.name == "data_consent_records" {
            self.consented(id.record.0, &row);
        }
        self.consent(envelope, id, &row)
    }

    /// I8: by the table of 4.1.
    fn consent(&self, envelope: &Envelope, id: DocumentId, row: &Row) -> Result<(), String> {
        let facet = id.table().and_then(|table| table.facet(id.facet)).ok_or("no facet")?;
        let serves = purpose(facet, row);
        if serves == Purpose::Operation || facet.safety {
            return Ok(());
        }
        let Some(patient) = self.patient(id.table, row) else { return Ok(()) };
        let none = Consents::default();
        let consents = self.consents.get(&patient).unwrap_or(&none);
        let capture = envelope.capture();
        if consents.allow(serves, capture.earliest_us(), capture.latest_us()) {
            return Ok(());
        }
        Err(format!("I8: {id} was accepted for {} without consent", serves.name()))
    }

    fn patient(&self, of: TableId, row: &Row) -> Option<Uuid> {
        let table = table_by_id(of)?;
        match table.patient {
            PatientLink::None | PatientLink::Own => None,
            PatientLink::Field(field) => row.get(field).as_uuid(),
            PatientLink::Parent(field) => {
                let parent = table.field(field).and_then(|(_, field)| field.references)?;
                let parent = neonpro_contract::catalogue::table(parent)?;
                self.patient(parent.id, self.rows.get(&(parent.id, row.get(field).as_uuid()?))?)
            }
        }
    }

    /// I13.
    fn compare(&self, canonical: &Rows) -> Result<(), String> {
        let documented = |key: &&(TableId, Uuid)| {
            table_by_id(key.0).is_some_and(|table| table.lifecycle != Lifecycle::Server)
        };
        let (built, kept): (BTreeSet<_>, BTreeSet<_>) =
            (self.rows.keys().filter(documented).collect(), canonical.keys().filter(documented).collect());
        if let Some(key) = built.symmetric_difference(&kept).next() {
            let name = table_by_id(key.0).map_or("?", |table| table.name);
            return Err(format!(
                "I13: {name}/{} is only in the {}",
                key.1,
                if built.contains(*key) { "log" } else { "rows" }
            ));
        }
        for key in kept {
            let (built, kept) = (&self.rows[key], &canonical[key]);
            for ((field, built), (_, kept)) in built.iter().zip(kept.iter()) {
                if field.kind != Kind::Derived && built != kept {
                    let (built, kept) = (built.to_json(), kept.to_json());
                    let name = built_name(key.0);
                    return Err(format!(
                        "I13: {name}/{}.{} is {kept}, its edits say {built}",
                        key.1, field.name
                    ));
                }
            }
        }
        Ok(())
    }
}

fn built_name(table: TableId) -> &'static str {
    table_by_id(table).map_or("?", |table| table.name)
}

fn put(row: &mut Row, field: &str, value: Value) {
    let (index, _) = row.table().field(field).unwrap();
    row.set_at(index, value);
}
