//! Words of the stock.

/// Nothing left.
pub const NONE_LEFT: &str = "sem estoque";
/// Below the minimum.
pub const LOW: &str = "abaixo do mínimo";
/// At the point to reorder.
pub const REORDER: &str = "repor";
/// Past its expiry.
pub const EXPIRED: &str = "vencido";
/// Heading.
pub const ALERTS: &str = "Alertas";
/// Heading.
pub const WATCH: &str = "Estoque: frascos abertos e validades";
/// Action.
pub const RESOLVE: &str = "Resolvido";
/// Field.
pub const SEARCH: &str = "Nome, código ou leitura do código de barras";
/// Action.
pub const SEARCH_ACTION: &str = "Buscar";
/// Heading.
pub const PRODUCTS: &str = "Produtos";
/// Empty list.
pub const PRODUCTS_NONE: &str = "Nenhum produto encontrado neste tablet.";
/// Action.
pub const PRODUCT_NEW: &str = "Novo produto";
/// A scanned product nobody registered.
pub const CODE_UNKNOWN: &str =
    "Este código não é de nenhum produto cadastrado. Cadastre o produto com este código de barras.";
/// A code that does not read.
pub const CODE_WRONG: &str = "O dígito verificador deste código não confere. Leia o código de novo.";
/// An expiry that is no day.
pub const CODE_EXPIRY: &str = "A validade deste código não é uma data. Confira a embalagem.";
/// Field.
pub const ON_HAND: &str = "Em estoque";
/// Hint beside what is on hand.
pub const ON_HAND_ABOUT: &str = "Inclui os movimentos deste tablet que o servidor ainda não contou.";
/// Heading.
pub const LOTS: &str = "Lotes";
/// Empty list.
pub const LOTS_NONE: &str = "Nenhum lote cadastrado.";
/// Action.
pub const LOT_NEW: &str = "Novo lote";
/// Action.
pub const OPEN: &str = "Abrir frasco";
/// Heading.
pub const MOVE: &str = "Registrar movimento";
/// Field.
pub const MOVE_KIND: &str = "Movimento";
/// Field.
pub const QUANTITY: &str = "Quantidade";
/// Field.
pub const LOT: &str = "Lote";
/// Field.
pub const NOTES: &str = "Observação";
/// Heading.
pub const COUNT: &str = "Contagem";
/// Field.
pub const COUNTED: &str = "Quantidade contada";
/// Action.
pub const COUNT_ACTION: &str = "Ajustar pela contagem";
/// Note of the movement a count makes.
pub const COUNT_NOTE: &str = "contagem";
/// Heading.
pub const MOVEMENTS: &str = "Últimos movimentos";
/// Empty list.
pub const MOVEMENTS_NONE: &str = "Nenhum movimento neste tablet.";
/// Action.
pub const EDIT: &str = "Editar cadastro";
/// A use that is stopped.
pub const LOT_EXPIRED: &str = "Este lote está vencido e não pode ser usado. Escolha outro lote; para tirá-lo do estoque, registre um descarte.";
/// A use that is stopped.
pub const LOT_RETIRED: &str = "Este lote foi recolhido e não pode ser usado. Escolha outro lote.";
/// A movement needs an amount.
pub const QUANTITY_WRONG: &str = "A quantidade precisa ser um número maior que zero.";

/// `aberto há 3 h`.
#[must_use]
pub fn open_for(hours: i64) -> String {
    match hours {
        0 => "aberto há menos de 1 h".to_owned(),
        1..48 => format!("aberto há {hours} h"),
        _ => format!("aberto há {} dias", hours / 24),
    }
}

/// `vence em 12 dias`.
#[must_use]
pub fn expires_in(days: i64) -> String {
    match days {
        0 => "vence hoje".to_owned(),
        1 => "vence amanhã".to_owned(),
        _ => format!("vence em {days} dias"),
    }
}

/// `vence 24/12/2026`.
#[must_use]
pub fn expires(day: &str) -> String {
    format!("vence {day}")
}
