//! The documents say what the code says: the data dictionary is rendered from the catalogue, paths exist, and every
//! code, frame and limit is described. `NEONPRO_WRITE_DOCS=1` writes the data dictionary instead of comparing it.

use neonpro_contract::catalogue::{
    Default, FacetId, Field, Format, Kind, Lifecycle, PatientLink, PurposeRule, Role, Roles, Rule,
    SERVER_COLUMNS, Scope, TABLES, TOMBSTONE, Table,
};
use neonpro_contract::fate::Code;
use neonpro_contract::value::Column;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const DICTIONARY: &str = "docs/data-dictionary.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// Every Markdown file below a directory of the tree, as paths from the root.
fn markdown_below(dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(dir)).into_iter().flatten().flatten() {
        let path = format!("{dir}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(markdown_below(&path));
        } else if has_extension(&path, &["md"]) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn has_extension(path: &str, extensions: &[&str]) -> bool {
    Path::new(path).extension().is_some_and(|of| extensions.iter().any(|one| of == *one))
}

#[test]
fn the_data_dictionary_is_what_the_catalogue_says() {
    let rendered = dictionary();
    if std::env::var("NEONPRO_WRITE_DOCS").is_ok_and(|write| write == "1") {
        std::fs::write(root().join(DICTIONARY), &rendered).unwrap();
    }
    let differs = read(DICTIONARY)
        .lines()
        .zip(rendered.lines())
        .enumerate()
        .find(|(_, (written, is))| written != is)
        .map(|(line, (written, is))| {
            format!("line {}:\n  file:      {written}\n  catalogue: {is}", line + 1)
        });
    assert!(
        read(DICTIONARY) == rendered,
        "{DICTIONARY} is not what the catalogue says; write it with NEONPRO_WRITE_DOCS=1. {}",
        differs.unwrap_or_else(|| "One is longer than the other.".to_owned())
    );
}

#[test]
fn every_path_named_in_the_documents_exists() {
    let mut files = markdown_below("docs");
    files.push("README.md".to_owned());
    let missing: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let named = code_spans(&read(file));
            named.into_iter().filter(|span| !is_there(span)).map(move |span| format!("{file}: {span}"))
        })
        .collect();
    assert!(missing.is_empty(), "named and not there:\n{}", missing.join("\n"));
}

#[test]
fn every_test_named_in_the_documents_exists() {
    let sources: Vec<String> = ["contract", "client-core", "server", "mobile", "tests"]
        .iter()
        .flat_map(|crate_| sources_below(&root().join(crate_)))
        .map(|path| std::fs::read_to_string(path).unwrap_or_default())
        .collect();
    // A test is a sentence: at least four words.
    let is_sentence = |span: &String| {
        span.matches('_').count() > 2
            && span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let there = |name: &String| sources.iter().any(|source| source.contains(&format!("fn {name}(")));
    let named = ["docs/hostile-input.md", "docs/testing.md"].map(|file| code_spans(&read(file))).concat();
    let missing: Vec<String> = named.into_iter().filter(is_sentence).filter(|name| !there(name)).collect();
    assert!(missing.is_empty(), "named and not there:\n{}", missing.join("\n"));
}

#[test]
fn every_document_is_in_the_summary() {
    let summary = read("docs/SUMMARY.md");
    let missing: Vec<String> = markdown_below("docs")
        .into_iter()
        .filter_map(|path| path.strip_prefix("docs/").map(str::to_owned))
        .filter(|path| path != "SUMMARY.md" && !summary.contains(&format!("({path})")))
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {}", missing.join(", "));
}

#[test]
fn every_code_and_frame_is_described() {
    let described = format!("{}{}", read("docs/protocol.md"), read("docs/merge-rules.md"));
    let mut names: Vec<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    for file in ["contract/src/wire.rs", "contract/src/wire/handshake.rs", "contract/src/fate.rs"] {
        let told = told_names(&read(file));
        assert!(!told.is_empty(), "{file} names nothing");
        names.extend(told);
    }
    let missing: Vec<&String> =
        names.iter().filter(|name| !described.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "in neither docs/protocol.md nor docs/merge-rules.md: {missing:?}");
}

#[test]
fn every_limit_is_in_the_protocol_with_its_value() {
    let (source, protocol) = (read("contract/src/limits.rs"), read("docs/protocol.md"));
    let limits: Vec<(&str, u64)> = source.lines().filter_map(limit).collect();
    assert!(limits.len() > 20, "the limits no longer read");
    let missing: Vec<String> = limits
        .into_iter()
        .filter(|(name, value)| {
            let row = format!("| `{name}` | {} |", grouped(*value));
            protocol.lines().all(|line| !line.starts_with(&row))
        })
        .map(|(name, value)| format!("| `{name}` | {} | …", grouped(value)))
        .collect();
    assert!(missing.is_empty(), "docs/protocol.md lacks these rows:\n{}", missing.join("\n"));
}

// --- Reading -----------------------------------------------------------------------------------------------------

/// Texts between backticks, outside of code blocks.
fn code_spans(markdown: &str) -> Vec<String> {
    let mut fenced = false;
    let mut spans = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    spans
}

/// Every Rust file below a directory.
fn sources_below(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let (dirs, files): (Vec<_>, Vec<_>) =
        entries.filter(|path| !path.ends_with("target")).partition(|path| path.is_dir());
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|of| of == "rs"));
    rust.chain(dirs.iter().flat_map(|dir| sources_below(dir))).collect()
}

