//! Names of the values a field is chosen from.

/// A value of a field; `None` for one the catalogue does not know.
#[must_use]
pub fn choice_label(table: &str, field: &str, value: &str) -> Option<&'static str> {
    own(table, field, value).or_else(|| status(value)).or_else(|| degree(value)).or_else(|| match field {
        "unit_type" => unit(value),
        "transaction_type" | "alert_type" | "product_class" | "procedure_class" => stock(value),
        "payment_method" => payment(value),
        _ => kind(value),
    })
}

/// Values a table uses in a sense of its own.
fn own(table: &str, field: &str, value: &str) -> Option<&'static str> {
    Some(match (table, field, value) {
        ("appointments", _, "in_progress") => "Em atendimento",
        ("appointments", _, "completed") => "Concluído",
        ("treatment_plans", _, "active") => "Em andamento",
        ("payments", _, "pending") => "Aguardando confirmação",
        ("payments", _, "completed") => "Pago",
        ("coordination_threads", "status", "active") => "Aberta",
        ("coordination_threads", "status", "resolved") => "Resolvida",
        ("coordination_threads", "status", "archived") => "Arquivada",
        ("coordination_threads", "context_type", "urgent") => "Urgência",
        ("data_consent_records", "consent_type", "treatment") => "Tratamento",
        ("data_consent_records", "consent_type", "data_sharing") => "Envio a outra clínica",
        ("data_consent_records", "consent_type", "photography") => "Fotografias",
        ("coordination_messages", _, "image") => "Imagem",
        ("professional_referrals", "status", "accepted") => "Aceito",
        ("professional_referrals", "status", "declined") => "Recusado",
        ("payments", _, "failed") => "Não realizado",
        ("service_types", "procedure_class", "assessment") => "Avaliação",
        ("inventory_products", "product_class", "thread") => "Fio",
        ("inventory_transactions", _, "return") => "Devolução",
        _ => return None,
    })
}

fn status(value: &str) -> Option<&'static str> {
    Some(match value {
        "scheduled" => "Agendado",
        "confirmed" => "Presença confirmada",
        "rescheduled" => "Remarcado",
        "cancelled" => "Cancelado",
        "no_show" => "Não compareceu",
        "in_progress" => "Em andamento",
        "completed" => "Concluído",
        "draft" => "Rascunho",
        "active" => "Em uso",
        "on_hold" => "Pausado",
        "pending" => "Pendente",
        "requires_action" => "Requer ação",
        "failed" => "Não conforme",
        "refunded" => "Devolvido",
        "generating" => "Em preparação",
        "approved" => "Aprovado",
        "accepted" => "Aceito",
        "declined" => "Recusado",
        "resolved" => "Resolvido",
        "archived" => "Arquivado",
        _ => return None,
    })
}

fn degree(value: &str) -> Option<&'static str> {
    Some(match value {
        "low" => "Baixa",
        "normal" => "Normal",
        "medium" => "Média",
        "high" => "Alta",
        "critical" => "Crítica",
        "urgent" => "Urgente",
        "emergency" => "Emergência",
        "daily" => "Todo dia",
        "weekly" => "Toda semana",
        "monthly" => "Todo mês",
        "quarterly" => "Todo trimestre",
        "annually" => "Todo ano",
        "as_needed" => "Quando preciso",
        "independent" => "Autônomo",
        "supervised" => "Com supervisão",
        "prohibited" => "Não permitido",
        _ => return None,
    })
}

fn unit(value: &str) -> Option<&'static str> {
    Some(match value {
        "ml" => "ml",
        "units" => "unidades (U)",
        "mg" => "mg",
        "g" => "g",
        "piece" => "peça",
        "vial" => "frasco",
        "syringe" => "seringa",
        "ampoule" => "ampola",
        "session" => "sessão",
        _ => return None,
    })
}

fn stock(value: &str) -> Option<&'static str> {
    Some(match value {
        "purchase" => "Compra",
        "usage" => "Uso",
        "adjustment" => "Ajuste de contagem",
        "waste" => "Descarte",
        "transfer" => "Transferência",
        "return" => "Devolução",
        "low_stock" => "Estoque baixo",
        "expiring_soon" => "Perto de vencer",
        "expired" => "Vencido",
        "supply" => "Material",
        "cosmetic" => "Cosmético",
        "peel_acid" => "Ácido para peeling",
        "topical_anaesthetic" => "Anestésico tópico",
        "botulinum_toxin" => "Toxina botulínica",
        "filler" => "Preenchedor",
        "biostimulator" => "Bioestimulador",
        "injectable_solution" => "Solução injetável",
        "medicine" => "Medicamento",
        "medical_consultation" => "Consulta médica",
        "superficial_care" => "Cuidado superficial",
        "superficial_peel" => "Peeling superficial",
        "medium_peel" => "Peeling médio",
        "microneedling" => "Microagulhamento",
        "energy_device" => "Laser e outras energias",
        "injectable" => "Injetável",
        "thread_lift" => "Fios de sustentação",
        "surgery" => "Cirurgia",
        "reorder_needed" => "Repor",
        _ => return None,
    })
}

