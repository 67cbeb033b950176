//! Mutations: everything that keeps clinics apart, taken away piece by piece. The matrix must notice each.

use super::catalog::{ForeignKey, Relation};
use super::cell::Group;
use super::keys::{ONCE, is_implied, telling};
use super::rights::{Class, Columns, GLOBAL_KEYS, Role, UNPRIVILEGED, rights};
use super::scene::{Scene, Target};

/// One change for the worse.
#[derive(Debug, Clone)]
pub struct Mutation {
    pub name: String,
    pub sql: String,
    pub aim: Aim,
    /// Where it must be noticed.
    pub groups: &'static [Group],
}

/// What it damages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    Relation(String),
    Function(String),
    /// The roles: every read of a table of patients, and the session.
    Roles,
    /// Something that was not there before, by name.
    New(String),
}

/// Every mutation of the schema.
#[must_use]
pub fn all(scene: &Scene) -> Vec<Mutation> {
    let mut all = Vec::new();
    for target in &scene.targets {
        if matches!(target.class, Class::Tenant | Class::Partition) && !target.relation.is_view() {
            row_security(&target.relation, &mut all);
            keys(scene, target, &mut all);
        }
        grants(&target.relation, &mut all);
    }
    for function in &scene.catalog.functions {
        let signature = &function.signature;
        let mut add = |name: &str, sql: String| {
            all.push(Mutation {
                name: format!("{signature}: {name}"),
                sql,
                aim: Aim::Function(signature.clone()),
                groups: &[Group::Function],
            });
        };
        if !function.definer {
            add("runs as its owner", format!("alter function {signature} security definer"));
        }
        add("everybody may call it", format!("grant execute on function {signature} to public"));
        add("is a superuser's", format!("alter function {signature} owner to postgres"));
    }
    roles(&mut all);
    additions(&mut all);
    all
}

fn row_security(relation: &Relation, all: &mut Vec<Mutation>) {
    let name = &relation.name;
    let mine = "clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid";
    let policy = format!("policy clinic_isolation on {name}");
    let changes = [
        ("row security off", format!("alter table {name} disable row level security")),
        ("owner not bound", format!("alter table {name} no force row level security")),
        ("policy dropped", format!("drop {policy}")),
        ("policy open", format!("alter {policy} using (true) with check (true)")),
        ("policy open for reading", format!("alter {policy} using (true) with check ({mine})")),
        ("policy open for writing", format!("alter {policy} using ({mine}) with check (true)")),
        (
            "policy open without a clinic",
            format!(
                "alter {policy} using (coalesce({mine}, nullif(current_setting('neonpro.clinic_id', true), '') is null))"
            ),
        ),
        (
            "policy fails on an empty clinic",
            format!("alter {policy} using (clinic_id = current_setting('neonpro.clinic_id', true)::uuid)"),
        ),
        ("second policy", format!("create policy more on {name} using (true)")),
        ("second policy for reading", format!("create policy more on {name} for select using (true)")),
        ("second policy for adding", format!("create policy more on {name} for insert with check (true)")),
    ];
    for (what, sql) in changes {
        all.push(Mutation {
            name: format!("{name}: {what}"),
            sql,
            aim: Aim::Relation(name.clone()),
            groups: &[Group::Grant, Group::Read, Group::Write],
        });
    }
}

fn keys(scene: &Scene, target: &Target, all: &mut Vec<Mutation>) {
    let name = target.name();
    let mut add = |what: String, sql: String| {
        let aim = Aim::Relation(name.to_owned());
        all.push(Mutation { name: format!("{name}: {what}"), sql, aim, groups: &[Group::Key] });
    };
    for key in scene.catalog.references(name) {
        let ForeignKey { name: key_name, definition, target: parent, .. } = key;
        let drop = format!("alter table {name} drop constraint {key_name}");
        let again =
            |definition: &str| format!("{drop}; alter table {name} add constraint {key_name} {definition}");
        add(format!("{key_name} dropped"), drop.clone());
        add(format!("{key_name} cascades"), again(&format!("{definition} on delete cascade")));
        add(format!("{key_name} forgets"), again(&format!("{definition} on delete set null")));
        if key.columns.len() > 1 && scene.target(parent).class == Class::Tenant {
            let of = |columns: &[String]| {
                columns.iter().filter(|column| *column != "clinic_id").cloned().collect::<Vec<_>>().join(", ")
            };
            let (columns, referenced) = (of(&key.columns), of(&key.target_columns));
            let alone = format!(
                "create unique index more on {parent} ({referenced}); {}",
                again(&format!("foreign key ({columns}) references {parent} ({referenced})"))
            );
            add(format!("{key_name} without the clinic"), alone);
        }
    }
    for unique in &target.relation.uniques {
        // A key of a partition is its parent's, and is tried there.
        if target.class == Class::Partition {
            continue;
        }
        let schema = name.split('.').next().unwrap_or_default();
        let index = &unique.name;
        let dropped = format!(
            "do $$ begin
                if exists (select from pg_constraint where conname = '{index}' and conrelid = '{name}'::regclass) then
                    alter table {name} drop constraint {index} cascade;
                else
                    drop index {schema}.{index};
                end if;
            end $$"
        );
        // What another key forbids as well is not missed.
        if !is_implied(target, unique) {
            add(format!("{index} dropped"), dropped);
        }
        let known = is_implied(target, unique) || GLOBAL_KEYS.iter().any(|(name, _)| name == index);
        if let (Some(column), false) =
            (telling(scene, target, unique).first(), known || target.relation.kind == "p")
        {
            // Beside the old one: what is unique among all clinics shows what the others have.
            let others =
                unique.columns.iter().filter(|column| *column != "clinic_id").cloned().collect::<Vec<_>>();
            let only = match column.kind.as_str() {
                "text" => format!("{0}) where ({0} = '{ONCE}'", column.name),
                _ => others.join(", "),
            };
            add(format!("{index} among all clinics"), format!("create unique index more on {name} ({only})"));
        }
    }
    for check in target.relation.checks.iter().filter(|check| check.expression.contains("clinic_id")) {
        add(format!("{} dropped", check.name), format!("alter table {name} drop constraint {}", check.name));
    }
}

