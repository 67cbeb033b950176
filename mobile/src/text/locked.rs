//! Words of the page that is shown once the lease is over.

/// Heading.
pub const TITLE: &str = "Conecte este tablet para continuar";
/// Why nothing is shown.
pub const WHY: &str = "Ele ficou tempo demais sem falar com o servidor. Para proteger os pacientes, nada é mostrado até ele se conectar.";
/// What happens to the work.
pub const KEPT: &str = "O que foi escrito aqui continua guardado e é enviado assim que houver internet.";
/// A form that was open did not fit.
pub const REFUSED: &str = "O último formulário não foi salvo: um campo precisa ser corrigido. Depois de conectar, volte a ele e salve de novo.";
