//! Words of the lock: entering with a PIN, and choosing one.

/// Heading of the locked page.
pub const TITLE: &str = "Entrar";
/// Whose PIN.
pub const WHO: &str = "Quem está usando";
/// Label of the PIN.
pub const PIN: &str = "PIN";
/// Tries it.
pub const ENTER: &str = "Entrar";
/// Takes the last digit away.
pub const ERASE: &str = "Apagar o último algarismo";
/// What the lock means for the work.
pub const KEPT: &str =
    "Bloqueado, este tablet não mostra nem envia nada. O que foi escrito continua guardado nele.";
/// A form came after the tablet had locked.
pub const HELD: &str = "O tablet bloqueou antes de salvar. Entre, e o que você digitou é salvo em seguida.";
/// The PIN was wrong.
pub const WRONG: &str = "Este não é o PIN. Tente outra vez.";
/// The person is not a member any more.
pub const NOT_OF_CLINIC: &str = "Esta pessoa não usa mais este tablet.";
/// The key file cannot be read.
pub const DAMAGED: &str = "O arquivo de chave deste tablet está danificado. Não apague nada: chame o suporte, os dados continuam cifrados no disco.";

/// Heading of the page that chooses a PIN.
pub const PIN_TITLE: &str = "PIN de acesso";
/// Before the first one.
pub const FIRST: &str = "Com um PIN, a chave dos dados deste tablet só abre para quem o conhece, e o tablet bloqueia sozinho depois de 5 minutos parado. Quem esquece o PIN precisa que um gestor ou administrador defina outro.";
/// Before a further one.
pub const FURTHER: &str =
    "Cada pessoa tem o seu PIN. Um gestor ou administrador pode definir outro para quem esqueceu.";
/// Label of a new PIN.
pub const NEW_PIN: &str = "Novo PIN (6 a 12 algarismos)";
/// Label of its repetition.
pub const AGAIN: &str = "Novo PIN, de novo";
/// Nobody was chosen.
pub const CHOOSE_PERSON: &str = "Escolha de quem é o PIN.";
/// Not six to twelve digits.
pub const DIGITS: &str = "O PIN tem de 6 a 12 algarismos.";
/// One of the first anybody tries.
pub const SIMPLE: &str = "Este PIN é dos primeiros que alguém tentaria. Escolha outro.";
/// The two differ.
pub const DIFFERENT: &str = "Os dois PINs são diferentes.";
/// Somebody else's.
pub const NOT_YOURS: &str = "Só a própria pessoa, um gestor ou um administrador muda este PIN.";
/// Locks at once.
pub const LOCK: &str = "Bloquear";
/// Leads to the page that chooses the first PIN.
pub const OFFER: &str = "Criar PIN";

/// Too many wrong tries: how long the next one waits.
#[must_use]
pub fn wait(left_us: i64) -> String {
    let seconds = left_us.max(0).saturating_add(999_999) / 1_000_000;
    if seconds < 60 {
        format!("Muitas tentativas erradas. Tente de novo em {seconds} s.")
    } else {
        format!("Muitas tentativas erradas. Tente de novo em {} min.", seconds.saturating_add(59) / 60)
    }
}
