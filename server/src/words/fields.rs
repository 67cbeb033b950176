//! Names of the records of a patient and of their fields, as the patient is told them.

/// A table, in the plural.
#[must_use]
pub fn table_label(table: &str) -> Option<&'static str> {
    Some(match table {
        "patients" => "Cadastro e saúde",
        "patient_documents" => "Documentos e fotos",
        "appointments" => "Agendamentos",
        "appointment_history" => "Histórico de agendamentos",
        "treatment_plans" => "Planos de tratamento",
        "treatment_sessions" => "Sessões",
        "treatment_assessments" => "Avaliações",
        "professional_referrals" => "Encaminhamentos",
        "collaborative_sessions" => "Sessões em conjunto",
        "coordination_threads" => "Conversas da equipe",
        "coordination_messages" => "Mensagens da equipe",
        "data_consent_records" => "Consentimentos",
        "payments" => "Pagamentos",
        _ => return None,
    })
}

/// A field of a table.
#[must_use]
pub fn field_label(table: &str, field: &str) -> Option<&'static str> {
    own(table, field).or_else(|| shared(field))
}

/// Names that a table uses in a sense of its own.
fn own(table: &str, field: &str) -> Option<&'static str> {
    Some(match (table, field) {
        ("patients", "name") => "Nome",
        ("patients", "notes") => "Observações de saúde",
        ("patients", "is_active") => "Atendido aqui",
        ("patient_documents", "version") => "Versão do arquivo",
        ("treatment_plans", "professional_id") => "Profissional responsável",
        ("treatment_sessions", "notes") => "Anotações",
        ("data_consent_records", "version") => "Versão do texto",
        ("payments", "status") => "Situação do pagamento",
        ("coordination_messages", "professional_id") => "Escrita por",
        _ => return None,
    })
}

/// Names that mean the same everywhere: people, moments, words.
fn shared(field: &str) -> Option<&'static str> {
    person(field).or_else(|| moment(field)).or_else(|| care(field)).or_else(|| administration(field))
}

fn person(field: &str) -> Option<&'static str> {
    Some(match field {
        "patient_id" => "Paciente",
        "email" => "E-mail",
        "phone" => "Telefone",
        "date_of_birth" => "Data de nascimento",
        "gender" => "Gênero",
        "cns" => "Cartão Nacional de Saúde",
        "cpf" => "CPF",
        "address" => "Endereço",
        "emergency_contact" => "Contato de emergência",
        "photo_consent" => "Consente com fotografias",
        "data_processing_consent" => "Consente com o tratamento de dados",
        "marketing_consent" => "Consente com divulgação",
        "duplicate_of" => "Cadastro repetido de",
        "professional_id" => "Profissional",
        "referring_professional_id" => "Encaminhado por",
        "referred_professional_id" => "Encaminhado para",
        "receiving_clinic_id" => "Clínica que recebe",
        "performed_by" => "Realizado por",
        "uploaded_by" => "Incluído por",
        "created_by" => "Aberta por",
        "changed_by" => "Alterado por",
        "locked_by" => "Fechado por",
        "facilitator_id" => "Conduzida por",
        "acknowledged_by" => "Confirmada por",
        "team_id" => "Equipe",
        _ => return None,
    })
}

fn moment(field: &str) -> Option<&'static str> {
    Some(match field {
        "created_at" => "Criado em",
        "updated_at" => "Alterado em",
        "uploaded_at" => "Incluído em",
        "changed_at" => "Alterado em",
        "performed_at" => "Realizado em",
        "locked_at" => "Fechado em",
        "acknowledged_at" => "Confirmada em",
        "withdrawn_at" => "Revogado em",
        "retired_at" => "Encerrado em",
        "start_time" | "actual_start" => "Início",
        "end_time" | "actual_end" => "Fim",
        "scheduled_start" => "Início previsto",
        "scheduled_end" => "Fim previsto",
        "start_date" => "Início",
        "estimated_completion_date" => "Fim previsto",
        "actual_completion_date" => "Fim",
        "session_date" => "Data da sessão",
        "payment_date" => "Data do pagamento",
        "consent_date" => "Data do consentimento",
        "expiry_date" => "Vale até",
        "response_deadline" => "Resposta até",
        "answer_due_at" => "Prazo da resposta",
        _ => return None,
    })
}

