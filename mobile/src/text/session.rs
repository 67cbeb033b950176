//! Words of a session: what was used and where, closing it, addenda.

/// Heading.
pub const MAP: &str = "Mapa de aplicação";
/// What to do.
pub const MAP_ABOUT: &str = "Escolha o lote, a quantidade e a profundidade; depois toque no rosto. Cada toque fica salvo na hora. Toque em um ponto para retirá-lo.";
/// Field.
pub const LOT: &str = "Produto e lote";
/// Field.
pub const QUANTITY: &str = "Quantidade por ponto";
/// Field.
pub const DEPTH: &str = "Profundidade";
/// Action.
pub const ADD_USE: &str = "Registrar uso sem ponto";
/// Heading.
pub const TOTALS: &str = "Total usado";
/// Nothing used.
pub const TOTALS_NONE: &str = "Nenhum produto registrado nesta sessão.";
/// Action.
pub const COPY_LAST: &str = "Copiar pontos da última sessão";
/// Nothing to copy.
pub const COPY_NONE: &str = "Não há sessão anterior com pontos neste tablet.";
/// Action.
pub const REMOVE: &str = "Retirar";
/// The picture, for screen readers.
pub const FACE: &str = "Rosto de frente, com os pontos de aplicação";
/// A point, for screen readers, before its label.
pub const POINT: &str = "Retirar ponto";
/// Heading.
pub const CLOSE: &str = "Encerrar sessão";
/// What it means.
pub const CLOSE_ABOUT: &str = "Depois de encerrada a sessão não muda mais. O que faltar entra como adendo.";
/// Action.
pub const CLOSE_ACTION: &str = "Encerrar e assinar";
/// Action where something is missing.
pub const CLOSE_ANYWAY: &str = "Encerrar mesmo assim";
/// Nothing missing.
pub const CHECKED: &str = "Conferido: nada falta.";
/// Heading of what is missing.
pub const MISSING: &str = "Antes de encerrar, confira";
/// Missing.
pub const NO_PROCEDURE: &str = "O procedimento não foi escolhido.";
/// Missing.
pub const NO_NOTES: &str = "A evolução está em branco.";
/// Missing.
pub const NO_LOT: &str = "Há produto usado sem lote.";
/// Missing.
pub const NO_QUANTITY: &str = "Há produto usado sem quantidade.";
/// Heading.
pub const ADDENDA: &str = "Adendos";
/// Field.
pub const ADDENDUM: &str = "Novo adendo";
/// Action.
pub const ADDENDUM_ACTION: &str = "Acrescentar adendo";
/// Nothing typed.
pub const ADDENDUM_EMPTY: &str = "Escreva o adendo.";
/// No lot chosen.
pub const LOT_EMPTY: &str = "Escolha o produto e o lote antes de tocar no rosto.";
/// Fact of a locked session.
pub const LOCKED_AT: &str = "Encerrada em";
/// A template's heading.
pub const TEMPLATE: &str = "Usar modelo";
/// A scanned lot nobody registered.
pub const LOT_UNKNOWN: &str =
    "O produto é conhecido, mas este lote não está cadastrado. Cadastre o lote no estoque.";
/// Field.
pub const CODE: &str = "Código de barras (opcional)";
/// Action without a point.
pub const USES: &str = "Usos sem ponto no rosto";
