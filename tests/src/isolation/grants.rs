//! Rights as the database has them, one by one, and the relations that are the same for everybody.

use super::cell::{Cell, Context, Expect, Group, Identity, Way};
use super::rights::{Class, Columns, Role, UNPRIVILEGED, rights};
use super::scene::{Scene, Target};

/// Rights to a whole relation.
const WHOLE: [&str; 7] = ["select", "insert", "update", "delete", "truncate", "references", "trigger"];
/// Rights that may be given for single columns.
const PARTIAL: [&str; 4] = ["select", "insert", "update", "references"];

/// The policy of every clinic's table, for reading and writing, as the catalogue tells it.
const RULE: &str = "(clinic_id = (NULLIF(current_setting('neonpro.clinic_id'::text, true), ''::text))::uuid)";

/// One cell for each role and right, and the policy.
pub(super) fn cells(target: &Target, cells: &mut Vec<Cell>) {
    let nobody = Identity { role: Role::Superuser, context: Context::Never };
    let mut ask = |what: String, sql: String, expected: String| {
        cells.push(Cell {
            group: Group::Grant,
            target: target.name().to_owned(),
            identity: nobody,
            what,
            way: Way::Plain,
            sql,
            expect: Expect::Value(expected),
            writes: false,
        });
    };
    for role in UNPRIVILEGED {
        let (name, rights) = (role.name(), rights(role, &target.relation));
        for right in WHOLE {
            let expected = match right {
                "select" => rights.select,
                "insert" => rights.insert,
                "update" => rights.update == Columns::All,
                "delete" => rights.delete,
                _ => false,
            };
            let sql = format!("select has_table_privilege('{name}', '{}', '{right}')", target.name());
            ask(format!("{name} may {right}"), sql, short(expected));
        }
        for right in PARTIAL {
            let expected = match right {
                "select" => rights.select,
                "insert" => rights.insert,
                "update" => rights.update != Columns::None,
                _ => false,
            };
            let sql = format!("select has_any_column_privilege('{name}', '{}', '{right}')", target.name());
            ask(format!("{name} may {right} some column"), sql, short(expected));
        }
    }
    let owner =
        format!("select pg_get_userbyid(relowner) from pg_class where oid = '{}'::regclass", target.name());
    ask("is the owner's".to_owned(), owner, "neonpro_owner".to_owned());
    if matches!(target.class, Class::Tenant | Class::Partition) && !target.relation.is_view() {
        // Read in the catalogue too: where a key or a trigger would stop the attack anyway, behaviour does not tell.
        let policy = format!(
            "select count(*) = 1 and bool_and(polcmd = '*' and polpermissive and pg_get_expr(polqual, polrelid) = $${RULE}$$ \
             and pg_get_expr(polwithcheck, polrelid) = $${RULE}$$) from pg_policy where polrelid = '{}'::regclass",
            target.name()
        );
        ask("has the one policy".to_owned(), policy, short(true));
    }
}

fn short(value: bool) -> String {
    if value { "t" } else { "f" }.to_owned()
}

/// Relations without rows of clinics: statements instead of questions.
pub(super) fn shared(scene: &Scene, target: &Target, cells: &mut Vec<Cell>) {
    if matches!(target.class, Class::Tenant | Class::Partition) {
        return;
    }
    let name = target.name();
    for role in UNPRIVILEGED {
        let rights = rights(role, &target.relation);
        for context in [Context::Never, Context::Clinic(scene.own())] {
            let mut tried = |what: String, sql: String, may: bool| {
                cells.push(Cell {
                    group: Group::Write,
                    target: name.to_owned(),
                    identity: Identity { role, context },
                    what,
                    way: Way::Plain,
                    sql,
                    expect: if may { Expect::Permitted } else { Expect::Denied },
                    writes: true,
                });
            };
            tried("read all".to_owned(), format!("select 1 from {name}"), rights.select);
            tried("delete all".to_owned(), format!("delete from {name}"), rights.delete);
            tried("truncate".to_owned(), format!("truncate {name} cascade"), false);
            let columns = target.relation.writable();
            let list = columns.join(", ");
            let may = rights.insert && rights.select;
            let none = format!("insert into {name} ({list}) select {list} from {name} where false");
            tried("insert".to_owned(), none, may);
            for column in columns {
                let update = format!("update {name} set {column} = {column}");
                tried(format!("update {column}"), update, rights.update.allow(column));
            }
        }
    }
}
