//! Words of the agenda and of one appointment.

/// Previous day.
pub const DAY_BEFORE: &str = "Dia anterior";
/// Next day.
pub const DAY_AFTER: &str = "Próximo dia";
/// Previous day or week.
pub const BEFORE: &str = "Anterior";
/// Next day or week.
pub const AFTER: &str = "Próximo";
/// A day's view.
pub const DAY_VIEW: &str = "Dia";
/// A week's view.
pub const WEEK_VIEW: &str = "Semana";
/// No filter.
pub const EVERYBODY: &str = "Todos os profissionais";
/// Something is being moved by tapping.
pub const MOVING: &str = "Toque no novo horário deste agendamento.";
/// Action in a free cell while something is being moved.
pub const HERE: &str = "Mover para cá";
/// The same for screen readers, followed by a time.
pub const MOVE_HERE: &str = "Mover para";
/// Action in a free cell, followed by a time.
pub const BOOK_AT: &str = "Agendar às";
/// Action on an appointment.
pub const MOVE: &str = "Mover na agenda";
/// Below the table.
pub const ABOUT_TABLE: &str = "Tracejado: ainda não confirmado pelo servidor. Arraste um agendamento para outro horário, ou abra-o e use Mover na agenda.";
/// Heading.
pub const AGENDA: &str = "Agenda";
/// One of a count.
pub const ONE: &str = "agendamento";
/// Several of a count.
pub const MANY: &str = "agendamentos";
/// Empty day.
pub const NONE: &str = "Nenhum agendamento neste dia.";
/// Heading of the side column.
pub const TO_DO: &str = "A fazer";
/// Nothing to do.
pub const TO_DO_NONE: &str = "Nada pendente neste tablet.";
/// Without a professional.
pub const NO_PROFESSIONAL: &str = "sem profissional";
/// Without a service.
pub const NO_SERVICE: &str = "procedimento não informado";
/// The patient is not on this tablet.
pub const PATIENT_UNKNOWN: &str = "Paciente ainda não recebido";
/// Heading.
pub const NEW: &str = "Novo agendamento";
/// Heading.
pub const APPOINTMENT: &str = "Agendamento";
/// Field.
pub const PROFESSIONAL: &str = "Profissional";
/// Field.
pub const SERVICE: &str = "Procedimento";
/// Field.
pub const DAY: &str = "Dia";
/// Field.
pub const TIME: &str = "Início";
/// Field.
pub const MINUTES: &str = "Duração (minutos)";
/// Hint.
pub const MINUTES_HINT: &str = "Em branco: a duração usual do procedimento.";
/// Field.
pub const STATUS: &str = "Situação";
/// Field.
pub const NOTES: &str = "Observações";
/// A new appointment needs its patient first.
pub const CHOOSE_PATIENT: &str = "Escolha o paciente para agendar";
/// Another one at the same time.
pub const OVERLAP: &str = "Atenção: neste horário o profissional já tem outro agendamento neste tablet. Os dois ficam guardados e o administrador é avisado.";

/// Names of the months.
const MONTHS: [&str; 12] = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
];
/// Names of the days, Monday first.
const WEEKDAYS: [&str; 7] =
    ["segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"];

/// `segunda-feira, 23 de novembro`.
#[must_use]
pub fn long_day(day: chrono::NaiveDate) -> String {
    use chrono::Datelike;
    let index = |number: u32| usize::try_from(number).unwrap_or(0);
    let weekday = WEEKDAYS.get(index(day.weekday().num_days_from_monday())).copied().unwrap_or_default();
    let month = MONTHS.get(index(day.month0())).copied().unwrap_or_default();
    format!("{weekday}, {} de {month}", day.day())
}

/// `Semana de 23 de novembro`.
#[must_use]
pub fn week(monday: chrono::NaiveDate) -> String {
    use chrono::Datelike;
    let month = usize::try_from(monday.month0()).ok().and_then(|index| MONTHS.get(index)).copied();
    format!("Semana de {} de {}", monday.day(), month.unwrap_or_default())
}

/// `seg 23`.
#[must_use]
pub fn short_day(day: chrono::NaiveDate) -> String {
    use chrono::Datelike;
    let index = usize::try_from(day.weekday().num_days_from_monday()).unwrap_or(0);
    let name: String = WEEKDAYS.get(index).copied().unwrap_or_default().chars().take(3).collect();
    format!("{name} {}", day.day())
}

/// A status of an appointment.
#[must_use]
pub fn status(name: &str) -> &'static str {
    match name {
        "scheduled" => "Agendado",
        "confirmed" => "Presença confirmada",
        "rescheduled" => "Remarcado",
        "cancelled" => "Cancelado",
        "no_show" => "Não compareceu",
        "in_progress" => "Em atendimento",
        "completed" => "Concluído",
        _ => "Estado desconhecido",
    }
}

/// Tone of a status.
#[must_use]
pub fn status_tone(name: &str) -> &'static str {
    match name {
        "confirmed" | "in_progress" => "accent",
        "completed" => "ok",
        "no_show" => "amber",
        _ => "grey",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_day_is_written_out() {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        assert_eq!(super::long_day(day), "segunda-feira, 23 de novembro");
    }
}
