//! What people do: random edits of every table a tablet may write, made from the catalogue.
//!
//! Knows the catalogue and what a tablet shows; never a list of tables. A few acts are made likelier than chance would
//! make them (consents, the agenda, stock, people registered twice), because the interesting situations need them.

use super::rng::Rng;
use neonpro_client_core::{Draft, EditRejected, Edited, Replica};
use neonpro_contract::catalogue::{Field, Format, Kind, Lifecycle, Scope, TABLES, Table, table};
use neonpro_contract::ids::{AuthorId, ClinicId, RecordId};
use neonpro_contract::permissions::may_write;
use neonpro_contract::value::{Column, instant_text};
use neonpro_server::demo::DemoPerson;
use serde_json::{Value as Json, json};

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const CPFS: [&str; 4] = ["529.982.247-25", "111.444.777-35", "123.456.789-09", "390.533.447-05"];
const MEMBERS: [&str; 5] = ["látex", "dipirona", "lidocaína", "ácido", "níquel"];

/// One person at one tablet.
pub struct Hand<'a> {
    pub rng: &'a mut Rng,
    pub replica: &'a Replica,
    pub people: &'a [DemoPerson],
    /// The other clinic of the network.
    pub abroad: ClinicId,
    /// A word that every text of this clinic holds.
    pub canary: &'a str,
    /// What the tablet's clock says.
    pub now_us: i64,
}

/// What was done, and how it went.
pub struct Act {
    pub name: String,
    pub done: Result<Vec<Edited>, EditRejected>,
}

