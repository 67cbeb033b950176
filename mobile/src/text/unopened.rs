//! Words of the page that says why a tablet does not open.

use super::{enrol, lock};
use crate::key_file::KeyFileError;
use crate::lock::LockError;
use crate::serve::ServeError;
use crate::vault::VaultError;
use neonpro_client_core::ReplicaError;

/// Heading.
pub const TITLE: &str = "O tablet não abriu";
/// What it means for the work.
pub const KEPT: &str = "Não apague nada: o que foi escrito continua guardado, cifrado, neste aparelho.";
/// Action.
pub const AGAIN: &str = "Tentar de novo";
/// For support.
pub const CODE: &str = "Código para o suporte";

const IN_USE: &str = "Outro programa está com os dados deste tablet abertos. Feche-o e tente de novo.";
const KEYSTORE: &str = "O cofre de senhas do aparelho não tem a chave deste tablet. Desbloqueie-o e tente de novo. Se ele foi apagado, cadastre o tablet de novo: a clínica recupera o que não foi enviado.";
const EXPOSED: &str = "Outras contas do aparelho podem ler a chave deste tablet. Corrija a permissão do arquivo de chave e tente de novo.";
const DATA: &str =
    "Os dados deste tablet não puderam ser lidos. Tente de novo; se continuar, chame o suporte com o código.";
const INTERNAL: &str =
    "Algo impediu o tablet de abrir. Tente de novo; se continuar, chame o suporte com o código.";

/// Why, and what to do.
#[must_use]
pub const fn why(error: &ServeError) -> &'static str {
    match error {
        ServeError::Key(key) | ServeError::Lock(LockError::Key(key)) => match key {
            KeyFileError::Io(_) => enrol::STORAGE,
            KeyFileError::Keystore => KEYSTORE,
            KeyFileError::Exposed => EXPOSED,
            KeyFileError::Length => lock::DAMAGED,
            KeyFileError::UnderPins | KeyFileError::Random => INTERNAL,
        },
        ServeError::Lock(LockError::Vault(VaultError::Damaged)) => lock::DAMAGED,
        ServeError::Lock(LockError::Replica(ReplicaError::InUse)) => IN_USE,
        ServeError::Lock(LockError::Replica(ReplicaError::StorageFull)) => enrol::STORAGE,
        ServeError::Lock(LockError::Replica(_)) => DATA,
        _ => INTERNAL,
    }
}
