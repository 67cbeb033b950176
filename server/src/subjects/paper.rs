//! The statement as the patient reads it.

use crate::paper::{Block, Data, Paper};
use crate::words;
use chrono::{DateTime, NaiveDate};
use neonpro_contract::catalogue::{self, Purpose, Table};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::words as named;
use serde_json::Value as Json;

/// Lays a statement out; the JSON it was made from rides along as a file.
#[must_use]
pub fn paper(statement: &Json, clinic_name: &str, now: ServerInstant) -> Paper {
    let mut blocks = vec![Block::Facts(summary(statement, now))];
    blocks.push(Block::Heading("O que guardamos".to_owned()));
    blocks.push(tables(statement));
    blocks.push(Block::Heading("Com quem foi compartilhado".to_owned()));
    blocks.push(shared(statement));
    if let Some(records) = statement.get("records").and_then(Json::as_array) {
        blocks.extend(self::records(records));
    }
    blocks.push(Block::Small(
        "Fundamento: LGPD (Lei 13.709/2018), arts. 18 e 19. Os mesmos dados, em formato que outros sistemas leem, estão \
         anexados a este PDF (dados.json). A aplicação da lei precisa da revisão de um responsável jurídico nomeado."
            .to_owned(),
    ));
    Paper {
        title: "Declaração sobre os seus dados pessoais".to_owned(),
        issuer: clinic_name.to_owned(),
        foot: format!("Titular {}", text(statement.get("patient"))),
        made_at: now,
        blocks,
        data: Some(Data {
            name: "dados.json".to_owned(),
            media_type: "application/json",
            bytes: statement.to_string().into_bytes(),
        }),
    }
}

fn summary(statement: &Json, now: ServerInstant) -> Vec<(String, String)> {
    let purposes = statement.get("purposes").and_then(Json::as_array).cloned().unwrap_or_default();
    let purposes =
        purposes.iter().filter_map(Json::as_str).filter_map(Purpose::from_name).map(words::purpose);
    let since = statement.get("held_since").map(|at| text(Some(at))).unwrap_or_default();
    [
        ("Titular (identificador)", text(statement.get("patient"))),
        ("Finalidades", purposes.collect::<Vec<_>>().join("; ")),
        ("Guardamos desde", since),
        ("Declaração feita em", words::moment(now)),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .into()
}

fn tables(statement: &Json) -> Block {
    let tables = statement.get("tables").and_then(Json::as_object);
    let rows = tables.into_iter().flatten().map(|(table, held)| {
        let label = named::table_label(table).unwrap_or(table);
        vec![label.to_owned(), text(held.get("records"))]
    });
    let rows = rows.collect();
    Block::Table { shares: vec![4, 1], head: ["Tipo", "Registros"].map(str::to_owned).into(), rows }
}

fn shared(statement: &Json) -> Block {
    let shares = statement.get("shared_with").and_then(Json::as_array);
    let rows: Vec<Vec<String>> = shares
        .into_iter()
        .flatten()
        .map(|share| {
            let open = share.get("open").and_then(Json::as_bool) == Some(true);
            let state = if open { "Compartilhado" } else { "Encerrado" };
            vec![text(share.get("clinic")), text(share.get("referral")), state.to_owned()]
        })
        .collect();
    if rows.is_empty() {
        return Block::Text("Com nenhuma outra clínica.".to_owned());
    }
    let head = ["Clínica", "Encaminhamento", "Situação"].map(str::to_owned).into();
    Block::Table { shares: vec![5, 5, 2], head, rows }
}

/// Every record under the heading of its table, empty fields left out.
fn records(records: &[Json]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut heading = "";
    for record in records {
        let table = record.get("table").and_then(Json::as_str).unwrap_or_default();
        if table != heading {
            heading = table;
            blocks.push(Block::Heading(named::table_label(table).unwrap_or(table).to_owned()));
        }
        let mut facts = vec![("Registro".to_owned(), text(record.get("record")))];
        for field in catalogue::table(table).into_iter().flat_map(Table::columns) {
            let value = record.get("values").and_then(|values| values.get(field.name));
            if !value.is_none_or(is_empty) {
                let label = named::field_label(table, field.name).unwrap_or(field.name);
                facts.push((label.to_owned(), text(value)));
            }
        }
        let captured = text(record.get("captured_at"));
        if !captured.is_empty() {
            facts.push(("Registrado em".to_owned(), captured));
        }
        blocks.push(Block::Facts(facts));
    }
    blocks
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(members) => members.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

/// A value as a person reads it.
fn text(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::Bool(true)) => "Sim".to_owned(),
        Some(Json::Bool(false)) => "Não".to_owned(),
        Some(Json::Number(number)) => number.to_string(),
        Some(Json::String(text)) => moment_or_day(text).unwrap_or_else(|| text.clone()),
        Some(Json::Array(members)) => {
            members.iter().map(|member| self::text(Some(member))).collect::<Vec<_>>().join("; ")
        }
        Some(Json::Object(members)) => {
            let member = |(name, value): (&String, &Json)| format!("{name}: {}", self::text(Some(value)));
            members.iter().map(member).collect::<Vec<_>>().join("; ")
        }
    }
}

fn moment_or_day(text: &str) -> Option<String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(words::moment(ServerInstant(at.timestamp_micros())));
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.format("%d/%m/%Y").to_string())
}