fn care(field: &str) -> Option<&'static str> {
    Some(match field {
        "medical_history" => "Histórico de saúde",
        "allergies" => "Alergias",
        "medications" => "Medicamentos em uso",
        "skin_type" => "Tipo de pele",
        "fitzpatrick_scale" => "Fototipo (Fitzpatrick)",
        "treatment_plan_id" => "Plano",
        "treatment_goals" => "Objetivos",
        "session_number" => "Número da sessão",
        "procedure_id" | "service_type_id" => "Procedimento",
        "products_used" => "Produtos usados",
        "outcome" => "Resultado",
        "patient_feedback" => "Relato do paciente",
        "professional_notes" => "Anotações do profissional",
        "photos_before" => "Fotos de antes",
        "photos_after" => "Fotos de depois",
        "side_effects" => "Efeitos observados",
        "satisfaction_rating" | "patient_satisfaction" => "Satisfação",
        "addenda" => "Adendos",
        "assessment_type" => "Tipo de avaliação",
        "assessment_data" => "Avaliação",
        "ai_recommended_procedures" => "Procedimentos sugeridos por IA",
        "ai_risk_assessment" => "Riscos apontados por IA",
        "ai_treatment_assessment" | "ai_recommendations" => "Sugestões de IA",
        "ai_predicted_no_show_prob" => "Probabilidade estimada de falta",
        "ai_risk_score" => "Risco estimado",
        "ai_intervention_sent" => "Lembrete por risco de falta enviado",
        "confidence_score" => "Confiança da sugestão",
        "clinical_notes" => "Informações clínicas",
        _ => return None,
    })
}

fn administration(field: &str) -> Option<&'static str> {
    Some(match field {
        "title" => "Título",
        "description" => "Descrição",
        "notes" => "Observações",
        "status" => "Situação",
        "reason" => "Motivo",
        "document_type" => "Tipo",
        "file_url" => "Arquivo",
        "is_current" => "Versão atual",
        "version" => "Versão",
        "duration_minutes" => "Duração (minutos)",
        "price" => "Preço (R$)",
        "total_cost" => "Custo total (R$)",
        "amount" => "Valor (R$)",
        "payment_method" => "Forma de pagamento",
        "transaction_id" => "Identificador da transação",
        "appointment_id" => "Agendamento",
        "change_type" => "Tipo de alteração",
        "old_values" => "Antes",
        "new_values" => "Depois",
        "change_reason" => "Motivo da alteração",
        "referral_type" => "Tipo de encaminhamento",
        "urgency_level" => "Urgência",
        "response_notes" => "Resposta",
        "is_overdue" => "Em atraso",
        "session_type" => "Tipo de sessão",
        "location" => "Local",
        "virtual_meeting_url" => "Endereço da reunião",
        "session_id" => "Sessão em conjunto",
        "referral_id" => "Encaminhamento",
        "thread_id" => "Conversa",
        "context_type" => "Tipo de conversa",
        "subject" => "Assunto",
        "priority" => "Prioridade",
        "message_type" => "Tipo de mensagem",
        "content" => "Texto",
        "attachment_url" => "Anexo",
        "is_sensitive" => "Sensível",
        "requires_acknowledgment" => "Pede confirmação",
        "consent_type" => "Finalidade",
        "consent_given" => "Consentiu",
        "consent_document_url" => "Texto assinado",
        "retired_by" => "Encerrado por",
        "retired_reason" => "Motivo do encerramento",
        "withdrawn_reason" => "Motivo da revogação",
        "seen_withdrawals" => "Revogações anteriores conhecidas",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neonpro_contract::catalogue::{PatientLink, TABLES};

    #[test]
    fn everything_a_statement_tells_has_a_name() {
        let mut missing = Vec::new();
        for table in TABLES.iter().filter(|table| !matches!(table.patient, PatientLink::None)) {
            assert!(table_label(table.name).is_some(), "{}", table.name);
            for field in table.columns() {
                if field_label(table.name, field.name).is_none() {
                    missing.push(format!("{}.{}", table.name, field.name));
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }
}
