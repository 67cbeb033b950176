//! Words of the work between professionals.

/// Heading.
pub const REFERRALS: &str = "Encaminhamentos";
/// Empty list.
pub const REFERRALS_NONE: &str = "Nenhum encaminhamento em aberto. Para encaminhar, abra o paciente.";
/// Receiver outside of the clinic.
pub const ANOTHER_CLINIC: &str = "outra clínica";
/// Before a deadline.
pub const ANSWER_BY: &str = "responder até";
/// Past a deadline.
pub const OVERDUE: &str = "atrasado";
/// Action.
pub const ACCEPT: &str = "Aceitar";
/// Action.
pub const DECLINE: &str = "Recusar";
/// Action.
pub const REFER: &str = "Encaminhar";
/// Action.
pub const TOGETHER: &str = "Sessão em conjunto";
/// Heading.
pub const THREADS: &str = "Conversas";
/// Empty list.
pub const THREADS_NONE: &str = "Nenhuma conversa em aberto.";
/// Action.
pub const THREAD_NEW: &str = "Nova conversa";
/// Field.
pub const SUBJECT: &str = "Assunto";
/// Field.
pub const CONTEXT: &str = "Tipo de conversa";
/// Field.
pub const MESSAGE: &str = "Mensagem";
/// Action.
pub const SEND: &str = "Enviar";
/// Check box.
pub const ASK: &str = "Pedir confirmação de leitura";
/// Action.
pub const CONFIRM: &str = "Confirmar leitura";
/// Before names.
pub const CONFIRMED_BY: &str = "Lida por";
/// Nobody yet.
pub const CONFIRMED_NONE: &str = "Ninguém confirmou ainda";
/// Empty conversation.
pub const MESSAGES_NONE: &str = "Nenhuma mensagem ainda.";
/// Action.
pub const RESOLVE: &str = "Marcar como resolvida";
/// Heading.
pub const SUPERVISION: &str = "Supervisão";
/// Empty list.
pub const SUPERVISION_NONE: &str = "Nenhuma supervisão em vigor.";
/// Before a level.
pub const AUTONOMY: &str = "autonomia";
/// Heading of links.
pub const REGISTERS: &str = "Cadastros da equipe";
/// Nothing typed.
pub const MESSAGE_EMPTY: &str = "Escreva a mensagem.";
/// No subject.
pub const SUBJECT_EMPTY: &str = "Escreva o assunto da conversa.";

/// `2 a confirmar`.
#[must_use]
pub fn to_confirm(count: u64) -> String {
    format!("{count} a confirmar")
}
