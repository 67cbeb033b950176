//! What a session of the server could try to become more than it is.

use super::cell::{Cell, Context, Expect, Group, Identity, Way};
use super::rights::{Role, UNPRIVILEGED};
use super::scene::Scene;

/// Statements nobody who serves may run.
const FORBIDDEN: &[&str] = &[
    "set role neonpro_owner",
    "set role postgres",
    "set role pg_read_all_data",
    "set role pg_read_server_files",
    "set role pg_execute_server_program",
    "create role more superuser",
    "alter role neonpro_login superuser",
    "alter role neonpro_login bypassrls",
    "grant neonpro_owner to neonpro_login",
    "grant pg_read_all_data to neonpro_login",
    "alter table public.patients disable row level security",
    "alter table public.patients no force row level security",
    "drop policy clinic_isolation on public.patients",
    "create policy open on public.patients using (true)",
    "alter table public.patients owner to neonpro_login",
    "alter table public.patients add column more text",
    "drop table public.patients cascade",
    "create table public.more (id int)",
    "create table sync.more (id int)",
    "create schema more",
    "create view public.more as select 1",
    "create function public.more() returns int language sql security definer as 'select 1'",
    "alter function public.ensure_month_partitions(date, date) reset all",
    "create rule more as on select to public.patients do instead nothing",
    "create trigger more before insert on public.patients for each row execute function public.set_updated_at()",
    "create index more on public.patients (name)",
    "create publication more for table public.patients",
    "create event trigger more on ddl_command_end execute function public.set_updated_at()",
    "create extension file_fdw",
    "set session_replication_role = replica",
    "set log_statement = 'all'",
    "select rolpassword from pg_authid",
    "select stavalues1 from pg_statistic",
    "select pg_read_file('postgresql.conf')",
    "select pg_ls_dir('.')",
    "select lo_import('/etc/passwd')",
    "select pg_reload_conf()",
    "copy (select 1) to program 'cat'",
    "copy (select 1) to '/tmp/more'",
];

/// Ways back to what the session logged in as: nothing of a clinic, and nothing else either.
const BACK: &[&str] =
    &["reset role", "set role none", "set role neonpro_reference", "set local row_security = off"];

/// Every cell about the session.
pub(super) fn cells(scene: &Scene, cells: &mut Vec<Cell>) {
    let context = Context::Clinic(scene.own());
    for role in UNPRIVILEGED {
        let identity = Identity { role, context };
        for sql in FORBIDDEN {
            cells.push(cell(identity, sql, (*sql).to_owned(), Expect::Refused(&["42501"], None)));
        }
    }
    for back in BACK {
        for target in scene.targets.iter().filter(|target| target.relation.has_clinic()) {
            let sql = format!("{back}; select clinic_id from {}", target.name());
            let identity = Identity { role: Role::Server, context };
            // Routing stands outside row security: switching it off changes nothing there.
            if target.class != super::rights::Class::Routing {
                let what = format!("{back}, then {}", target.name());
                cells.push(cell(identity, &what, sql, Expect::Denied));
            }
        }
    }
}

fn cell(identity: Identity, what: &str, sql: String, expect: Expect) -> Cell {
    Cell {
        group: Group::Session,
        target: "session".to_owned(),
        identity,
        what: what.to_owned(),
        way: Way::Plain,
        sql,
        expect,
        writes: false,
    }
}