impl Hand<'_> {
    /// Does something.
    pub fn act(&mut self) -> Option<Act> {
        match self.rng.below(100) {
            0..28 => self.change(),
            28..34 => self.text(),
            34..40 => self.members(),
            40..58 => self.create(),
            58..61 => self.retire(),
            61..72 => self.consent(),
            72..80 => self.booking(),
            80..86 => self.movement(),
            86..89 => self.registered_again(),
            89..92 => self.referral(),
            92..95 => self.identity(),
            _ => self.settle(),
        }
    }

    /// A record of a table on this tablet, by chance.
    pub fn record(&mut self, table: &Table) -> Option<RecordId> {
        let alive = if table.lifecycle == Lifecycle::Editable { "WHERE retired_at IS NULL" } else { "" };
        let count = format!("SELECT count(*) FROM {} {alive}", table.name);
        let count = self.replica.query(&count, &[], 1).unwrap().rows[0][0].as_u64().unwrap();
        if count == 0 {
            return None;
        }
        // Half of the time one of the first: people meet on the same records.
        let range = if self.rng.chance(500) { count.min(3) } else { count };
        let at = self.rng.below(range as usize);
        let sql = format!("SELECT uuid_text(id) FROM {} {alive} ORDER BY id LIMIT 1 OFFSET {at}", table.name);
        let found = self.replica.query(&sql, &[], 1).unwrap();
        found.rows.first()?.first()?.as_str()?.parse().ok()
    }

    /// Somebody, mostly one who may.
    fn author(&mut self, table: &Table, facet: u8) -> AuthorId {
        let facet = neonpro_contract::catalogue::FacetId(facet);
        let able: Vec<&DemoPerson> =
            self.people.iter().filter(|person| may_write(table, facet, person.role)).collect();
        if !able.is_empty() && !self.rng.chance(20) {
            let at = self.rng.below(able.len());
            return able[at].id;
        }
        self.rng.pick(self.people).unwrap().id
    }

    fn writable(&mut self, lifecycles: &[Lifecycle]) -> &'static Table {
        let tables: Vec<&'static Table> = TABLES
            .iter()
            .copied()
            .filter(|table| table.scope == Scope::Clinic && lifecycles.contains(&table.lifecycle))
            .collect();
        let at = self.rng.below(tables.len());
        tables[at]
    }

    fn create(&mut self) -> Option<Act> {
        let table = self.writable(&[Lifecycle::Editable, Lifecycle::Ledger]);
        let values = self.values(table)?;
        self.insert(table, values)
    }

    /// Values of a new record; `None` when something it must point at is not here.
    fn values(&mut self, table: &'static Table) -> Option<Vec<(&'static str, Json)>> {
        let mut values = Vec::new();
        for field in table.columns() {
            if field.kind == Kind::Derived || is_bookkeeping(field) {
                continue;
            }
            let wanted = field.required || field.references.is_some() && field.fixed || self.rng.chance(400);
            if wanted {
                match self.value(field) {
                    Some(value) => values.push((field.name, value)),
                    None if field.required => return None,
                    None => {}
                }
            }
        }
        Some(values)
    }

    fn insert(&mut self, table: &'static Table, values: Vec<(&'static str, Json)>) -> Option<Act> {
        let author = self.author(table, 0);
        let done = self.replica.create_record(author, table.name, values);
        Some(Act { name: format!("create {}", table.name), done })
    }

    fn editable_field(&mut self, table: &'static Table, kinds: &[Kind]) -> Option<&'static Field> {
        let fields: Vec<&'static Field> = table
            .columns()
            .filter(|field| kinds.contains(&field.kind) && !field.fixed && !is_bookkeeping(field))
            .collect();
        let at = self.rng.below(fields.len());
        fields.get(at).copied()
    }

    fn change(&mut self) -> Option<Act> {
        let table = self.writable(&[Lifecycle::Editable]);
        let record = self.record(table)?;
        let mut values = Vec::new();
        for _ in 0..=self.rng.below(3) {
            let field = self.editable_field(table, &[Kind::Register, Kind::Json])?;
            values.push((field, self.value(field)?));
        }
        let author = self.author(table, values[0].0.facet.0);
        let values = values.into_iter().map(|(field, value)| (field.name, value));
        let done = self.replica.update_record(author, table.name, record, values);
        Some(Act { name: format!("change {}", table.name), done })
    }

    fn text(&mut self) -> Option<Act> {
        let table = self.writable(&[Lifecycle::Editable]);
        let field = self.editable_field(table, &[Kind::Text])?;
        let record = self.record(table)?;
        let row = self.replica.row(table.name, record).unwrap()?;
        let mut text: Vec<char> = row.get(field.name).as_text().unwrap_or_default().chars().collect();
        let at = self.rng.below(text.len() + 1);
        if self.rng.chance(300) {
            text.truncate(at);
        }
        let at = at.min(text.len());
        let word = format!(" {} {}", self.canary, self.rng.below(1_000));
        text.splice(at..at, word.chars());
        let text: String = text.into_iter().take(2_000).collect();
        let author = self.author(table, field.facet.0);
        let draft = Draft::new(author).text(table.name, record, field.name, text.trim());
        Some(self.one(format!("write {}.{}", table.name, field.name), draft))
    }

    fn members(&mut self) -> Option<Act> {
        let table = self.writable(&[Lifecycle::Editable]);
        let field =
            self.editable_field(table, &[Kind::Set]).filter(|field| field.column == Column::TextArray)?;
        let record = self.record(table)?;
        let member = *self.rng.pick(&MEMBERS)?;
        let author = self.author(table, field.facet.0);
        let draft = Draft::new(author);
        let draft = if self.rng.chance(300) {
            draft.remove(table.name, record, field.name, member, "engano")
        } else {
            draft.add(table.name, record, field.name, member)
        };
        Some(self.one(format!("member of {}.{}", table.name, field.name), draft))
    }

    fn retire(&mut self) -> Option<Act> {
        let table = self.writable(&[Lifecycle::Editable]);
        // Without its people and its own profile a clinic could do nothing any more.
        if ["clinics", "professionals", "clinic_professionals"].contains(&table.name) {
            return None;
        }
        let record = self.record(table)?;
        let author = self.author(table, 0);
        Some(
            self.one(
                format!("retire {}", table.name),
                Draft::new(author).retire(table.name, record, "engano"),
            ),
        )
    }

    fn consent(&mut self) -> Option<Act> {
        let consents = table("data_consent_records")?;
        let patient = self.record(table("patients")?)?;
        let purposes = ["treatment", "treatment", "photography", "marketing", "data_sharing", "research"];
        let purpose = *self.rng.pick(&purposes)?;
        let given = self.rng.chance(600);
        let mut values = vec![
            ("patient_id", json!(patient)),
            ("consent_type", json!(purpose)),
            ("consent_given", json!(given)),
        ];
        let at = self.now_us - self.rng.between(0, 1_000) * 1_000_000;
        values.push((if given { "consent_date" } else { "withdrawn_at" }, json!(instant_text(at))));
        if given && self.rng.chance(200) {
            // Some end while the world is being watched.
            let minutes = if self.rng.chance(500) { self.rng.between(5, 40) } else { 24 * 60 };
            values.push(("expiry_date", json!(instant_text(self.now_us + minutes * MINUTE_US))));
        }
        let author = self.author(consents, 0);
        let done = self.replica.create_record(author, consents.name, values);
        Some(Act { name: format!("consent {purpose} {given}"), done })
    }

    fn booking(&mut self) -> Option<Act> {
        let appointments = table("appointments")?;
        let mut values = self.values(appointments)?;
        let start = (self.now_us / HOUR_US + self.rng.between(0, 6)) * HOUR_US;
        values.retain(|(name, _)| !["start_time", "end_time", "status"].contains(name));
        values.push(("start_time", json!(instant_text(start))));
        values.push(("end_time", json!(instant_text(start + HOUR_US / 2))));
        self.insert(appointments, values)
    }

    fn movement(&mut self) -> Option<Act> {
        let movements = table("inventory_transactions")?;
        let mut values = self.values(movements)?;
        values.retain(|(name, _)| !["quantity", "transaction_type"].contains(name));
        let kind = *self.rng.pick(&["usage", "usage", "waste", "purchase"])?;
        values.push(("transaction_type", json!(kind)));
        values.push(("quantity", json!(format!("{}.5", self.rng.between(1, 40)))));
        self.insert(movements, values)
    }

    fn registered_again(&mut self) -> Option<Act> {
        let patients = table("patients")?;
        let mut values = self.values(patients)?;
        values.retain(|(name, _)| *name != "cpf");
        values.push(("cpf", json!(self.rng.pick(&CPFS)?)));
        self.insert(patients, values)
    }

    /// Somebody is referred to the other clinic, or the care that was asked for there is over.
    fn referral(&mut self) -> Option<Act> {
        let referrals = table("professional_referrals")?;
        if self.rng.chance(400) {
            let record = self.record(referrals)?;
            let status = *self.rng.pick(&["accepted", "completed", "cancelled"])?;
            let author = self.author(referrals, 0);
            let draft = Draft::new(author).put(referrals.name, record, "status", json!(status));
            return Some(self.one(format!("referral {status}"), draft));
        }
        let mut values = self.values(referrals)?;
        values.retain(|(name, _)| *name != "status");
        values.push(("status", json!(self.rng.pick(&["pending", "accepted", "accepted"])?)));
        values.push(("receiving_clinic_id", json!(self.abroad)));
        self.insert(referrals, values)
    }

    /// Guarded fields of the first patients: this is where people disagree.
    fn identity(&mut self) -> Option<Act> {
        let patients = table("patients")?;
        let record = self.record(patients)?;
        let author = self.author(patients, 0);
        let name = format!("{} {}", self.canary, self.rng.below(50));
        Some(self.one(
            "name a patient".to_owned(),
            Draft::new(author).put("patients", record, "name", json!(name)),
        ))
    }

    /// Looks at what needs attention and does something about it.
    fn settle(&mut self) -> Option<Act> {
        let waiting = self.replica.attention().unwrap();
        let edit = self.rng.pick(&waiting)?.edit;
        let by = self.rng.pick(self.people)?.id;
        if self.rng.chance(500) {
            let done = self.replica.resend(edit).map(|edited| vec![edited]);
            return Some(Act { name: "resend".to_owned(), done });
        }
        let closed = if self.rng.chance(500) {
            self.replica.hand_over(edit, by)
        } else {
            self.replica.dismiss(edit, by)
        };
        Some(Act { name: "close what needs attention".to_owned(), done: closed.map(|()| Vec::new()) })
    }

    fn one(&mut self, name: String, draft: Draft) -> Act {
        Act { name, done: self.replica.edit(draft).map(|edited| vec![edited]) }
    }

    /// A value the field takes; `None` when it must point at something that is not here.
    fn value(&mut self, field: &'static Field) -> Option<Json> {
        if let Some(parent) = field.references.and_then(table) {
            return self.record(parent).map(|id| json!(id));
        }
        Some(match (field.format, field.column) {
            (Format::OneOf(values), _) => json!(self.rng.pick(values)?),
            (Format::Cpf, _) => json!(self.rng.pick(&CPFS)?),
            (Format::Cns, _) => json!("898000000043208"),
            (Format::Cnpj, _) => json!("11.222.333/0001-81"),
            (_, Column::Text) => json!(format!("{} {}", self.canary, self.rng.below(1_000))),
            (_, Column::TextArray) => json!([self.rng.pick(&MEMBERS)?]),
            (_, Column::UuidArray | Column::Uuid) => return None,
            (_, Column::Bool) => json!(self.rng.chance(500)),
            (_, Column::Int | Column::BigInt) => json!(self.rng.between(1, 9)),
            (_, Column::Numeric(2, _)) => json!("4.5"),
            (_, Column::Numeric(3, 2)) => json!("0.5"),
            (_, Column::Numeric(..)) => json!(format!("{}.5", self.rng.between(1, 90))),
            (_, Column::Date) => json!(format!("19{}-05-17", self.rng.between(30, 99))),
            (_, Column::Instant) => {
                let late = if field.name.contains("end") { 30 } else { 0 };
                json!(instant_text(self.now_us + self.rng.between(late, late + 25) * HOUR_US))
            }
            (_, Column::Json) => {
                let key = format!("k{}", self.rng.below(4));
                json!({ key: { "texto": self.canary, "n": self.rng.below(9) } })
            }
        })
    }
}

fn is_bookkeeping(field: &Field) -> bool {
    field.name.starts_with("retired_")
        || field.name.starts_with("locked_")
        || field.name == "seen_withdrawals"
}
