//! Ways to write: none creates, changes, moves or removes a row of another clinic, and none removes one's own unless
//! that is said.

use super::cell::{Cell, Context, Expect, Group, Identity, Way};
use super::fill::{Sample, insert, literal, record};
use super::rights::{Columns, Rights, Role, rights};
use super::scene::{Scene, Target};
use serde_json::json;
use uuid::Uuid;

/// Every writing cell of a relation.
pub(super) fn cells(scene: &Scene, target: &Target, cells: &mut Vec<Cell>) {
    let own = Context::Clinic(scene.own());
    let identities = [
        (Role::Server, Context::Never),
        (Role::Server, Context::Empty),
        (Role::Server, Context::Unknown),
        (Role::Server, Context::Malformed),
        (Role::Server, own),
        (Role::Owner, Context::Never),
        (Role::Owner, Context::Empty),
        (Role::Owner, own),
        (Role::Reference, Context::Never),
        (Role::Reference, own),
        (Role::Login, own),
        (Role::Nobody, Context::Never),
        (Role::Nobody, own),
    ];
    for (role, context) in identities {
        let attempt = Attempt {
            scene,
            target,
            identity: Identity { role, context },
            rights: rights(role, &target.relation),
        };
        attempt.inserts(cells);
        attempt.updates(cells);
        attempt.removals(cells);
        attempt.merges(cells);
        attempt.copies(cells);
        if context == own {
            attempt.columns(cells);
        }
    }
}

struct Attempt<'a> {
    scene: &'a Scene,
    target: &'a Target,
    identity: Identity,
    rights: Rights,
}

