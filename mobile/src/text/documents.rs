//! Words of a patient's documents.

/// Heading.
pub const DOCUMENTS: &str = "Documentos";
/// Empty list.
pub const NONE: &str = "Nenhum documento neste tablet.";
/// Heading.
pub const NEW: &str = "Novo documento";
/// Field.
pub const FILE: &str = "Arquivo (PDF ou imagem)";
/// Field.
pub const KIND: &str = "Tipo";
/// Field.
pub const TITLE: &str = "Título";
/// Action.
pub const SAVE: &str = "Guardar documento";
/// Not here yet.
pub const COMING: &str = "O arquivo ainda não chegou neste tablet.";
/// Another kind of file.
pub const KIND_WRONG: &str = "Nada foi guardado: só PDF e imagens JPEG, PNG ou WebP são aceitos.";
/// No title.
pub const TITLE_EMPTY: &str = "Dê um título ao documento.";
/// About pictures.
pub const ABOUT: &str = "O tipo decide quem o vê: exames e laudos só quem atende; identidade e nota também a recepção. Um PDF abre fora do aplicativo.";

/// Kinds a person adds here. The kind decides the purpose, and with it who sees the document.
pub const KINDS: [(&str, &str); 5] = [
    ("exam", "Exame"),
    ("report", "Laudo"),
    ("identity_document", "Documento de identidade"),
    ("consent_form", "Termo em papel"),
    ("invoice", "Nota fiscal"),
];

/// A kind in words.
#[must_use]
pub fn kind(name: &str) -> &'static str {
    KINDS.into_iter().find(|(kind, _)| *kind == name).map_or("Documento", |(_, words)| words)
}
