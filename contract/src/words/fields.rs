//! Names of records and of their fields.

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
        "clinics" => "Clínica",
        "professionals" => "Profissionais",
        "clinic_professionals" => "Pessoas da clínica",
        "inventory_products" => "Produtos",
        "inventory_lots" => "Lotes",
        "inventory_transactions" => "Movimentos de estoque",
        "inventory_alerts" => "Alertas de estoque",
        "documentation_templates" => "Modelos de documentos",
        "professional_teams" => "Equipes",
        "team_members" => "Membros de equipes",
        "professional_supervision" => "Supervisões",
        "professional_scope_validation" => "Autorizações profissionais",
        "coordination_protocols" => "Protocolos",
        "compliance_assessments" => "Avaliações de conformidade",
        "compliance_reports" => "Relatórios de conformidade",
        "scope_decisions" => "Decisões sobre o escopo",
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
        ("clinics", "name") => "Nome",
        ("clinics", "is_active") => "Em funcionamento",
        ("professionals", "name") => "Nome",
        ("professionals" | "clinic_professionals", "is_active") => "Trabalha aqui",
        ("inventory_products", "is_active") => "Em uso",
        ("inventory_lots" | "inventory_products" | "inventory_transactions", "expiry_date") => "Validade",
        ("team_members", "role") => "Papel na equipe",
        ("coordination_protocols" | "documentation_templates", "version") => "Versão",
        ("payments", "status") => "Situação do pagamento",
        ("coordination_messages", "professional_id") => "Escrita por",
        _ => return None,
    })
}

/// Names that mean the same everywhere: people, moments, words.
fn shared(field: &str) -> Option<&'static str> {
    person(field)
        .or_else(|| moment(field))
        .or_else(|| care(field))
        .or_else(|| administration(field))
        .or_else(|| stock(field))
        .or_else(|| together(field))
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

fn stock(field: &str) -> Option<&'static str> {
    Some(match field {
        "product_id" => "Produto",
        "lot_id" => "Lote",
        "category" => "Categoria",
        "sku" => "Código interno (SKU)",
        "barcode" => "Código de barras",
        "manufacturer" => "Fabricante",
        "anvisa_registration" => "Registro ANVISA",
        "unit_type" => "Unidade",
        "unit_size" => "Tamanho da unidade",
        "current_quantity" => "Em estoque",
        "min_quantity" => "Mínimo",
        "max_quantity" => "Máximo",
        "reorder_point" => "Ponto de reposição",
        "cost_per_unit" | "unit_cost" => "Custo por unidade (R$)",
        "selling_price_per_unit" => "Preço por unidade (R$)",
        "batch_number" | "lot_number" => "Número do lote",
        "storage_requirements" => "Como guardar",
        "requires_refrigeration" => "Guardar refrigerado",
        "is_controlled_substance" => "Substância controlada",
        "product_class" => "Classe do produto",
        "opened_at" => "Aberto em",
        "site" => "Onde fica",
        "received_quantity" => "Quantidade recebida",
        "transaction_type" => "Movimento",
        "quantity" => "Quantidade",
        "transaction_date" => "Data do movimento",
        "alert_type" => "Alerta",
        "severity" => "Gravidade",
        "message" => "Mensagem",
        "is_resolved" => "Resolvido",
        "resolved_at" => "Resolvido em",
        "resolved_by" => "Resolvido por",
        _ => return None,
    })
}

fn together(field: &str) -> Option<&'static str> {
    institution(field).or_else(|| oversight(field))
}

fn institution(field: &str) -> Option<&'static str> {
    Some(match field {
        "name" => "Nome",
        "tax_id" => "CNPJ",
        "logo_url" => "Logotipo",
        "settings" => "Configurações",
        "is_active" => "Em uso",
        "network_id" => "Rede",
        "timezone" => "Fuso horário",
        "professional_type" => "Profissão",
        "council_type" => "Conselho",
        "council_number" => "Número no conselho",
        "council_state" => "UF do conselho",
        "specialization" => "Especialidades",
        "bio" => "Apresentação",
        "profile_image_url" => "Retrato",
        "role" => "Função",
        "permissions" => "Permissões",
        "template_type" => "Tipo de modelo",
        "template_content" => "Conteúdo",
        "required_fields" => "Campos obrigatórios",
        "team_type" => "Tipo de equipe",
        "scope_limitations" => "Limites",
        "joined_at" => "Entrou em",
        "left_at" => "Saiu em",
        "protocol_type" => "Tipo de protocolo",
        "trigger_conditions" => "Quando se aplica",
        "required_professions" => "Profissões necessárias",
        "workflow_steps" => "Passos",
        "timeline_requirements" => "Prazos",
        "documentation_requirements" => "Documentos necessários",
        _ => return None,
    })
}

fn oversight(field: &str) -> Option<&'static str> {
    Some(match field {
        "supervisor_id" => "Supervisão por",
        "supervisee_id" => "Supervisionado",
        "supervision_type" => "Tipo de supervisão",
        "scope" => "O que abrange",
        "requirements" => "Exigências",
        "frequency" => "Frequência",
        "max_autonomy_level" => "Autonomia (1 a 5)",
        "end_date" => "Fim",
        "medication_id" => "Medicamento",
        "is_authorized" => "Autorizado",
        "authorization_level" => "Nível de autorização",
        "conditions" => "Condições",
        "supervision_requirements" => "Exigências de supervisão",
        "valid_from" => "Vale desde",
        "valid_until" => "Vale até",
        "authorized_by" => "Autorizado por",
        "requirement_id" => "Exigência",
        "score" => "Nota",
        "findings" => "Achados",
        "recommendations" => "Recomendações",
        "due_date" => "Prazo",
        "assessed_by" => "Avaliado por",
        "assessed_at" => "Avaliado em",
        "report_type" => "Tipo de relatório",
        "report_period_start" => "Início do período",
        "report_period_end" => "Fim do período",
        "report_data" => "Dados",
        "generated_at" => "Gerado em",
        "generated_by" => "Gerado por",
        "approved_at" => "Aprovado em",
        "approved_by" => "Aprovado por",
        "rule_id" => "Regra",
        "choice" => "Decisão",
        "decided_by" => "Decidido por",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Scope, TABLES};

    #[test]
    fn everything_of_a_clinic_has_a_name() {
        let mut missing = Vec::new();
        for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
            if table_label(table.name).is_none() {
                missing.push(table.name.to_owned());
            }
            for field in table.columns() {
                if field_label(table.name, field.name).is_none() {
                    missing.push(format!("{}.{}", table.name, field.name));
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }
}