impl Attempt<'_> {
    fn cell(&self, what: impl Into<String>, sql: String, expect: Expect) -> Cell {
        Cell {
            group: Group::Write,
            target: self.target.name().to_owned(),
            identity: self.identity,
            what: what.into(),
            way: Way::Plain,
            sql,
            expect,
            writes: true,
        }
    }

    /// What adding a row of a clinic comes to. `42501` both when the right is missing and when row security says no.
    fn adding(&self, clinic: Uuid) -> Expect {
        match self.identity.context {
            _ if !self.rights.insert => Expect::Denied,
            Context::Clinic(own) if own == clinic => Expect::Permitted,
            Context::Malformed => Expect::Shut,
            // A trigger or a ledger may object before row security does.
            _ => Expect::Refused(&["42501", "23"], None),
        }
    }

    /// What touching existing rows comes to.
    fn touching(&self, may: bool, clinic: Uuid) -> Expect {
        match self.identity.context {
            _ if !may => Expect::Denied,
            Context::Clinic(own) if own == clinic => Expect::Permitted,
            Context::Malformed => Expect::Shut,
            _ => Expect::NoEffect,
        }
    }

    fn fresh(&self, clinic: Uuid) -> Sample {
        self.target.fresh(&self.scene.catalog, self.target.sample(clinic), None)
    }

    fn inserts(&self, cells: &mut Vec<Cell>) {
        let relation = &self.target.relation;
        if relation.is_view() {
            return;
        }
        let (own, foreign) = (self.scene.own(), self.scene.foreign());
        for (whose, clinic) in [("own", own), ("foreign", foreign)] {
            let plain = insert(relation, &self.fresh(clinic));
            let existing = insert(relation, self.target.sample(clinic));
            let adding = self.adding(clinic);
            cells.push(self.cell(format!("insert {whose}"), plain.clone(), adding.clone()));
            // RETURNING reads as well.
            let returning = if self.rights.select { adding.clone() } else { Expect::Denied };
            cells.push(self.cell(
                format!("insert {whose} returning"),
                format!("{plain} returning clinic_id"),
                returning,
            ));
            let nothing = format!("{existing} on conflict do nothing");
            cells.push(self.cell(format!("insert {whose} on conflict do nothing"), nothing, adding.clone()));
            if let (Some(key), Columns::All) = (relation.key(), self.rights.update) {
                let set = format!(
                    "{existing} on conflict ({}) do update set clinic_id = excluded.clinic_id",
                    key.join(", ")
                );
                cells.push(self.cell(format!("insert {whose} on conflict do update"), set, adding));
            }
        }
        // A row that says it is ours and takes the place of theirs.
        let mut disguised = self.fresh(foreign);
        disguised.insert("clinic_id".to_owned(), json!(own));
        let sql = insert(relation, &disguised);
        cells.push(self.cell("insert own with foreign references", sql, self.adding(own)));
        let columns = relation.writable().join(", ");
        let steal = format!(
            "insert into {0} ({columns}) select {columns} from {0} where clinic_id = '{foreign}'",
            relation.name
        );
        let may = self.rights.insert && self.rights.select;
        cells.push(self.cell("insert from select of foreign", steal, self.touching(may, foreign)));
    }

    fn updates(&self, cells: &mut Vec<Cell>) {
        let name = self.target.name();
        let (own, foreign) = (self.scene.own(), self.scene.foreign());
        let (mine, theirs) = (self.target.named(own), self.target.named(foreign));
        let may = self.rights.update.allow("clinic_id");
        let update =
            |set: Uuid, condition: &str| format!("update {name} set clinic_id = '{set}' where {condition}");
        cells.push(self.cell("update foreign", update(foreign, &theirs), self.touching(may, foreign)));
        cells.push(self.cell("take foreign", update(own, &theirs), self.touching(may, foreign)));
        let give = match self.touching(may, own) {
            Expect::Permitted => Expect::Refused(&["42501", "23"], None),
            other => other,
        };
        cells.push(self.cell("give own away", update(foreign, &mine), give));
        let all = match (may, self.identity.context) {
            (true, Context::Clinic(own)) if !self.target.relation.is_view() => {
                Expect::Touched(self.target.count(own))
            }
            _ => self.touching(may, own),
        };
        cells.push(self.cell(
            "update without a condition",
            format!("update {name} set clinic_id = clinic_id"),
            all,
        ));
        let by_join = format!(
            "update {name} t set clinic_id = t.clinic_id from (values ('{foreign}'::uuid)) v (id) where t.clinic_id = v.id"
        );
        cells.push(self.cell("update by join", by_join, self.touching(may, foreign)));
    }

    fn removals(&self, cells: &mut Vec<Cell>) {
        let name = self.target.name();
        let (own, foreign) = (self.scene.own(), self.scene.foreign());
        let may = self.rights.delete;
        for (whose, clinic) in [("own", own), ("foreign", foreign)] {
            let delete = format!("delete from {name} where {}", self.target.named(clinic));
            cells.push(self.cell(format!("delete {whose}"), delete, self.touching(may, clinic)));
        }
        let all = format!("delete from {name}");
        cells.push(self.cell("delete without a condition", all, self.touching(may, own)));
        let using = format!(
            "delete from {name} t using (values ('{foreign}'::uuid)) v (id) where t.clinic_id = v.id"
        );
        cells.push(self.cell("delete by join", using, self.touching(may, foreign)));
        // The owner may empty what it owns: no policy binds TRUNCATE. Nobody who serves ever is the owner.
        if self.identity.role != Role::Owner && !self.target.relation.is_view() {
            for cascade in ["", " cascade"] {
                let truncate = format!("truncate {name}{cascade}");
                cells.push(self.cell(format!("truncate{cascade}"), truncate, Expect::Denied));
            }
        }
    }

    fn merges(&self, cells: &mut Vec<Cell>) {
        let relation = &self.target.relation;
        if relation.is_view() || relation.key().is_none() {
            return;
        }
        let (name, foreign) = (&relation.name, self.scene.foreign());
        let on = self.target.named(foreign);
        let may = self.rights.select && self.rights.update.allow("clinic_id");
        let update = format!(
            "merge into {name} using (values (1)) v on {on} when matched then update set clinic_id = {}",
            literal(&json!(self.scene.own()))
        );
        cells.push(self.cell("merge into foreign", update, self.touching(may, foreign)));
        let columns = relation.writable();
        let values: Vec<String> = columns.iter().map(|column| format!("v.{column}")).collect();
        let insert = format!(
            "merge into {name} using (select * from {}) v on false when not matched then insert ({}) values ({})",
            record(relation, &self.fresh(foreign)),
            columns.join(", "),
            values.join(", ")
        );
        let adding = if self.rights.select { self.adding(foreign) } else { Expect::Denied };
        cells.push(self.cell("merge a foreign row in", insert, adding));
        let delete = format!("merge into {name} using (values (1)) v on {on} when matched then delete");
        let may = self.rights.select && self.rights.delete;
        cells.push(self.cell("merge foreign away", delete, self.touching(may, foreign)));
    }

    fn copies(&self, cells: &mut Vec<Cell>) {
        if self.target.relation.is_view() {
            return;
        }
        let sql = format!("copy {} (clinic_id) from stdin", self.target.name());
        // COPY does not enter a table with row security at all.
        let expect =
            if self.rights.insert { Expect::Refused(&["0A000", "42501"], None) } else { Expect::Denied };
        let way = Way::CopyIn(format!("{}\n", self.scene.foreign()));
        cells.push(Cell { way, ..self.cell("copy from", sql, expect) });
    }

    /// Each column by itself: its own right, in the own clinic and in the other.
    fn columns(&self, cells: &mut Vec<Cell>) {
        let (name, foreign) = (self.target.name(), self.scene.foreign());
        for column in self.target.relation.writable() {
            let may = self.rights.update.allow(column);
            for (whose, clinic) in [("own", self.scene.own()), ("foreign", foreign)] {
                let sql =
                    format!("update {name} set {column} = {column} where {}", self.target.named(clinic));
                let expect = self.touching(may && self.rights.select, clinic);
                let cell = self.cell(format!("update {column} of {whose}"), sql, expect);
                cells.push(Cell { writes: false, ..cell });
            }
        }
    }
}
