//! Every sentence the tablet shows, in Brazilian Portuguese, in one place.
//!
//! Owns wording and plural forms. Never decides anything. Invariant: no screen or form carries a sentence of its
//! own, so a second language replaces this module alone.

pub mod agenda;
pub mod consent;
pub mod documents;
pub mod enrol;
pub mod errors;
pub mod gone;
pub mod lock;
pub mod locked;
pub mod money;
pub mod more;
pub mod patient;
pub mod photos;
pub mod record;
pub mod scope;
pub mod session;
pub mod status;
pub mod stock;
pub mod team;
pub mod unopened;

/// Name of the product.
pub const PRODUCT: &str = "NeonPro";
/// Tab of today's agenda.
pub const TODAY: &str = "Hoje";
/// Tab of the agenda.
pub const AGENDA: &str = "Agenda";
/// Tab of the stock.
pub const STOCK: &str = "Estoque";
/// Tab of the people and their work together.
pub const TEAM: &str = "Equipe";
/// Tab of everything else.
pub const MORE: &str = "Mais";
/// Tab of the patients.
pub const PATIENTS: &str = "Pacientes";
/// Tab of the sync status.
pub const SYNC: &str = "Sincronização";
/// Link for keyboards and screen readers.
pub const SKIP: &str = "Ir para o conteúdo";
/// Label of the navigation.
pub const NAVIGATION: &str = "Telas";
/// Label of the person using the tablet.
pub const WHO: &str = "Quem está usando";
/// First option while nobody is chosen.
pub const WHO_NONE: &str = "Quem está usando?";
/// Applies a choice where scripts are off.
pub const APPLY: &str = "Aplicar";
/// Saves a form.
pub const SAVE: &str = "Salvar";
/// Leaves a form.
pub const CANCEL: &str = "Cancelar";
/// Goes back.
pub const BACK: &str = "Voltar";
/// True.
pub const YES: &str = "sim";
/// False.
pub const NO: &str = "não";
/// Nothing was entered.
pub const NOTHING: &str = "—";
/// Option of a select that means no value.
pub const UNCHOSEN: &str = "Não informado";
/// Body of every refusal at the door. Says nothing about what is behind it.
pub const FORBIDDEN: &str = "403: abra o NeonPro pelo endereço mostrado quando ele foi iniciado.";
/// Label of error codes.
pub const CODE: &str = "código";

/// The record changed elsewhere while it was open.
pub const RIBBON: &str = "Este registro foi alterado em outro aparelho enquanto estava aberto aqui. O que você digitou foi mantido.";
/// Reloads the open record.
pub const RIBBON_ACTION: &str = "Ver a versão atual";

/// Messages after an action, by the code in the address.
#[must_use]
pub fn notice(code: &str) -> Option<&'static str> {
    Some(match code {
        "registro_encerrado" => "Registro encerrado. Ele continua guardado na história da clínica.",
        "salvo" => "Salvo neste tablet. O envio acontece sozinho.",
        "movido" => "Agendamento movido neste tablet. O envio acontece sozinho.",
        "frasco" => "Frasco aberto: o relógio deste lote está correndo.",
        "movimento" => "Movimento salvo neste tablet. O envio acontece sozinho.",
        "pagamento" => "Pagamento registrado neste tablet. O envio acontece sozinho.",
        "uso" => "Uso salvo neste tablet.",
        "sessao_encerrada" => "Sessão encerrada. O que faltar entra como adendo.",
        "adendo" => "Adendo acrescentado. O envio acontece sozinho.",
        "sem_assinatura" => "O paciente não assinou. Nada foi registrado.",
        "documento" => "Documento guardado neste tablet. O envio acontece sozinho, depois dos registros.",
        "sem_mudanca" => "Nada foi alterado: os valores já eram esses.",
        "paciente" => "Paciente salvo neste tablet. O envio acontece sozinho.",
        "agendamento" => "Agendamento salvo neste tablet. O envio acontece sozinho.",
        "sessao" => "Sessão salva neste tablet. O envio acontece sozinho.",
        "sessao_escopo" => "Sessão salva neste tablet. Leia o que as regras de escopo dizem dela.",
        "agendamento_escopo" => {
            "Agendamento salvo neste tablet, mas o servidor não vai aceitá-lo: o ato está fora do escopo deste profissional."
        }
        "foto" => "Foto guardada neste tablet. O envio acontece sozinho, depois dos registros.",
        "plano" => "Plano salvo neste tablet. O envio acontece sozinho.",
        "consentimento" => "Consentimento registrado neste tablet. O envio acontece sozinho.",
        "retirada" => "Retirada registrada neste tablet. O envio acontece sozinho.",
        "escolha_paciente" => agenda::CHOOSE_PATIENT,
        "encerrado" => "Edição separada encerrada. O texto continua guardado.",
        "reenviado" => "Edição devolvida à fila de envio.",
        "pin" => "PIN salvo. Este tablet agora bloqueia sozinho depois de 5 minutos parado.",
        "entregue" => "Entregue ao administrador. O texto continua guardado.",
        _ => return None,
    })
}

