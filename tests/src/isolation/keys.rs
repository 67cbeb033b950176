//! References, unique keys and checks: what holds clinics apart even where row security does not look. Tried above all
//! as superuser, whom only constraints bind.

use super::catalog::{Column, ForeignKey, Unique};
use super::cell::{Cell, Context, Expect, Group, Identity, Way};
use super::fill::{Sample, insert, insert_exactly, literal};
use super::rights::{Class, GLOBAL_KEYS, Role, rights};
use super::scene::{Scene, Target};
use serde_json::json;

/// A text that one clinic alone has.
pub(super) const ONCE: &str = "uma vez";
/// An id nobody has.
const NOBODYS: &str = "00000000-0000-4000-8000-00000000dead";

/// Every cell about the constraints of a relation.
pub(super) fn cells(scene: &Scene, target: &Target, cells: &mut Vec<Cell>) {
    for key in scene.catalog.references(target.name()) {
        action(target, key, cells);
        match scene.target(&key.target).class {
            Class::Tenant if key.columns == ["clinic_id"] => of_clinic(scene, target, key, cells),
            Class::Tenant => reference(scene, target, key, cells),
            _ => {}
        }
    }
    for unique in &target.relation.uniques {
        uniqueness(scene, target, unique, cells);
    }
    checks(scene, target, cells);
}

fn cell(target: &Target, identity: Identity, what: String, sql: String, expect: Expect) -> Cell {
    let name = target.name().to_owned();
    Cell { group: Group::Key, target: name, identity, what, way: Way::Plain, sql, expect, writes: false }
}

fn above(scene: &Scene) -> Identity {
    Identity { role: Role::Superuser, context: Context::Clinic(scene.own()) }
}

/// A row of ours as a template for one that is new.
fn new_row(scene: &Scene, target: &Target) -> Sample {
    target.fresh(&scene.catalog, target.sample(scene.own()), None)
}

/// A reference acts on nothing: it only refuses.
fn action(target: &Target, key: &ForeignKey, cells: &mut Vec<Cell>) {
    let sql = format!(
        "select confdeltype::text || confupdtype::text || convalidated::text from pg_constraint
         where conname = '{}' and conrelid = '{}'::regclass",
        key.name, key.table
    );
    let identity = Identity { role: Role::Superuser, context: Context::Never };
    let what = format!("{} cascades nowhere", key.name);
    cells.push(cell(target, identity, what, sql, Expect::Value("aatrue".to_owned())));
}

/// The reference to the clinic itself.
fn of_clinic(scene: &Scene, target: &Target, key: &ForeignKey, cells: &mut Vec<Cell>) {
    let mut row = new_row(scene, target);
    row.insert("clinic_id".to_owned(), json!(NOBODYS));
    // Where the row has other references, those may speak first; so they are left out where they may be.
    for other in scene.catalog.references(target.name()).filter(|other| other.name != key.name) {
        for column in other.columns.iter().filter(|column| *column != "clinic_id") {
            if target.relation.column(column).is_some_and(|column| !column.required) {
                row.insert(column.clone(), json!(null));
            }
        }
    }
    let expect = Expect::Refused(&["23503"], Some(key.name.clone()));
    // A trigger that writes elsewhere first would be refused there.
    let quiet = format!("alter table {} disable trigger user", target.name());
    let sql = format!("{quiet}; {}", insert(&target.relation, &row));
    cells.push(cell(target, above(scene), format!("{}: a clinic nobody has", key.name), sql, expect));
}

/// A reference to a record: never to another clinic's, whoever writes, and never a way to learn that it exists.
fn reference(scene: &Scene, target: &Target, key: &ForeignKey, cells: &mut Vec<Cell>) {
    let parent = scene.target(&key.target);
    let (own, foreign) = (scene.own(), scene.foreign());
    let pointing = |to: &dyn Fn(&str) -> serde_json::Value| {
        let mut row = new_row(scene, target);
        for (column, referenced) in key.columns.iter().zip(&key.target_columns) {
            if column != "clinic_id" {
                row.insert(column.clone(), to(referenced));
            }
        }
        row
    };
    let theirs = pointing(&|column| parent.sample(foreign)[column].clone());
    let nobodys = pointing(&|_| json!(NOBODYS));
    let sql = insert(&target.relation, &theirs);
    let refused = || Expect::Refused(&["23503"], Some(key.name.clone()));
    let context = Context::Clinic(own);
    for role in [Role::Superuser, Role::Owner, Role::Server] {
        let may = rights(role, &target.relation).insert;
        let expect = if may { refused() } else { Expect::Denied };
        let identity = Identity { role, context };
        cells.push(cell(
            target,
            identity,
            format!("{}: insert towards foreign", key.name),
            sql.clone(),
            expect,
        ));
    }
    let server = Identity { role: Role::Server, context };
    let twin = Expect::SameAs(insert(&target.relation, &nobodys));
    cells.push(cell(target, server, format!("{}: foreign like missing", key.name), sql, twin));
    for (column, referenced) in key.columns.iter().zip(&key.target_columns) {
        if column == "clinic_id" {
            continue;
        }
        let update = format!(
            "update {} set {column} = {} where {}",
            target.name(),
            literal(&parent.sample(foreign)[referenced]),
            target.named(own)
        );
        let expect = Expect::Refused(&["23"], None);
        cells.push(cell(
            target,
            above(scene),
            format!("{}: update towards foreign", key.name),
            update,
            expect,
        ));
        let child = &target.sample(own)[column];
        if !child.is_null() {
            let delete = format!(
                "delete from {} where clinic_id = '{own}' and {referenced} = {}",
                key.target,
                literal(child)
            );
            let expect = Expect::Refused(&["23503"], None);
            cells.push(cell(target, above(scene), format!("{}: parent deleted", key.name), delete, expect));
        }
    }
}

