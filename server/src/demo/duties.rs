//! Duties of a clinic, how it meets them, its document templates and its reports.
//!
//! Duties are named in plain words and point to their law; the wording needs a named reviewer.

use super::people::Team;
use super::scribe::{Scribe, object, row, text, texts};
use crate::store::load::ReferenceRows;
use neonpro_contract::catalogue::table;
use neonpro_contract::ids::RecordId;
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use rust_decimal::Decimal;
use uuid::Uuid;

/// A group of duties: name, body, and its duties (name, kind, frequency).
type Group = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const GROUPS: [Group; 4] = [
    (
        "Proteção de dados pessoais",
        "LGPD",
        &[
            ("Registro das operações de tratamento (LGPD art. 37)", "documentation", "annually"),
            ("Resposta a pedidos de titulares (LGPD art. 18 e 19)", "procedure", "monthly"),
            ("Revisão de acessos aos tablets", "technical", "quarterly"),
        ],
    ),
    (
        "Vigilância sanitária",
        "ANVISA",
        &[
            ("Controle de validade de lotes", "procedure", "weekly"),
            ("Registro de temperatura de refrigeradores", "documentation", "daily"),
            ("Notificação de eventos adversos (RDC 36/2013)", "procedure", "monthly"),
        ],
    ),
    (
        "Ética médica",
        "CFM",
        &[
            ("Consentimento para imagens (Resolução CFM 2.336/2023)", "documentation", "quarterly"),
            ("Guarda do prontuário por 20 anos (Lei 13.787/2018)", "policy", "annually"),
        ],
    ),
    (
        "Enfermagem",
        "COREN",
        &[
            ("Treinamento em intercorrências", "training", "quarterly"),
            ("Escala e supervisão", "policy", "annually"),
        ],
    ),
];

/// Reference rows: groups of duties, and duties.
pub(super) type Reference = (ReferenceRows, ReferenceRows);

/// Groups and duties, with ids drawn for an instant that never changes.
///
/// # Errors
/// A column the catalogue does not have.
pub(super) fn reference(random: &mut super::random::Random, at_us: i64) -> Result<Reference, Invalid> {
    let missing = || Invalid::new("table", "a table of the catalogue");
    let groups = table("compliance_categories").ok_or_else(missing)?;
    let duties = table("compliance_requirements").ok_or_else(missing)?;
    let (mut made_groups, mut made_duties) = (Vec::new(), Vec::new());
    for (name, body, members) in GROUPS {
        let group = random.id(at_us);
        let fields =
            vec![("name", text(name)), ("regulatory_body", text(body)), ("is_active", Value::Bool(true))];
        made_groups.push((RecordId(group), row(groups, fields)?));
        for (name, kind, frequency) in members {
            let fields = vec![
                ("category_id", Value::Uuid(group)),
                ("name", text(*name)),
                ("requirement_type", text(*kind)),
                ("frequency", text(*frequency)),
                ("is_mandatory", Value::Bool(true)),
            ];
            made_duties.push((RecordId(random.id(at_us)), row(duties, fields)?));
        }
    }
    Ok((made_groups, made_duties))
}

/// Assessments, templates and a report of one clinic.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn meet(scribe: &mut Scribe, team: &Team, duties: &[Uuid]) -> Result<(), Invalid> {
    for duty in duties {
        let done = scribe.random.chance(70);
        let days = -scribe.random.between(3, 25);
        let (at, due) = (scribe.moment(days, 10 * 60), scribe.random.between(5, 30));
        let mut fields = vec![
            ("requirement_id", Value::Uuid(*duty)),
            ("assessment_type", text("self_assessment")),
            ("status", text(if done { "completed" } else { "pending" })),
            ("due_date", Value::Date(scribe.day(due))),
        ];
        if done {
            let score = scribe.random.between(700, 1_000);
            fields.push(("score", Value::Decimal(Decimal::new(score * 10, 2))));
            fields.push(("findings", texts(&["registros completos na amostra verificada"])));
            fields.push(("assessed_by", Value::Uuid(team.admin)));
            fields.push(("assessed_at", Value::Instant(at)));
        }
        scribe.add("compliance_assessments", at, Some(team.admin), fields)?;
    }
    templates(scribe, team)?;
    report(scribe, team)
}

fn templates(scribe: &mut Scribe, team: &Team) -> Result<(), Invalid> {
    let at = scribe.moment(-500, 9 * 60);
    let kinds: [(&str, &str, &[&str]); 4] = [
        (
            "Termo de consentimento para tratamento",
            "consent_form",
            &["nome", "cpf", "procedimento", "assinatura"],
        ),
        ("Ficha de sessão", "treatment_record", &["procedimento", "produtos", "lote"]),
        ("Contato após 48 horas", "follow_up", &["sintomas"]),
        ("Resumo de alta", "discharge_summary", &["evolução", "orientações"]),
    ];
    for (name, kind, required) in kinds {
        let fields = vec![
            ("name", text(name)),
            ("template_type", text(kind)),
            ("template_content", object([("titulo", name.into()), ("rodape", "Clínica Aurora".into())])),
            ("required_fields", texts(required)),
            ("is_active", Value::Bool(true)),
            ("version", Value::Int(1)),
        ];
        scribe.add("documentation_templates", at, Some(team.admin), fields)?;
    }
    Ok(())
}

fn report(scribe: &mut Scribe, team: &Team) -> Result<(), Invalid> {
    let at = scribe.moment(-20, 7 * 60);
    let fields = vec![
        ("report_type", text("lgpd")),
        ("report_period_start", Value::Date(scribe.day(-110))),
        ("report_period_end", Value::Date(scribe.day(-21))),
        ("status", text("completed")),
        ("report_data", object([("pedidos_de_titulares", 4.into()), ("respondidos_no_prazo", 4.into())])),
        ("generated_at", Value::Instant(at)),
        ("generated_by", Value::Uuid(team.admin)),
    ];
    scribe.add("compliance_reports", at, None, fields)?;
    Ok(())
}