/// `1 registro`, `3 registros`.
#[must_use]
pub fn records(count: u64) -> String {
    plural(count, "registro", "registros")
}

/// A count with its noun.
#[must_use]
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `34 anos`.
#[must_use]
pub fn age(years: u32) -> String {
    plural(years.into(), "ano", "anos")
}

/// A status of an appointment or a plan.
#[must_use]
pub fn status_text(status: &str) -> &'static str {
    match status {
        "draft" | "active" | "on_hold" => patient::plan_status(status),
        _ => agenda::status(status),
    }
}

/// A kind of record.
#[must_use]
pub fn table(name: &str) -> &'static str {
    match name {
        "patients" => "Paciente",
        "appointments" => "Agendamento",
        "treatment_plans" => "Plano de tratamento",
        "treatment_sessions" => "Sessão",
        "treatment_assessments" => "Avaliação",
        "data_consent_records" => "Consentimento",
        "patient_documents" => "Documento do paciente",
        "payments" => "Pagamento",
        "inventory_products" | "inventory_lots" | "inventory_transactions" | "inventory_alerts" => "Estoque",
        "clinics" => "Clínica",
        "professionals" | "clinic_professionals" => "Equipe",
        "professional_referrals" => "Encaminhamento",
        "coordination_threads" | "coordination_messages" => "Conversa",
        _ => "Registro",
    }
}

/// A field, where its label is known; its column name otherwise.
#[must_use]
pub fn field(name: &str) -> &str {
    match name {
        "name" => patient::NAME,
        "cpf" => patient::CPF,
        "cns" => patient::CNS,
        "date_of_birth" => patient::BORN,
        "phone" => patient::PHONE,
        "email" => patient::EMAIL,
        "address" => patient::ADDRESS,
        "allergies" => patient::ALLERGIES,
        "medications" => patient::MEDICATIONS,
        "notes" => agenda::NOTES,
        "outcome" => patient::SESSION_OUTCOME,
        "patient_feedback" => patient::SESSION_FEEDBACK,
        "procedure_id" | "service_type_id" => agenda::SERVICE,
        "professional_id" => agenda::PROFESSIONAL,
        "status" => agenda::STATUS,
        "start_time" => agenda::TIME,
        "end_time" => "Fim",
        "duration_minutes" => agenda::MINUTES,
        "title" => "Título",
        "session_number" => "Número da sessão",
        "consent_type" => "Finalidade",
        "consent_given" => "Consentido",
        other => other,
    }
}

/// A count of bytes in the unit people read.
#[must_use]
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{} kB", count.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{},{} MB", count / 1_000_000, count / 100_000 % 10),
        _ => format!("{},{} GB", count / 1_000_000_000, count / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(records(0), "0 registros");
        assert_eq!(records(1), "1 registro");
        assert_eq!(age(34), "34 anos");
        assert_eq!(bytes(1_200), "2 kB");
        assert_eq!(bytes(12_345_678), "12,3 MB");
    }
}
