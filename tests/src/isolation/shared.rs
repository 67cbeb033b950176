//! Rows between two clinics: both read them, the giving one writes them, and a third knows nothing of them.

use super::cell::{Cell, Context, Expect, Group, Identity, Way};
use super::rights::{Class, Role, rights};
use super::scene::{Scene, Target};
use uuid::Uuid;

/// Every cell of `sync.shares`.
pub(super) fn cells(scene: &Scene, target: &Target, cells: &mut Vec<Cell>) {
    if target.class != Class::Shared {
        return;
    }
    let own = Context::Clinic(scene.own());
    for role in [Role::Server, Role::Owner] {
        for context in [Context::Never, Context::Empty, Context::Unknown, Context::Malformed, own] {
            reads(scene, target, Identity { role, context }, cells);
            writes(scene, target, Identity { role, context }, cells);
        }
    }
    for role in [Role::Reference, Role::Login, Role::Nobody] {
        for sql in [
            format!("select from_clinic from {}", target.name()),
            format!("update {} set told_seq = told_seq", target.name()),
            format!("delete from {}", target.name()),
        ] {
            let what = sql.clone();
            cells.push(cell(
                target,
                Group::Read,
                Identity { role, context: own },
                &what,
                sql,
                Expect::Denied,
            ));
        }
    }
}

fn cell(target: &Target, group: Group, identity: Identity, what: &str, sql: String, expect: Expect) -> Cell {
    let name = target.name().to_owned();
    Cell { group, target: name, identity, what: what.to_owned(), way: Way::Plain, sql, expect, writes: true }
}

fn reads(scene: &Scene, target: &Target, identity: Identity, cells: &mut Vec<Cell>) {
    let (name, own, foreign) = (target.name(), scene.own(), scene.foreign());
    let (seen, none) = match identity.context {
        Context::Clinic(_) => (Expect::Clinics(vec![own, foreign]), Expect::Clinics(Vec::new())),
        Context::Malformed => (Expect::Shut, Expect::Shut),
        _ => (Expect::Clinics(Vec::new()), Expect::Clinics(Vec::new())),
    };
    let mut read = |what: &str, sql: String, expect: Expect| {
        cells.push(cell(target, Group::Read, identity, what, sql, expect));
    };
    read("read all", format!("select from_clinic from {name}"), seen);
    let others =
        format!("select to_clinic from {name} where from_clinic <> '{own}' and to_clinic <> '{own}'");
    read("read what is between others", others, none);
    let off = format!("set local row_security = off; select from_clinic from {name}");
    read("row security off", off, Expect::Refused(&["42501"], None));
}

fn writes(scene: &Scene, target: &Target, identity: Identity, cells: &mut Vec<Cell>) {
    let (name, own, foreign) = (target.name(), scene.own(), scene.foreign());
    let gives = |from: Uuid, to: Uuid| {
        format!(
            "insert into {name} (from_clinic, to_clinic, referral_id, patient_id, state, opened_at, told_seq) \
             values ('{from}', '{to}', gen_random_uuid(), gen_random_uuid(), 'open', now(), 0)"
        )
    };
    let inside = matches!(identity.context, Context::Clinic(_));
    let shut = if identity.context == Context::Malformed { Expect::Shut } else { Expect::NoEffect };
    let refused = match identity.context {
        Context::Malformed => Expect::Shut,
        _ => Expect::Refused(&["42501"], None),
    };
    let mut write = |what: &str, sql: String, expect: Expect| {
        cells.push(cell(target, Group::Write, identity, what, sql, expect));
    };
    let mine = if inside { Expect::Permitted } else { refused.clone() };
    write("give", gives(own, foreign), mine);
    write("take without being given", gives(foreign, own), refused);
    let theirs = format!("update {name} set told_seq = told_seq + 1 where from_clinic = '{foreign}'");
    write("change what is given to one", theirs, shut);
    if identity.role == Role::Server {
        let rights = rights(identity.role, &target.relation);
        for column in target.relation.writable().into_iter().filter(|_| inside) {
            let update = format!("update {name} set {column} = {column} where from_clinic = '{own}'");
            let expect = if rights.update.allow(column) { Expect::Permitted } else { Expect::Denied };
            write(&format!("update {column}"), update, expect);
        }
        write("delete", format!("delete from {name}"), Expect::Denied);
        write("truncate", format!("truncate {name}"), Expect::Denied);
    }
}
