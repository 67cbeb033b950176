//! Words of photographs.

use crate::picture::PictureError;

/// Heading, and the link on the card.
pub const PHOTOS: &str = "Fotos";
/// Link to all of them.
pub const ALL: &str = "Ver e adicionar fotos";
/// Nothing yet.
pub const NONE: &str = "Ainda não há fotos deste paciente neste tablet.";
/// Heading of the form.
pub const NEW: &str = "Nova foto";
/// The file control.
pub const FILE: &str = "Foto (tirar agora ou escolher)";
/// What it is of.
pub const VIEW: &str = "Vista";
/// Guided views, in the order they are taken.
pub const VIEWS: [&str; 5] = ["Frente", "3/4 esquerda", "3/4 direita", "Perfil esquerdo", "Perfil direito"];
/// Where it belongs.
pub const WHERE: &str = "Onde guardar";
/// Beside no session.
pub const APART: &str = "Avulsa, com a vista escolhida";
/// Before a session.
pub const BEFORE: &str = "Antes";
/// After a session.
pub const AFTER: &str = "Depois";
/// Button.
pub const SAVE: &str = "Guardar foto";
/// Why it is drawn anew.
pub const CLEANED: &str =
    "Local, câmera e outros dados escondidos no arquivo são removidos antes de guardar.";
/// Heading of the comparison.
pub const COMPARE: &str = "Comparar";
/// Left side.
pub const LEFT: &str = "Foto da esquerda";
/// Right side.
pub const RIGHT: &str = "Foto da direita";
/// Button.
pub const COMPARE_ACTION: &str = "Comparar";
/// The slider.
pub const SLIDER: &str = "Quanto se vê de cada foto";
/// Not here yet.
pub const COMING: &str = "Ainda não chegou";
/// The server has it.
pub const SAFE: &str = "No servidor";
/// It does not.
pub const HERE: &str = "Só neste tablet";
/// Without a consent.
pub const NO_CONSENT: &str = "O paciente não consentiu com fotografias. A foto fica guardada neste tablet, à parte, e só é incluída quando o consentimento for registrado.";

/// A session's name in the list of places.
#[must_use]
pub fn session(when: &str, number: i64, day: &str) -> String {
    format!("{when} da sessão {number} ({day})")
}

/// Why a file was not taken, and what to do.
#[must_use]
pub const fn refused(error: PictureError) -> &'static str {
    match error {
        PictureError::Empty => "Nada foi guardado: nenhuma foto foi escolhida.",
        PictureError::TooLarge => "Nada foi guardado: a foto é grande demais. Tire-a com menos resolução.",
        PictureError::Kind => "Nada foi guardado: só fotos JPEG, PNG ou WebP são aceitas.",
        PictureError::Broken => {
            "Nada foi guardado: o arquivo está incompleto ou não é uma foto. Tire-a de novo."
        }
    }
}

/// Action.
pub const GUIDED: &str = "Tirar com a foto anterior de guia";
/// Action.
pub const TAKE: &str = "Tirar foto";
/// The earlier picture, for screen readers.
pub const GHOST: &str = "Foto anterior, transparente, como guia";
/// The camera does not open.
pub const NO_CAMERA: &str =
    "A câmera não abriu. Permita o uso dela nas configurações do tablet, ou escolha um arquivo.";
