//! Words of the scope of practice.

use neonpro_client_core::ScopePreview;
use neonpro_contract::scope_of_practice::Level;

/// A bundle without a publisher's signature.
pub const IGNORED: &str = "Este tablet recebeu regras de escopo profissional sem assinatura válida. Elas foram ignoradas; avise a administração.";
/// Label of the law.
pub const BASIS: &str = "Base legal";
/// What recording means.
pub const RECORDED: &str = "O registro do que já foi feito é mantido, e a administração é avisada.";
/// What starting means.
pub const BLOCKED: &str = "O servidor não aceita o início deste ato. Escolha um profissional habilitado.";
/// Label of the rules' version.
pub const VERSION: &str = "Regras";

/// The verdict in one line.
#[must_use]
pub const fn title(level: Level, authorised: bool) -> &'static str {
    match (level, authorised) {
        (Level::Independent, _) => "Dentro do escopo profissional",
        (Level::Supervised, true) => "Dentro do escopo, sob supervisão",
        (Level::Supervised, false) => "Ato supervisionado sem supervisão vigente",
        (Level::Contested, _) => "Competência contestada: a clínica ainda não decidiu",
        (Level::Unruled, _) => "Nenhuma regra vigente trata deste ato",
        (Level::Prohibited, _) => "Fora do escopo profissional",
    }
}

/// The tone of its message.
#[must_use]
pub const fn tone(level: Level, authorised: bool) -> &'static str {
    match level {
        Level::Prohibited => "red",
        _ if authorised => "ok",
        _ => "amber",
    }
}

/// What follows for the person.
#[must_use]
pub fn consequence(preview: &ScopePreview) -> Option<&'static str> {
    if preview.blocks() {
        Some(BLOCKED)
    } else {
        (!preview.verdict.authorised && !preview.act.starting).then_some(RECORDED)
    }
}
