//! What the database holds, read from `pg_catalog`: relations, keys, references, functions. Nothing here is a list that
//! somebody must keep; what is new is found.

use serde::Deserialize;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgConnection;

/// A table, partitioned table, partition or view.
#[derive(Debug, Clone, Deserialize)]
pub struct Relation {
    /// With its schema, quoted where it must be.
    pub name: String,
    /// `pg_class.relkind`.
    pub kind: String,
    /// The table it is a part of.
    pub parent: Option<String>,
    /// Which rows a partition holds.
    pub bound: Option<String>,
    pub owner: String,
    pub columns: Vec<Column>,
    pub uniques: Vec<Unique>,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: String,
    pub required: bool,
    pub default: bool,
    /// The database alone fills it.
    pub always: bool,
}

/// A unique index.
#[derive(Debug, Clone, Deserialize)]
pub struct Unique {
    pub name: String,
    pub primary: bool,
    pub columns: Vec<String>,
    pub predicate: Option<String>,
}

/// A check constraint.
#[derive(Debug, Clone, Deserialize)]
pub struct Check {
    pub name: String,
    pub expression: String,
}

/// A reference.
#[derive(Debug, Clone, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    pub table: String,
    pub columns: Vec<String>,
    pub target: String,
    pub target_columns: Vec<String>,
    /// `pg_constraint.confdeltype` and `confupdtype`.
    pub on_delete: String,
    pub on_update: String,
    pub definition: String,
}

/// A function or procedure.
#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    /// Schema, name and types: what `grant` takes.
    pub signature: String,
    /// Schema and name: what a call takes.
    pub name: String,
    pub arguments: Vec<Argument>,
    pub is_trigger: bool,
    pub definer: bool,
    pub owner: String,
    pub settings: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Argument {
    pub name: Option<String>,
    pub kind: String,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub relations: Vec<Relation>,
    pub foreign_keys: Vec<ForeignKey>,
    pub functions: Vec<Function>,
}

impl Relation {
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    #[must_use]
    pub fn has_clinic(&self) -> bool {
        self.column("clinic_id").is_some()
    }

    #[must_use]
    pub fn is_partition(&self) -> bool {
        self.parent.is_some()
    }

    #[must_use]
    pub fn is_view(&self) -> bool {
        matches!(self.kind.as_str(), "v" | "m")
    }

    /// Columns a statement may write.
    #[must_use]
    pub fn writable(&self) -> Vec<&str> {
        self.columns.iter().filter(|column| !column.always).map(|column| column.name.as_str()).collect()
    }

    /// The columns that name a row.
    #[must_use]
    pub fn key(&self) -> Option<&[String]> {
        self.uniques.iter().find(|unique| unique.primary).map(|unique| unique.columns.as_slice())
    }
}

impl Catalog {
    /// Reads it, as superuser.
    pub async fn read(conn: &mut PgConnection) -> Self {
        Self {
            relations: rows(conn, RELATIONS).await,
            foreign_keys: rows(conn, FOREIGN_KEYS).await,
            functions: rows(conn, FUNCTIONS).await,
        }
    }

    #[must_use]
    pub fn relation(&self, name: &str) -> &Relation {
        self.relations.iter().find(|relation| relation.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// References a table makes.
    pub fn references(&self, table: &str) -> impl Iterator<Item = &ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.table == table)
    }
}

async fn rows<T: serde::de::DeserializeOwned>(conn: &mut PgConnection, sql: &str) -> Vec<T> {
    let sql = format!("select coalesce(jsonb_agg(o), '[]')::text from ({sql}) as found (o)");
    let text: String = sqlx_core::query_scalar::query_scalar(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_one(conn)
        .await
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

const RELATIONS: &str = r"
select jsonb_build_object(
    'name', format('%I.%I', n.nspname, c.relname), 'kind', c.relkind, 'owner', pg_get_userbyid(c.relowner),
    'bound', pg_get_expr(c.relpartbound, c.oid),
    'parent', (
        select format('%I.%I', pn.nspname, p.relname)
        from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_namespace pn on pn.oid = p.relnamespace
        where i.inhrelid = c.oid and c.relispartition
    ),
    'columns', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'name', a.attname, 'kind', format_type(a.atttypid, null), 'required', a.attnotnull,
            'default', a.atthasdef or a.attidentity <> '', 'always', a.attidentity = 'a' or a.attgenerated <> ''
        ) order by a.attnum), '[]')
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ),
    'uniques', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'name', x.relname, 'primary', i.indisprimary, 'predicate', pg_get_expr(i.indpred, i.indrelid),
            'columns', (
                select jsonb_agg(a.attname order by a.attnum) from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and (
                    a.attnum = any (i.indkey::int2[])
                    or coalesce(pg_get_expr(i.indexprs, i.indrelid) ~ ('\m' || a.attname || '\M'), false)
                )
            )
        ) order by x.relname), '[]')
        from pg_index i join pg_class x on x.oid = i.indexrelid where i.indrelid = c.oid and i.indisunique
    ),
    'checks', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'name', k.conname, 'expression', pg_get_expr(k.conbin, k.conrelid)
        ) order by k.conname), '[]')
        from pg_constraint k where k.conrelid = c.oid and k.contype = 'c'
    )
)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by n.nspname, c.relname";

const FOREIGN_KEYS: &str = r"
select jsonb_build_object(
    'name', k.conname, 'table', format('%I.%I', n.nspname, c.relname),
    'target', format('%I.%I', tn.nspname, t.relname), 'on_delete', k.confdeltype, 'on_update', k.confupdtype,
    'definition', pg_get_constraintdef(k.oid),
    'columns', (
        select jsonb_agg(a.attname order by u.place) from unnest(k.conkey) with ordinality as u (number, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number
    ),
    'target_columns', (
        select jsonb_agg(a.attname order by u.place) from unnest(k.confkey) with ordinality as u (number, place)
        join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.number
    )
)
from pg_constraint k
join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
join pg_class t on t.oid = k.confrelid join pg_namespace tn on tn.oid = t.relnamespace
where k.contype = 'f' and k.conparentid = 0 order by k.conname";

const FUNCTIONS: &str = r"
select jsonb_build_object(
    'signature', format('%I.%I(%s)', n.nspname, p.proname, (
        select coalesce(string_agg(format_type(t.kind, null), ', ' order by t.place), '')
        from unnest(p.proargtypes::oid[]) with ordinality as t (kind, place)
    )),
    'name', format('%I.%I', n.nspname, p.proname),
    'arguments', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'name', p.proargnames[t.place], 'kind', format_type(t.kind, null)
        ) order by t.place), '[]')
        from unnest(p.proargtypes::oid[]) with ordinality as t (kind, place)
    ),
    'is_trigger', p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype), 'definer', p.prosecdef,
    'owner', pg_get_userbyid(p.proowner), 'settings', coalesce(to_jsonb(p.proconfig), '[]')
)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e')
order by n.nspname, p.proname, 1";