/// Every right that a role does not have, given.
fn grants(relation: &Relation, all: &mut Vec<Mutation>) {
    let name = &relation.name;
    let mut add = |role: Role, right: &str| {
        let to = if role == Role::Nobody { "public" } else { role.name() };
        all.push(Mutation {
            name: format!("{name}: {to} may {right}"),
            sql: format!("grant {right} on {name} to {to}"),
            aim: Aim::Relation(name.clone()),
            groups: &[Group::Grant, Group::Write],
        });
    };
    for role in UNPRIVILEGED {
        let rights = rights(role, relation);
        let given = [
            ("select", rights.select),
            ("insert", rights.insert),
            ("update", rights.update == Columns::All),
            ("delete", rights.delete),
            ("truncate", false),
            ("references", false),
            ("trigger", false),
        ];
        for (right, has) in given {
            if !has {
                add(role, right);
            }
        }
        if let Columns::Only(_) | Columns::None = rights.update
            && role == Role::Server
            && rights.insert
        {
            for column in relation.writable() {
                if !rights.update.allow(column) {
                    add(role, &format!("update ({column})"));
                }
            }
        }
    }
}

fn roles(all: &mut Vec<Mutation>) {
    let changes = [
        "alter role neonpro_server bypassrls",
        "alter role neonpro_server superuser",
        "alter role neonpro_owner bypassrls",
        "alter role neonpro_login bypassrls; alter role neonpro_login inherit",
        "alter role neonpro_login superuser",
        "alter role neonpro_login createrole",
        "grant neonpro_owner to neonpro_server",
        "grant neonpro_owner to neonpro_login",
        "grant postgres to neonpro_login",
        "grant pg_read_all_data to neonpro_login",
        "grant pg_execute_server_program to neonpro_server",
        "grant pg_read_server_files to neonpro_server",
        "grant create on schema public to neonpro_server",
        "grant create on schema sync to public",
        "do $$ begin execute format('grant create on database %I to neonpro_login', current_database()); end $$",
    ];
    for sql in changes {
        all.push(Mutation {
            name: sql.to_owned(),
            sql: sql.to_owned(),
            aim: Aim::Roles,
            groups: &[Group::Read, Group::Session, Group::Grant],
        });
    }
}

/// Things somebody might add and forget to secure.
fn additions(all: &mut Vec<Mutation>) {
    let rows = "select clinic_id, id, name from public.patients";
    let changes = [
        (
            "public.more",
            format!(
                "create table public.more as {rows}; alter table public.more add primary key (clinic_id, id), \
                 owner to neonpro_owner; grant select, insert, update on public.more to neonpro_server"
            ),
        ),
        (
            "public.more",
            format!("create view public.more as {rows}; grant select on public.more to neonpro_server"),
        ),
        (
            "public.more",
            format!(
                "create materialized view public.more as {rows}; alter materialized view public.more owner to \
                 neonpro_owner; grant select on public.more to neonpro_server"
            ),
        ),
        (
            "public.more(uuid)",
            "create function public.more(p_patient_id uuid) returns text language sql security definer \
             as 'select name from public.patients where id = p_patient_id'; \
             alter function public.more owner to neonpro_owner"
                .to_owned(),
        ),
        (
            "public.more(uuid)",
            "create function public.more(p_patient_id uuid) returns text language sql \
             as 'select name from public.patients where id = p_patient_id'; \
             alter function public.more owner to neonpro_owner"
                .to_owned(),
        ),
    ];
    for (name, sql) in changes {
        let aim = Aim::New(name.to_owned());
        let name = format!("new: {}", sql.split(" as ").next().unwrap_or_default());
        all.push(Mutation {
            name,
            sql,
            aim,
            groups: &[Group::Grant, Group::Read, Group::Write, Group::Function],
        });
    }
}
