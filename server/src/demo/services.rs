//! What the clinics offer: categories and services, with a TUSS code only where the table has one.

/// Who performs a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Assessment and consultation: everybody within their profession.
    Consultation,
    /// Injectables and medicines.
    Injectable,
    /// Lasers and other energy.
    Energy,
    /// Superficial care of face and body.
    Care,
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    /// Index of its category.
    pub(super) category: usize,
    /// Name.
    pub(super) name: &'static str,
    /// Length, minutes: a multiple of 15.
    pub(super) minutes: u32,
    /// Price, reais.
    pub(super) reais: i64,
    /// TUSS code, where the table of procedures has one.
    pub(super) tuss: Option<&'static str>,
    /// Who performs it.
    pub(super) class: Class,
    /// What it is to the rules on scope of practice, where that does not follow from its class.
    special: Option<&'static str>,
    /// Days of recovery.
    pub(super) recovery_days: i64,
    /// Index of the product it uses up, and thousandths of its unit.
    pub(super) uses: Option<(usize, i64)>,
}

/// Categories: name and description.
pub(super) const CATEGORIES: [(&str, &str); 6] = [
    ("Consultas e avaliações", "Primeira consulta, retorno e avaliação da pele"),
    ("Injetáveis", "Toxina, preenchedores, bioestimuladores e fios"),
    ("Laser e luz", "Laser, luz intensa pulsada e depilação"),
    ("Peelings e renovação", "Peelings químicos e microagulhamento"),
    ("Corporal", "Gordura localizada, flacidez e drenagem"),
    ("Facial e bem-estar", "Limpeza, hidratação e cuidados da pele"),
];

const fn service(category: usize, name: &'static str, minutes: u32, reais: i64, class: Class) -> Service {
    Service { category, name, minutes, reais, tuss: None, class, special: None, recovery_days: 0, uses: None }
}

impl Service {
    const fn tuss(mut self, code: &'static str) -> Self {
        self.tuss = Some(code);
        self
    }
    const fn is(mut self, procedure_class: &'static str) -> Self {
        self.special = Some(procedure_class);
        self
    }
    const fn recovery(mut self, days: i64) -> Self {
        self.recovery_days = days;
        self
    }
    const fn uses(mut self, product: usize, thousandths: i64) -> Self {
        self.uses = Some((product, thousandths));
        self
    }
    /// What must be asked before, for everything that breaks the skin or heats it.
    pub(super) fn contraindications(&self) -> &'static [&'static str] {
        match self.class {
            Class::Consultation => &[],
            Class::Injectable => &["gestação", "infecção no local", "alergia a componente do produto"],
            Class::Energy => &["gestação", "pele bronzeada", "uso de medicamento fotossensibilizante"],
            Class::Care => &["infecção no local"],
        }
    }
    /// What it is to the rules on scope of practice.
    pub(super) const fn procedure_class(&self) -> &'static str {
        match (self.special, self.class) {
            (Some(class), _) => class,
            (None, Class::Consultation) => "assessment",
            (None, Class::Injectable) => "injectable",
            (None, Class::Energy) => "energy_device",
            (None, Class::Care) => "superficial_care",
        }
    }
    /// Where on the body, for the services that say so.
    pub(super) const fn body_area(&self) -> Option<&'static str> {
        match self.category {
            4 => Some("body"),
            5 => Some("face"),
            _ => None,
        }
    }
    /// What is known to happen.
    pub(super) fn side_effects(&self) -> &'static [&'static str] {
        match self.class {
            Class::Consultation => &[],
            Class::Injectable => &["edema", "equimose", "dor no local"],
            Class::Energy => &["eritema", "edema"],
            Class::Care => &["eritema"],
        }
    }
}

use Class::{Care, Consultation, Energy, Injectable};

/// The services.
pub(super) const SERVICES: [Service; 24] = [
    service(0, "Consulta médica em dermatologia", 30, 450, Consultation)
        .tuss("10101012")
        .is("medical_consultation"),
    service(0, "Avaliação estética facial", 30, 180, Consultation),
    service(0, "Retorno de procedimento", 15, 0, Consultation),
    service(1, "Toxina botulínica, terço superior", 45, 1_400, Injectable).recovery(2).uses(0, 50_000),
    service(1, "Toxina botulínica, rosto completo", 60, 2_100, Injectable).recovery(2).uses(0, 80_000),
    service(1, "Preenchimento labial", 60, 1_600, Injectable).recovery(4).uses(1, 1_000),
    service(1, "Preenchimento de sulco nasogeniano", 60, 1_700, Injectable).recovery(3).uses(2, 1_000),
    service(1, "Preenchimento de malar", 60, 2_200, Injectable).recovery(4).uses(3, 2_000),
    service(1, "Bioestimulador de colágeno facial", 60, 2_400, Injectable).recovery(3).uses(4, 1_000),
    service(1, "Fios de sustentação", 90, 2_900, Injectable).is("thread_lift").recovery(7).uses(6, 6_000),
    service(1, "Intradermoterapia capilar", 45, 420, Injectable).uses(7, 1_000),
    service(1, "Skinbooster", 45, 1_100, Injectable).recovery(2).uses(5, 1_000),
    service(2, "Laser para lesões pigmentadas e vasculares", 45, 900, Energy)
        .tuss("30101905")
        .recovery(5)
        .uses(15, 10_000),
    service(2, "Depilação a laser, área média", 30, 280, Energy).tuss("30101859").uses(15, 20_000),
    service(2, "Luz intensa pulsada", 45, 520, Energy).recovery(2).uses(15, 15_000),
    service(3, "Peeling químico superficial", 45, 320, Care)
        .tuss("30101417")
        .is("superficial_peel")
        .recovery(3)
        .uses(9, 3_000),
    service(3, "Peeling químico médio", 60, 780, Injectable)
        .tuss("30101395")
        .is("medium_peel")
        .recovery(7)
        .uses(10, 2_000),
    service(3, "Microagulhamento com fatores", 60, 650, Energy)
        .is("microneedling")
        .recovery(3)
        .uses(8, 1_000),
    service(4, "Radiofrequência corporal", 60, 350, Care).is("energy_device").uses(15, 30_000),
    service(4, "Criolipólise, duas áreas", 90, 1_300, Energy).recovery(2).uses(14, 2_000),
    service(4, "Drenagem linfática", 60, 190, Care).uses(16, 15_000),
    service(5, "Limpeza de pele profunda", 75, 240, Care).uses(12, 1_000),
    service(5, "Hidratação facial com máscara", 45, 210, Care).uses(13, 1_000),
    service(5, "Radiofrequência facial", 45, 290, Care).is("energy_device").uses(15, 15_000),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::stock::PRODUCTS;

    #[test]
    fn every_service_has_its_category_and_its_product() {
        for service in &SERVICES {
            assert!(service.category < CATEGORIES.len() && service.minutes % 15 == 0, "{}", service.name);
            assert!(service.uses.is_none_or(|(product, _)| product < PRODUCTS.len()), "{}", service.name);
        }
    }
}
