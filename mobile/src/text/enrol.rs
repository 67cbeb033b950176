//! Words of an app's first page.

use neonpro_client_core::EnrolError;

/// Heading.
pub const TITLE: &str = "Cadastrar este tablet";
/// What to do.
pub const ABOUT: &str = "Cole o bilhete que o administrador da clínica criou. Ele vale uma vez, por um dia de trabalho. É preciso internet só agora.";
/// Field.
pub const TICKET: &str = "Bilhete";
/// Field.
pub const NAME: &str = "Nome deste tablet";
/// Hint.
pub const NAME_HINT: &str = "Como a equipe o chama: Sala 1, Recepção.";
/// Action.
pub const ACTION: &str = "Cadastrar";
/// Done.
pub const DONE: &str = "Pronto. O tablet está sendo aberto.";
/// No name.
pub const NAME_EMPTY: &str = "Dê um nome ao tablet.";
/// The storage failed.
pub const STORAGE: &str = "O tablet não conseguiu gravar. Confira o espaço livre e tente de novo.";

/// Why a tablet was not enrolled.
#[must_use]
pub fn refused(error: &EnrolError) -> &'static str {
    match error {
        EnrolError::Ticket => "Este texto não é um bilhete. Cole-o inteiro, sem espaços a mais.",
        EnrolError::Unreachable(_) => "O servidor não respondeu. Confira a internet e tente de novo.",
        EnrolError::Refused { .. } => "O bilhete já foi usado ou venceu. Peça outro ao administrador.",
        _ => STORAGE,
    }
}
