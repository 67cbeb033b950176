//! Who works in a clinic, in which role, under whose supervision and with which scope.
//!
//! The scope rules are the conservative ones of the demo, not legal advice: they need a named legal reviewer.

use super::identity;
use super::places::Place;
use super::scribe::{Fields, Scribe, object, text, texts};
use super::services::{Class, SERVICES, Service};
use super::stock::{PRODUCTS, Stocked};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::AuthorId;
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use uuid::Uuid;

/// A person of the demo's staff.
#[derive(Debug, Clone)]
pub struct DemoPerson {
    /// The person: what an edit names as its author.
    pub id: AuthorId,
    /// Full name.
    pub name: String,
    /// Role in the clinic.
    pub role: Role,
    /// Profession, from the registry of professions.
    pub profession: &'static str,
}

/// The staff of a clinic.
#[derive(Debug)]
pub(super) struct Team {
    /// Everybody.
    pub(super) people: Vec<DemoPerson>,
    /// The administrator.
    pub(super) admin: Uuid,
    /// The front desk.
    pub(super) assistant: Uuid,
}

impl Team {
    /// Those who attend patients, in the order of [`POSTS`].
    pub(super) fn practitioners(&self) -> impl Iterator<Item = &DemoPerson> {
        self.people.iter().filter(|person| person.role == Role::Professional)
    }

    /// A practitioner by place, or the administrator.
    pub(super) fn practitioner(&self, place: usize) -> Uuid {
        self.practitioners().nth(place).map_or(self.admin, |person| person.id.0)
    }
}

struct Post {
    role: Role,
    profession: &'static str,
    council: &'static str,
    title: &'static str,
    specialities: &'static [&'static str],
}

const fn post(
    role: Role,
    profession: &'static str,
    council: &'static str,
    title: &'static str,
    specialities: &'static [&'static str],
) -> Post {
    Post { role, profession, council, title, specialities }
}

/// The posts of every clinic. The registry of professions has none for a front desk: its people are aestheticians in
/// role `assistant`, which gives them no clinical authority.
const POSTS: [Post; 6] = [
    post(Role::Professional, "doctor", "CFM", "Dermatologia", &["dermatologia", "injetáveis"]),
    post(Role::Professional, "nurse", "COREN", "Enfermagem estética", &["enfermagem estética", "laser"]),
    post(Role::Professional, "biomedic", "CFBM", "Biomedicina estética", &["biomedicina estética"]),
    post(Role::Professional, "aesthetician", "CNEP", "Estética facial e corporal", &["facial", "corporal"]),
    post(Role::Admin, "pharmacist", "CFF", "Direção e responsabilidade técnica", &["gestão"]),
    post(Role::Assistant, "aesthetician", "CNEP", "Recepção", &["recepção"]),
];

/// Writes the staff down.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn staff(scribe: &mut Scribe, place: &Place) -> Result<Team, Invalid> {
    let mut people = Vec::with_capacity(POSTS.len());
    for (number, post) in (1u32..).zip(&POSTS) {
        let days = -1_200 + i64::from(number);
        let at = scribe.moment(days, 9 * 60);
        let name = identity::person(&mut scribe.random, 75).name;
        let fields = profile(scribe, place, post, &name, number);
        let id = scribe.add("professionals", at, None, fields)?;
        people.push(DemoPerson { id: AuthorId(id), name, role: post.role, profession: post.profession });
    }
    let of =
        |role| people.iter().find(|person| person.role == role).map_or(Uuid::nil(), |person| person.id.0);
    let team = Team { admin: of(Role::Admin), assistant: of(Role::Assistant), people };
    for person in &team.people {
        let fields = vec![
            ("professional_id", Value::Uuid(person.id.0)),
            ("role", text(person.role.name())),
            ("is_active", Value::Bool(true)),
        ];
        let at = scribe.moment(-1_190, 9 * 60);
        scribe.add("clinic_professionals", at, Some(team.admin), fields)?;
    }
    Ok(team)
}

fn profile(scribe: &mut Scribe, place: &Place, post: &Post, name: &str, number: u32) -> Fields {
    let region = if post.council == "CFBM" { place.biomedicine_region } else { place.uf };
    // Six nines before two digits: no council has issued such a number.
    let council_number = format!("999999{number:02}");
    vec![
        ("name", text(name)),
        ("email", text(identity::email(name, number))),
        ("phone", text(identity::phone(&mut scribe.random, place.ddd))),
        ("professional_type", text(post.profession)),
        ("council_type", text(post.council)),
        ("council_number", text(council_number)),
        ("council_state", text(region)),
        ("specialization", texts(post.specialities)),
        ("bio", text(format!("{} na {}.", post.title, place.clinic))),
        ("is_active", Value::Bool(true)),
    ]
}