/// A unique key binds within a clinic, and says nothing about another one.
fn uniqueness(scene: &Scene, target: &Target, unique: &Unique, cells: &mut Vec<Cell>) {
    let relation = &target.relation;
    let mine = target.keyed(&unique.name, scene.own());
    let twice = target.fresh(&scene.catalog, mine, Some(&unique.name));
    // A partitioned table's keys are its partitions' keys; and where another key says the same, either may speak.
    let named = relation.kind != "p" && !is_implied(target, unique);
    let expect = Expect::Refused(&["23505"], named.then(|| unique.name.clone()));
    let what = format!("{}: twice in a clinic", unique.name);
    cells.push(cell(target, above(scene), what, insert_exactly(relation, &twice), expect));
    let implied = is_implied(target, unique);
    if !implied && !GLOBAL_KEYS.iter().any(|(name, _)| *name == unique.name) {
        theirs_does_not_show(scene, target, unique, cells);
    }
}

/// Whether another key of the relation forbids what this one does.
pub(super) fn is_implied(target: &Target, unique: &Unique) -> bool {
    target.relation.uniques.iter().any(|other| {
        other.name != unique.name
            && other.predicate.is_none()
            && other.columns.iter().all(|column| unique.columns.contains(column))
    })
}

/// The columns of a key, beside the clinic and its references, whose values another clinic may have alone.
pub(super) fn telling<'t>(scene: &Scene, target: &'t Target, unique: &Unique) -> Vec<&'t Column> {
    let bound: Vec<&String> = scene.catalog.references(target.name()).flat_map(|key| &key.columns).collect();
    let tells = |column: &&Column| {
        unique.columns.contains(&column.name)
            && column.name != "clinic_id"
            && !bound.contains(&&column.name)
            && matches!(column.kind.as_str(), "uuid" | "text" | "bytea")
    };
    target.relation.columns.iter().filter(tells).collect()
}

fn theirs_does_not_show(scene: &Scene, target: &Target, unique: &Unique, cells: &mut Vec<Cell>) {
    let (relation, foreign) = (&target.relation, scene.foreign());
    let columns = telling(scene, target, unique);
    let Some(column) = columns.first() else { return };
    let what = format!("{}: theirs does not show", unique.name);
    let fresh = target.fresh(&scene.catalog, target.keyed(&unique.name, scene.own()), None);
    let theirs = target.keyed(&unique.name, foreign);
    let mut like_theirs = fresh.clone();
    if column.kind == "text" {
        // Clinics may well have the same texts: so theirs gets one that nobody has.
        like_theirs.insert(column.name.clone(), json!(ONCE));
        let ours = insert(relation, &like_theirs);
        let first = format!(
            "update {} set {} = '{ONCE}' where {}",
            target.name(),
            column.name,
            super::fill::by_key(relation, theirs)
        );
        let sql = format!("{first}; {ours}");
        cells.push(cell(target, above(scene), what, sql, Expect::SameAs(ours)));
        return;
    }
    for column in columns {
        like_theirs.insert(column.name.clone(), theirs[&column.name].clone());
    }
    for role in [Role::Superuser, Role::Server] {
        let identity = Identity { role, context: Context::Clinic(scene.own()) };
        let twin = Expect::SameAs(insert(relation, &fresh));
        cells.push(cell(target, identity, what.clone(), insert(relation, &like_theirs), twin));
    }
}

/// Checks that speak of the clinic.
fn checks(scene: &Scene, target: &Target, cells: &mut Vec<Cell>) {
    for check in target.relation.checks.iter().filter(|check| check.expression.contains("clinic_id")) {
        assert!(
            check.expression == "(clinic_id = id)",
            "{} speaks of the clinic in a way keys.rs does not know: {}",
            check.name,
            check.expression
        );
        let row = new_row(scene, target);
        let expect = Expect::Refused(&["23514"], Some(check.name.clone()));
        let sql = insert(&target.relation, &row);
        cells.push(cell(target, above(scene), format!("{}: another id", check.name), sql, expect));
    }
}
