//! Words of the patient list, card, consents, plans and sessions.

/// Search field.
pub const SEARCH: &str = "Buscar por nome, CPF ou telefone";
/// Search button.
pub const SEARCH_ACTION: &str = "Buscar";
/// New patient.
pub const NEW: &str = "Novo paciente";
/// Nothing found.
pub const NONE_FOUND: &str = "Nenhum paciente encontrado neste tablet.";
/// Empty list.
pub const NONE_YET: &str = "Ainda não há pacientes neste tablet.";
/// More than is shown.
pub const MORE: &str = "Há mais pacientes: digite parte do nome para encontrar.";
/// Card heading.
pub const IDENTITY: &str = "Identificação";
/// Field.
pub const NAME: &str = "Nome completo";
/// Field.
pub const CPF: &str = "CPF";
/// Field.
pub const CNS: &str = "CNS";
/// Field.
pub const BORN: &str = "Data de nascimento";
/// Hint.
pub const BORN_HINT: &str = "dia/mês/ano, como 24/11/1990";
/// Field.
pub const PHONE: &str = "Telefone";
/// Field.
pub const EMAIL: &str = "E-mail";
/// Field.
pub const ADDRESS: &str = "Endereço";
/// Hint.
pub const CPF_HINT: &str = "Opcional. 11 números, com ou sem pontos.";
/// Same person?
pub const DUPLICATE: &str = "Já existe neste tablet um paciente que parece ser a mesma pessoa:";
/// Person insists.
pub const DUPLICATE_CONFIRM: &str = "É outra pessoa: cadastrar mesmo assim";
/// Card heading.
pub const HEALTH: &str = "Saúde";
/// Heading.
pub const ALLERGIES: &str = "Alergias";
/// Heading.
pub const MEDICATIONS: &str = "Medicamentos em uso";
/// Bar without allergies.
pub const ALLERGIES_NONE: &str = "Nenhuma alergia registrada.";
/// Empty list.
pub const MEDICATIONS_NONE: &str = "Nenhum medicamento registrado.";
/// Field.
pub const ALLERGY_NEW: &str = "Nova alergia";
/// Field.
pub const MEDICATION_NEW: &str = "Novo medicamento";
/// Button.
pub const ADD: &str = "Adicionar";
/// Button.
pub const REMOVE: &str = "Remover";
/// Field.
pub const REMOVE_REASON: &str = "Motivo da remoção";
/// Field.
pub const HEALTH_NOTES: &str = "Observações de saúde";
/// Health is not sent to this tablet.
pub const HEALTH_HIDDEN: &str = "Este tablet é de recepção e não recebe dados de saúde.";
/// Card heading.
pub const CONSENTS: &str = "Consentimentos";
/// Action.
pub const CONSENT_GRANT: &str = "Registrar consentimento";
/// Action, where the purpose stands beside it.
pub const CONSENT_GRANT_SHORT: &str = "Registrar";
/// Action.
pub const CONSENT_WITHDRAW: &str = "Registrar retirada";
/// Field.
pub const CONSENT_REASON: &str = "Motivo informado pelo paciente (opcional)";
/// Standing.
pub const CONSENT_NEVER: &str = "não registrado";
/// Standing, followed by a day.
pub const CONSENT_SINCE: &str = "em vigor desde";
/// Standing, followed by a day.
pub const CONSENT_EXPIRED: &str = "venceu em";
/// Standing, followed by a day.
pub const CONSENT_WITHDRAWN: &str = "retirado em";
/// Entry of the timeline.
pub const CONSENT_SINCE_SHORT: &str = "consentimento dado";
/// Entry of the timeline.
pub const CONSENT_ENDED: &str = "consentimento retirado";
/// Card heading.
pub const TIMELINE: &str = "Linha do tempo";
/// Empty list.
pub const TIMELINE_NONE: &str = "Nada registrado neste tablet.";
/// Label of the links to what can be done.
pub const ACTIONS: &str = "O que fazer";
/// Action.
pub const ASSESSMENT_NEW: &str = "Nova avaliação";
/// Action.
pub const PLAN_OPEN: &str = "Editar plano";
/// Card heading.
pub const APPOINTMENTS: &str = "Agendamentos";
/// Empty list.
pub const APPOINTMENTS_NONE: &str = "Nenhum agendamento neste tablet.";
/// Action.
pub const APPOINTMENT_NEW: &str = "Novo agendamento";
/// Card heading.
pub const PLANS: &str = "Planos e sessões";
/// Empty list.
pub const PLANS_NONE: &str = "Nenhum plano de tratamento.";
/// Field.
pub const PLAN_TITLE: &str = "Título do novo plano";
/// Action.
pub const PLAN_NEW: &str = "Criar plano";
/// Action.
pub const SESSION_NEW: &str = "Nova sessão";
/// Heading.
pub const SESSION: &str = "Sessão";
/// Field.
pub const SESSION_PLAN: &str = "Plano de tratamento";
/// Field.
pub const SESSION_PROCEDURE: &str = "Procedimento";
/// Field.
pub const SESSION_NOTES: &str = "Evolução";
/// Field.
pub const SESSION_OUTCOME: &str = "Resultado";
/// Field.
pub const SESSION_FEEDBACK: &str = "O que o paciente disse";
/// Locked.
pub const SESSION_LOCKED: &str = "Sessão encerrada: o registro não muda mais. Correções entram como adendo.";
/// Preview of the consent verdict on health records.
pub const NO_TREATMENT_CONSENT: &str = "Sem consentimento de tratamento em vigor. Você pode registrar o que aconteceu: o servidor guarda a edição lacrada e a libera sozinho quando o consentimento chegar.";
/// Preview where it was withdrawn.
pub const TREATMENT_WITHDRAWN: &str = "O consentimento de tratamento foi retirado. O que for registrado agora fica lacrado no servidor até um novo consentimento.";

/// A purpose as the patient knows it.
#[must_use]
pub fn purpose(name: &str) -> &'static str {
    match name {
        "treatment" => "Tratamento",
        "photography" => "Fotografias",
        "data_sharing" => "Envio a outra clínica",
        "marketing" => "Divulgação",
        "research" => "Pesquisa",
        _ => "Funcionamento da clínica",
    }
}

/// A plan's status.
#[must_use]
pub fn plan_status(status: &str) -> &'static str {
    match status {
        "draft" => "rascunho",
        "active" => "em andamento",
        "on_hold" => "pausado",
        "cancelled" => "cancelado",
        "completed" => "concluído",
        _ => "estado desconhecido",
    }
}
