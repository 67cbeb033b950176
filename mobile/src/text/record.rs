//! Words of forms made from the catalogue.

/// Hint of a day.
pub const DATE_HINT: &str = "Dia, mês e ano, como 24/11/2026.";
/// Hint of a list.
pub const SET_HINT: &str = "Um item por linha.";
/// Hint of pairs.
pub const JSON_HINT: &str = "Um par por linha, como prazo: 5 dias.";
/// Reason of a removal through a form.
pub const REMOVED: &str = "retirado no formulário";
/// Empty list.
pub const NONE: &str = "Nada registrado ainda.";
/// Action.
pub const NEW: &str = "Novo registro";
/// Title of a page with a new record.
pub const CREATING: &str = "Novo";
/// A ledger.
pub const LEDGER: &str = "Este registro não se altera: uma correção é um novo registro.";
/// Action.
pub const RETIRE: &str = "Encerrar registro";
/// Field.
pub const RETIRE_REASON: &str = "Motivo do encerramento";