/// Whether a span is no path of this repository, or one that exists.
fn is_there(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !span.contains('/') || span.starts_with('/') || !span.chars().all(plain) {
        return true;
    }
    if has_extension(span, &["rs", "md", "sql", "toml"]) {
        return root().join(span).is_file();
    }
    let first = span.split('/').next().unwrap_or_default();
    let directory = root().join(first).is_dir() && Path::new(span).extension().is_none();
    !directory || root().join(span).is_dir()
}

/// The names of `Self::Variant => "name"` arms.
fn told_names(source: &str) -> Vec<String> {
    source
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("Self::") && !line.contains('|'))
        .filter_map(|line| line.split_once(" => \"")?.1.strip_suffix("\","))
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .map(str::to_owned)
        .collect()
}

/// Name and value of a `pub const NAME: type = product;` line.
fn limit(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.strip_prefix("pub const ")?.split_once(':')?;
    let product = rest.split_once('=')?.1.trim().strip_suffix(';')?;
    let value = product.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>().ok());
    value.product::<Option<u64>>().map(|value| (name, value))
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

// --- The data dictionary -------------------------------------------------------------------------------------------

const HEAD: &str = "\
<!-- Written by tests/tests/docs.rs from the catalogue; change contract/src/catalogue, then run
     NEONPRO_WRITE_DOCS=1 cargo test -p neonpro-tests --test docs -->

# Data dictionary

The record model as `contract/src/catalogue.rs` declares it. A test compares it with the migrated PostgreSQL schema, and the
tablet's tables are made from it.

**Scope**: *clinic* tables hold rows of one clinic, bound by row security; *reference* tables are the same for everyone and
read-only on tablets.

**Lifecycle**: *editable* records are changed and retired, never deleted; *ledger* records are written once, a correction is
another record; *server* records are written by the server alone and travel without a document.

**Facet**: the part of a record that is one document, with one consent purpose. Roles: **a**dmin, **m**anager, **p**rofessional,
as**s**istant.

