//! Every function of the schemas, called with what belongs to another clinic: it does nothing there, and answers as if
//! that did not exist.

use super::catalog::{Argument, Function};
use super::cell::{Cell, Context, Expect, Group, Identity, Way};
use super::rights::{DOORS, NOBODY, Role};
use super::scene::Scene;
use uuid::Uuid;

/// An id nobody has.
const NOBODYS: &str = "00000000-0000-4000-8000-00000000dead";

/// Every cell of a function.
pub(super) fn cells(scene: &Scene, function: &Function, cells: &mut Vec<Cell>) {
    declared(function, cells);
    if function.is_trigger {
        return;
    }
    let own = Context::Clinic(scene.own());
    let foreign = call(function, &|argument| theirs(scene, argument));
    let missing = call(function, &|_| NOBODYS.to_owned());
    for context in [Context::Never, Context::Empty, Context::Unknown, Context::Malformed, own] {
        let identity = Identity { role: Role::Server, context };
        let expect = Expect::SameAs(missing.clone());
        cells.push(cell(function, identity, "with foreign ids", foreign.clone(), expect));
    }
    for role in [Role::Reference, Role::Login, Role::Nobody] {
        let identity = Identity { role, context: own };
        cells.push(cell(function, identity, "without the right", foreign.clone(), Expect::Denied));
    }
}

fn cell(function: &Function, identity: Identity, what: &str, sql: String, expect: Expect) -> Cell {
    Cell {
        group: Group::Function,
        target: function.signature.clone(),
        identity,
        what: what.to_owned(),
        way: Way::Plain,
        sql,
        expect,
        writes: true,
    }
}

/// What the catalogue says of it.
fn declared(function: &Function, cells: &mut Vec<Cell>) {
    let door = DOORS.iter().any(|(name, _)| *name == function.name);
    let signature = &function.signature;
    let of = |what: &str| format!("select {what} from pg_proc where oid = '{signature}'::regprocedure");
    let all = [
        ("runs as its caller", of("prosecdef"), if door { "t" } else { "f" }),
        ("is the owner's", of("pg_get_userbyid(proowner)"), "neonpro_owner"),
        (
            "looks for names where it says",
            of("not prosecdef or exists (select from unnest(proconfig) s where s like 'search_path=%')"),
            "t",
        ),
        (
            "is nobody's to call",
            format!("select has_function_privilege('{NOBODY}', '{signature}', 'execute')"),
            "f",
        ),
    ];
    let identity = Identity { role: Role::Superuser, context: Context::Never };
    for (what, sql, expected) in all {
        let asked = cell(function, identity, what, sql, Expect::Value(expected.to_owned()));
        cells.push(Cell { writes: false, ..asked });
    }
}

fn call(function: &Function, id: &dyn Fn(&Argument) -> String) -> String {
    let arguments: Vec<String> = function
        .arguments
        .iter()
        .map(|argument| match argument.kind.as_str() {
            "uuid" => format!("'{}'::uuid", id(argument)),
            "uuid[]" => format!("array['{}']::uuid[]", id(argument)),
            "regclass" => "'public.patients'::regclass".to_owned(),
            "date" => "current_date".to_owned(),
            "timestamp with time zone" => "now()".to_owned(),
            "text" => "'low_stock'::text".to_owned(),
            "boolean" => "true".to_owned(),
            "numeric" | "integer" | "bigint" | "smallint" => format!("1::{}", argument.kind),
            other => format!("null::{other}"),
        })
        .collect();
    format!("select to_jsonb(f) from {}({}) f", function.name, arguments.join(", "))
}

/// The id of something of theirs that an argument's name asks for.
fn theirs(scene: &Scene, argument: &Argument) -> String {
    let foreign: Uuid = scene.foreign();
    let name = argument.name.as_deref().unwrap_or_default();
    let stem = name.trim_start_matches("p_").trim_end_matches("_id");
    let asked = |target: &&super::scene::Target| {
        !stem.is_empty()
            && !target.relation.is_partition()
            && target.relation.has_clinic()
            && target.relation.column("id").is_some()
            && target.name().contains(stem)
    };
    let target = scene.targets.iter().find(asked).unwrap_or_else(|| scene.target("public.patients"));
    match target.sample(foreign)["id"].as_str() {
        Some(id) if stem != "clinic" => id.to_owned(),
        _ => foreign.to_string(),
    }
}