fn payment(value: &str) -> Option<&'static str> {
    Some(match value {
        "cash" => "Dinheiro",
        "credit_card" => "Cartão de crédito",
        "debit_card" => "Cartão de débito",
        "bank_transfer" => "Transferência",
        "installment" => "Parcelado",
        "pix" => "Pix",
        "package_credit" => "Crédito de pacote",
        "voucher" => "Vale",
        "courtesy" => "Cortesia",
        _ => return None,
    })
}

fn kind(value: &str) -> Option<&'static str> {
    Some(match value {
        "admin" => "Administração",
        "manager" => "Gerência",
        "professional" => "Profissional",
        "assistant" => "Recepção",
        "treatment" => "Tratamento",
        "assessment" => "Avaliação",
        "consultation" => "Consulta",
        "supervision" => "Supervisão",
        "second_opinion" => "Segunda opinião",
        "planning" => "Planejamento",
        "follow_up" => "Retorno",
        "patient_care" => "Cuidado do paciente",
        "treatment_planning" => "Planejamento do tratamento",
        "administrative" => "Administrativo",
        "text" => "Texto",
        "clinical_note" => "Nota clínica",
        "image" => "Imagem",
        "document" => "Documento",
        "referral_request" => "Pedido de encaminhamento",
        "treatment_update" => "Atualização do tratamento",
        "multidisciplinary" => "Multidisciplinar",
        "specialized" => "Especializada",
        "leader" => "Líder",
        "coordinator" => "Coordenação",
        "member" => "Membro",
        "consultant" => "Consultoria",
        "supervisor" => "Supervisão",
        "clinical" => "Clínica",
        "mentorship" => "Mentoria",
        "training" => "Treinamento",
        "referral" => "Encaminhamento",
        "treatment_coordination" => "Coordenação do tratamento",
        "self_assessment" => "Autoavaliação",
        "audit" => "Auditoria",
        "inspection" => "Inspeção",
        "review" => "Revisão",
        _ => return law(value),
    })
}

/// Duties, documents, purposes, bodies.
fn law(value: &str) -> Option<&'static str> {
    Some(match value {
        "policy" => "Política",
        "procedure" => "Procedimento",
        "documentation" => "Documentação",
        "technical" => "Técnico",
        "consent_form" => "Termo de consentimento",
        "treatment_record" => "Registro de atendimento",
        "discharge_summary" => "Resumo de alta",
        "data_sharing" => "Envio a outra clínica",
        "marketing" => "Divulgação",
        "research" => "Pesquisa",
        "photography" => "Fotografias",
        "face" => "Rosto",
        "scalp" => "Couro cabeludo",
        "body" => "Corpo",
        "intimate" => "Região íntima",
        "male" => "Masculino",
        "female" => "Feminino",
        "other" => "Outro",
        "I" => "I",
        "II" => "II",
        "III" => "III",
        "IV" => "IV",
        "V" => "V",
        "VI" => "VI",
        "LGPD" | "lgpd" => "LGPD",
        "ANVISA" | "anvisa" => "ANVISA",
        "CFM" => "CFM",
        "COREN" => "COREN",
        "CFF" => "CFF",
        "CNEP" => "CNEP",
        "professional_council" => "Conselho profissional",
        "internal_audit" => "Auditoria interna",
        "risk_assessment" => "Análise de riscos",
        "permit" => "Permitir",
        "supervise" => "Permitir com supervisão",
        "forbid" => "Não permitir",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Format, TABLES};

    #[test]
    fn every_value_a_field_is_chosen_from_has_a_name() {
        let mut missing = Vec::new();
        for table in TABLES {
            for field in table.columns() {
                let Format::OneOf(values) = field.format else { continue };
                for value in values {
                    if choice_label(table.name, field.name, value).is_none() {
                        missing.push(format!("{}.{} {value}", table.name, field.name));
                    }
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }
}
