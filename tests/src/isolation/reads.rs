//! Ways to read: every one shows the rows of the context's clinic and no other, or is not open at all.

use super::cell::{Cell, Context, Expect, Group, Identity, Way};
use super::rights::{Columns, Role, rights};
use super::scene::{Scene, Target};
use uuid::Uuid;

/// Every reading cell of a relation.
pub(super) fn cells(scene: &Scene, target: &Target, cells: &mut Vec<Cell>) {
    for identity in identities(scene) {
        plain(scene, target, identity, cells);
        locking(target, identity, cells);
        odd(scene, target, identity, cells);
    }
    for role in [Role::Server, Role::Owner] {
        changing_context(scene, target, role, cells);
    }
}

/// Those without any context first: once a connection has named a clinic, it can no longer be as it was.
fn identities(scene: &Scene) -> Vec<Identity> {
    let own = Context::Clinic(scene.own());
    let all = [Context::Never, Context::Empty, Context::Unknown, Context::Malformed, own];
    let roles = [
        (Role::Server, &all[..]),
        (Role::Owner, &all[..]),
        (Role::Reference, &[Context::Never, own][..]),
        (Role::Login, &[Context::Never, own][..]),
        (Role::Nobody, &[Context::Never, own][..]),
    ];
    roles
        .into_iter()
        .flat_map(|(role, contexts)| contexts.iter().map(move |context| Identity { role, context: *context }))
        .collect()
}

/// What reading shows. A context that is no clinic must fail or show nothing.
fn expectation(target: &Target, identity: Identity) -> Expect {
    if !rights(identity.role, &target.relation).select {
        return Expect::Denied;
    }
    match identity.context {
        Context::Clinic(own) => Expect::Clinics(vec![own]),
        Context::Malformed => Expect::Shut,
        _ => Expect::Clinics(Vec::new()),
    }
}

fn cell(target: &Target, identity: Identity, what: &str, sql: String, expect: Expect) -> Cell {
    Cell {
        group: Group::Read,
        target: target.name().to_owned(),
        identity,
        what: what.to_owned(),
        way: Way::Plain,
        sql,
        expect,
        writes: false,
    }
}

fn plain(scene: &Scene, target: &Target, identity: Identity, cells: &mut Vec<Cell>) {
    let (name, foreign) = (target.name(), scene.foreign());
    let expect = expectation(target, identity);
    // What is asked for is another clinic's: at most nothing.
    let hidden = match &expect {
        Expect::Clinics(_) => Expect::Clinics(Vec::new()),
        other => other.clone(),
    };
    let row = target.named(foreign);
    let all = [
        ("read all", format!("select clinic_id from {name}")),
        ("cursor", format!("declare cell cursor for select clinic_id from {name}; fetch all from cell")),
        (
            "temporary view",
            format!("create temp view cell as select * from {name}; select clinic_id from cell"),
        ),
        ("sample of blocks", format!("select clinic_id from {name} tablesample system (100)")),
        (
            "lateral",
            format!("select l.clinic_id from (values (1)) v, lateral (select clinic_id from {name}) l"),
        ),
        (
            "an error as oracle",
            format!("select clinic_id from {name} where 1 / (clinic_id <> '{foreign}')::int = 1"),
        ),
    ];
    let views = if target.relation.is_view() { 3 } else { all.len() };
    for (what, sql) in all.into_iter().take(views) {
        cells.push(cell(target, identity, what, sql, expect.clone()));
    }
    let theirs = [
        ("read by clinic", format!("select clinic_id from {name} where clinic_id = '{foreign}'")),
        ("read by key", format!("select clinic_id from {name} where {row}")),
        (
            "exists",
            format!(
                "select clinic_id from (select '{foreign}'::uuid as clinic_id) one \
            where exists (select from {name} where {row})"
            ),
        ),
    ];
    for (what, sql) in theirs {
        cells.push(cell(target, identity, what, sql, hidden.clone()));
    }
    let mut copy = |what: &str, sql: String| {
        cells.push(Cell { way: Way::CopyOut, ..cell(target, identity, what, sql, expect.clone()) });
    };
    copy("copy of a query", format!("copy (select clinic_id from {name}) to stdout"));
    if target.relation.kind != "p" && !target.relation.is_view() {
        copy("copy to", format!("copy {name} (clinic_id) to stdout"));
    }
}