**Kept as**: *register* (one value), *text* (characters merge), *set* (adding wins over removing), *json* (merged by leaf),
*derived* (the server's; in no document).

**Rule**: what happens to values written concurrently, see [merge rules](merge-rules.md).

**Marks**: *required* (a record without it is not accepted), *fixed* (set at creation, then never changed), *sealed* (marked to be
encrypted at rest on the server; not encrypted yet), *derived* (written by the server alone).

";

fn dictionary() -> String {
    let mut text = HEAD.to_owned();
    common_columns(&mut text);
    let mut groups: Vec<&str> = Vec::new();
    for table in TABLES {
        if !groups.contains(&table.group) {
            groups.push(table.group);
        }
    }
    for group in groups {
        let _ = write!(text, "## {group}\n\n");
        for table in TABLES.iter().filter(|table| table.group == group) {
            one_table(&mut text, table);
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn common_columns(text: &mut String) {
    text.push_str("## Columns every table has\n\n");
    text.push_str(
        "Every record has an `id` (UUIDv7, made on the device); a clinic's records also have `clinic_id`.\n",
    );
    let names: Vec<String> =
        SERVER_COLUMNS.iter().map(|(name, column)| format!("`{name}` ({})", type_name(*column))).collect();
    let _ = write!(text, "The merge writes {} into every record of a clinic.\n\n", names.join(", "));
    text.push_str("Editable tables also have, in their first facet:\n\n");
    fields_head(text);
    for field in &TOMBSTONE {
        one_field(text, None, field);
    }
    text.push('\n');
}

fn one_table(text: &mut String, table: &Table) {
    let _ = write!(text, "### `{}`\n\n{}\n\n", table.name, table.about);
    let scope = match table.scope {
        Scope::Reference => "reference",
        Scope::Clinic => "clinic",
    };
    let lifecycle = match table.lifecycle {
        Lifecycle::Editable => "editable",
        Lifecycle::Ledger => "ledger",
        Lifecycle::Server => "server",
    };
    let patient = match table.patient {
        PatientLink::None => "none".to_owned(),
        PatientLink::Own => "the record itself".to_owned(),
        PatientLink::Field(field) => format!("`{field}`"),
        PatientLink::Parent(field) => format!("that of `{field}`"),
    };
    let _ = write!(text, "Number {} · {scope} · {lifecycle} · patient: {patient}\n\n", table.id.0);
    if !table.facets.is_empty() {
        text.push_str("| facet | name | purpose | written by |\n|---|---|---|---|\n");
        for (index, facet) in table.facets.iter().enumerate() {
            let purpose = match facet.purpose {
                PurposeRule::Fixed(purpose) => purpose.name().to_owned(),
                PurposeRule::ByValue { field, values, default } => {
                    let cases: Vec<String> = values
                        .iter()
                        .map(|(value, purpose)| format!("`{value}` {}", purpose.name()))
                        .collect();
                    format!("by `{field}`: {}; else {}", cases.join(", "), default.name())
                }
            };
            let safety = if facet.safety { " (safety data)" } else { "" };
            let writers = roles(facet.writers);
            let _ = writeln!(text, "| {index} | `{}` | {purpose}{safety} | {writers} |", facet.name);
        }
        text.push('\n');
    }
    fields_head(text);
    for field in table.fields {
        one_field(text, Some(table), field);
    }
    text.push('\n');
}

fn fields_head(text: &mut String) {
    text.push_str("| field | type | kept as | rule | facet | marks | default | about |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
}

fn one_field(text: &mut String, table: Option<&Table>, field: &Field) {
    let derived = field.kind == Kind::Derived;
    let facet = match table {
        _ if derived => String::new(),
        Some(table) => facet_name(table, field.facet),
        None => "the first".to_owned(),
    };
    let marks: Vec<&str> = [
        (field.required, "required"),
        (field.fixed, "fixed"),
        (field.sealed, "sealed"),
        (derived, "derived"),
    ]
    .into_iter()
    .filter_map(|(has, mark)| has.then_some(mark))
    .collect();
    let _ = writeln!(
        text,
        "| `{}` | {} | {} | {} | {facet} | {} | {} | {} |",
        field.name,
        type_name(field.column),
        kind(field.kind),
        rule(field.rule),
        marks.join(", "),
        default(field.default),
        about(field)
    );
}

fn facet_name(table: &Table, facet: FacetId) -> String {
    table.facets.get(usize::from(facet.0)).map_or_else(String::new, |facet| format!("`{}`", facet.name))
}

fn roles(set: Roles) -> String {
    let letters =
        [(Role::Admin, "a"), (Role::Manager, "m"), (Role::Professional, "p"), (Role::Assistant, "s")];
    letters
        .iter()
        .filter(|(role, _)| set.contains(*role))
        .map(|(_, letter)| *letter)
        .collect::<Vec<_>>()
        .join(" ")
}

fn type_name(column: Column) -> String {
    match column {
        Column::Text => "text".to_owned(),
        Column::TextArray => "text[]".to_owned(),
        Column::Uuid => "uuid".to_owned(),
        Column::UuidArray => "uuid[]".to_owned(),
        Column::Bool => "boolean".to_owned(),
        Column::Int => "integer".to_owned(),
        Column::BigInt => "bigint".to_owned(),
        Column::Numeric(precision, scale) => format!("numeric({precision},{scale})"),
        Column::Date => "date".to_owned(),
        Column::Instant => "timestamptz".to_owned(),
        Column::Json => "jsonb".to_owned(),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Register => "register",
        Kind::Text => "text",
        Kind::Set => "set",
        Kind::Json => "json",
        Kind::Derived => "derived",
    }
}

fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Latest => "latest",
        Rule::Guarded => "guarded",
        Rule::StateMachine(_) => "state machine",
        Rule::Union => "union",
        Rule::Server => "server",
    }
}

fn default(default: Default) -> String {
    match default {
        Default::Null => String::new(),
        Default::Text(text) => format!("`{text}`"),
        Default::Bool(flag) => flag.to_string(),
        Default::Int(number) => number.to_string(),
        Default::CapturedAt => "capture time".to_owned(),
        Default::Empty => "empty".to_owned(),
    }
}

/// The catalogue's sentence, then what the value may be and what it points at.
fn about(field: &Field) -> String {
    let mut text = field.about.to_owned();
    match (field.rule, field.format) {
        (Rule::StateMachine(order), _) => {
            let _ = write!(text, " Order: {}.", list(order, " → "));
        }
        (_, Format::OneOf(values)) => {
            let _ = write!(text, " One of {}.", list(values, ", "));
        }
        (_, Format::Cpf | Format::Cns | Format::Cnpj) => text.push_str(" Check digits are verified."),
        (_, Format::Plain) => {}
    }
    if let Some(target) = field.references {
        let _ = write!(text, " Names a record of `{target}`.");
    }
    text
}

fn list(values: &[&str], between: &str) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(between)
}
