//! Words of papers for people, in Portuguese: purposes and moments. Names of records and fields: [`neonpro_contract::words`].

use chrono::{DateTime, FixedOffset, TimeZone as _};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::time::ServerInstant;

/// UTC-3, without summer time since 2019 (Decreto 9.772/2019): the time of papers.
const SAO_PAULO_SECONDS: i32 = -3 * 3_600;

/// A purpose.
#[must_use]
pub const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Operation => "Cadastro e atendimento",
        Purpose::Treatment => "Tratamento (prontuário)",
        Purpose::Photography => "Fotografias",
        Purpose::DataSharing => "Compartilhamento com outras clínicas",
        Purpose::Marketing => "Divulgação",
        Purpose::Research => "Pesquisa",
    }
}

/// An instant, such as `26/11/2026 12:30 (horário de Brasília)`.
#[must_use]
pub fn moment(at: ServerInstant) -> String {
    local(at).map_or_else(String::new, |at| at.format("%d/%m/%Y %H:%M (horário de Brasília)").to_string())
}

fn local(at: ServerInstant) -> Option<DateTime<FixedOffset>> {
    FixedOffset::east_opt(SAO_PAULO_SECONDS)?.timestamp_micros(at.0).single()
}