fn locking(target: &Target, identity: Identity, cells: &mut Vec<Cell>) {
    if target.relation.is_view() {
        return;
    }
    let may_lock = rights(identity.role, &target.relation).update != Columns::None;
    for strength in ["update", "no key update", "share", "key share"] {
        let sql = format!("select clinic_id from {} for {strength}", target.name());
        let expect = if may_lock { expectation(target, identity) } else { Expect::Denied };
        cells.push(cell(target, identity, &format!("select for {strength}"), sql, expect));
    }
}

/// Ways past the table: the planner's statistics, the measured plan, and asking for row security to be off.
fn odd(scene: &Scene, target: &Target, identity: Identity, cells: &mut Vec<Cell>) {
    let name = target.name();
    let may = rights(identity.role, &target.relation).select;
    let seen = match identity.context {
        Context::Clinic(own) => target.count(own),
        _ => 0,
    };
    let measured = match (may, identity.context) {
        (false, _) => Expect::Denied,
        (true, Context::Malformed) => Expect::Shut,
        (true, _) => Expect::Measured(seen),
    };
    let explain = format!("explain (analyze, costs off, timing off, summary off) select * from {name}");
    cells.push(cell(target, identity, "explain analyze", explain, measured));
    let (schema, table) = name.split_once('.').unwrap();
    let statistics = format!(
        "select '{}'::uuid from pg_stats where schemaname = '{schema}' and tablename = '{table}'",
        scene.foreign()
    );
    cells.push(cell(target, identity, "statistics", statistics, Expect::Clinics(Vec::new())));
    let off = format!("set local row_security = off; select clinic_id from {name}");
    cells.push(cell(target, identity, "row security off", off, Expect::Refused(&["42501"], None)));
}

/// A statement that outlives its context shows what belongs to the context it runs in.
fn changing_context(scene: &Scene, target: &Target, role: Role, cells: &mut Vec<Cell>) {
    let (name, own, other) = (target.name(), scene.own(), scene.foreign());
    let may = rights(role, &target.relation).select;
    let identity = Identity { role, context: Context::Clinic(own) };
    let expect = |clinics: &[Uuid]| if may { Expect::Clinics(clinics.to_vec()) } else { Expect::Denied };
    let go = |clinic: Uuid| format!("set local neonpro.clinic_id = '{clinic}'");
    for plan in ["force_custom_plan", "force_generic_plan"] {
        let prepared = format!(
            "set local plan_cache_mode = {plan}; prepare cell as select clinic_id from {name}; execute cell; \
             {}; execute cell",
            go(other)
        );
        cells.push(cell(target, identity, &format!("prepared before, {plan}"), prepared, expect(&[other])));
        let ended = format!(
            "set local plan_cache_mode = {plan}; prepare cell as select clinic_id from {name}; execute cell; \
             set local neonpro.clinic_id = ''; execute cell"
        );
        cells.push(cell(target, identity, &format!("prepared, context gone, {plan}"), ended, expect(&[])));
    }
    let back = format!(
        "savepoint inner_cell; {}; select clinic_id from {name}; rollback to savepoint inner_cell; \
         select clinic_id from {name}",
        go(other)
    );
    cells.push(cell(target, identity, "savepoint rolled back", back, expect(&[own])));
    let kept = format!(
        "savepoint inner_cell; {}; release savepoint inner_cell; select clinic_id from {name}",
        go(other)
    );
    cells.push(cell(target, identity, "savepoint released", kept, expect(&[other])));
    let held = format!(
        "declare cell cursor for select clinic_id from {name}; set local neonpro.clinic_id = ''; \
         select clinic_id from {name}"
    );
    cells.push(cell(target, identity, "beside an open cursor", held, expect(&[])));
}
