//! Words of a tablet that was told to destroy what it held.

/// Heading.
pub const TITLE: &str = "Este tablet foi apagado";
/// It is over.
pub const DONE: &str = "A chave foi destruída e os dados foram apagados deste aparelho.";
/// It goes on.
pub const UNDER_WAY: &str = "A chave está sendo destruída e os dados apagados. Deixe o aparelho ligado.";
/// Unsent work lies sealed.
pub const ESCROWED: &str = "O que ainda não tinha sido enviado ficou guardado num arquivo que só a clínica abre. Não apague nada: entregue o aparelho ao administrador.";
/// It could not be sealed.
pub const SET_ASIDE: &str = "Não foi possível guardar tudo o que ainda não tinha sido enviado, por isso os dados cifrados foram postos de lado em vez de apagados. Não apague nada: entregue o aparelho ao administrador.";
/// What can be done.
pub const NEXT: &str = "Para usar este aparelho de novo, o administrador o registra com um novo convite.";

/// Who said so.
#[must_use]
pub fn told(clinic: &str) -> String {
    format!("O servidor de {clinic} mandou apagar este tablet.")
}