/// On which terms a profession performs a service; `None` where the demo's rules prohibit it.
pub(super) fn level(profession: &str, service: &Service) -> Option<&'static str> {
    match (profession, service.class) {
        ("doctor", _) => Some("independent"),
        (_, Class::Consultation) if service.tuss.is_some() => None,
        (_, Class::Consultation | Class::Care) => Some("independent"),
        ("aesthetician", Class::Injectable) => None,
        (_, Class::Injectable | Class::Energy) => Some("supervised"),
    }
}

/// What a practitioner is booked for: what the profession may do and usually does.
pub(super) fn offered(profession: &str, service: &Service) -> bool {
    let usual = match profession {
        "doctor" => service.class != Class::Care,
        "nurse" => service.class != Class::Injectable,
        "aesthetician" => matches!(service.class, Class::Care | Class::Consultation),
        _ => true,
    };
    usual && level(profession, service).is_some()
}

/// Who supervises whom, and what each may do.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn authority(
    scribe: &mut Scribe,
    team: &Team,
    services: &[Uuid],
    stocked: &[Stocked],
) -> Result<(), Invalid> {
    let at = scribe.moment(-900, 9 * 60);
    let doctor = team.practitioner(0);
    for person in team.practitioners() {
        if person.profession != "doctor" {
            scribe.add("professional_supervision", at, None, supervision(doctor, person, at))?;
        }
        let services = SERVICES.iter().zip(services);
        for (service, id) in services {
            let fields = rule(team, person, ("procedure_id", *id), level(person.profession, service), at);
            scribe.add("professional_scope_validation", at, None, fields)?;
        }
        for (product, stock) in PRODUCTS.iter().zip(stocked).filter(|(product, _)| product.medicine) {
            let level = match person.profession {
                "doctor" => Some("independent"),
                "aesthetician" => None,
                _ if product.medicine => Some("supervised"),
                _ => None,
            };
            let fields = rule(team, person, ("medication_id", stock.id), level, at);
            scribe.add("professional_scope_validation", at, None, fields)?;
        }
    }
    Ok(())
}

/// Contested rules of the shipped bundle that concern the demo's practitioners.
const CONTESTED: [&str; 2] = ["enfermeiro-injetaveis", "biomedico-injetaveis"];

/// What the clinic's administrator decided where the law is contested.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn decisions(scribe: &mut Scribe, team: &Team) -> Result<(), Invalid> {
    let at = scribe.moment(-900, 10 * 60);
    for rule in CONTESTED {
        let fields = vec![
            ("rule_id", text(rule)),
            ("choice", text("supervise")),
            ("reason", text("Demonstração: médica presente na clínica; exige revisão jurídica nomeada")),
            ("decided_by", Value::Uuid(team.admin)),
            ("valid_from", Value::Instant(at)),
        ];
        scribe.add("scope_decisions", at, Some(team.admin), fields)?;
    }
    Ok(())
}

fn supervision(doctor: Uuid, person: &DemoPerson, at: i64) -> Fields {
    vec![
        ("supervisor_id", Value::Uuid(doctor)),
        ("supervisee_id", Value::Uuid(person.id.0)),
        ("supervision_type", text("clinical")),
        ("scope", text("Procedimentos injetáveis e com energia")),
        ("requirements", texts(&["revisão mensal de casos", "registro de intercorrências"])),
        ("frequency", text("monthly")),
        ("max_autonomy_level", Value::Int(if person.profession == "aesthetician" { 2 } else { 3 })),
        ("start_date", Value::Instant(at)),
        ("is_active", Value::Bool(true)),
    ]
}

fn rule(
    team: &Team,
    person: &DemoPerson,
    subject: (&'static str, Uuid),
    level: Option<&'static str>,
    at: i64,
) -> Fields {
    vec![
        ("professional_id", Value::Uuid(person.id.0)),
        (subject.0, Value::Uuid(subject.1)),
        ("is_authorized", Value::Bool(level.is_some())),
        ("authorization_level", text(level.unwrap_or("prohibited"))),
        ("conditions", texts(&["Regra de demonstração: exige revisão jurídica nomeada"])),
        ("valid_from", Value::Instant(at)),
        ("authorized_by", Value::Uuid(team.admin)),
    ]
}

/// The clinic's own row.
pub(super) fn clinic(place: &Place, network: Uuid, tax_id: &str, address: String, phone: String) -> Fields {
    vec![
        ("name", text(place.clinic)),
        ("tax_id", text(tax_id)),
        ("address", text(address)),
        ("phone", text(phone)),
        ("email", text(format!("contato.{}@example.com", place.uf.to_lowercase()))),
        (
            "settings",
            object([
                ("agenda_start", "08:00".into()),
                ("agenda_end", "18:00".into()),
                // A random key that belongs to nobody.
                ("pix_key", "123e4567-e12b-12d1-a456-426655440000".into()),
                ("pix_city", "São Paulo".into()),
            ]),
        ),
        ("is_active", Value::Bool(true)),
        ("network_id", Value::Uuid(network)),
        ("timezone", text("America/Sao_Paulo")),
    ]
}
