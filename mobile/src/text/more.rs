//! Words of what is not used every hour: duties, the end of a day, settings.

/// Heading.
pub const COMPLIANCE: &str = "Conformidade";
/// What it is.
pub const COMPLIANCE_ABOUT: &str = "Exigências da clínica, última avaliação e prazo";
/// Heading.
pub const CLOSING: &str = "Fechamento do tablet";
/// What it is.
pub const CLOSING_ABOUT: &str = "O que está confirmado, o que espera e o que falta hoje";
/// What it is.
pub const PAYMENTS_ABOUT: &str = "Pagamentos do dia e totais";
/// Heading.
pub const CLINIC: &str = "Clínica e configurações";
/// What it is.
pub const CLINIC_ABOUT: &str = "Dados, agenda e chave Pix";
/// Heading.
pub const TEMPLATES: &str = "Modelos de documentos";
/// What it is.
pub const TEMPLATES_ABOUT: &str = "Termos de consentimento e registros de atendimento";
/// Heading.
pub const SYNC_ABOUT: &str = "Envio, atenção, disputas e este tablet";
/// Standing.
pub const NEVER_ASSESSED: &str = "nunca avaliada";
/// Standing, followed by a day.
pub const ASSESSED: &str = "avaliada em";
/// Standing, followed by a day.
pub const OVERDUE_SINCE: &str = "vencida desde";
/// Standing, followed by a day.
pub const DUE: &str = "vence em";
/// Action.
pub const ASSESS: &str = "Avaliar";
/// Action.
pub const SEE: &str = "Ver";
/// Empty list.
pub const DUTIES_NONE: &str = "Nenhuma exigência neste tablet.";
/// Left at the end of a day.
pub const UNFINISHED: &str = "Agendamento de hoje sem desfecho";
/// Left at the end of a day.
pub const UNLOCKED: &str = "Sessão de hoje ainda aberta";
/// Left at the end of a day.
pub const UNPAID: &str = "Pagamento aguardando confirmação";
/// Heading.
pub const LEFT: &str = "Falta hoje";
/// Nothing left.
pub const LEFT_NONE: &str = "Nada ficou para trás hoje.";
/// Everything confirmed.
pub const ALL_CONFIRMED: &str = "Tudo o que este tablet registrou está confirmado pelo servidor.";
/// Something waits.
pub const SOME_WAIT: &str =
    "Ainda há registros esperando o envio. Eles estão salvos neste tablet; deixe-o ligado e com internet.";
/// Somebody must look.
pub const SOME_ASIDE: &str = "Há edições separadas que precisam de alguém antes de guardar o tablet.";
