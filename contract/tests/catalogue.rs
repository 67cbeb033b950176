//! What holds for the whole catalogue, whatever a group file says.

use neonpro_contract::catalogue::{
    Default, FacetId, Field, Format, Kind, Lifecycle, PatientLink, PurposeRule, Rule, SERVER_COLUMNS, Scope,
    TABLES, TOMBSTONE, Table, table,
};
use neonpro_contract::value::Column;
use std::collections::HashSet;

/// The tables and columns the product was asked for, without `id` and `clinic_id`.
const ASKED_FOR: &[(&str, &str)] = &[
    ("clinics", "name tax_id address phone email logo_url settings is_active created_at updated_at"),
    (
        "professionals",
        "name email phone professional_type council_type council_number council_state specialization \
         bio profile_image_url is_active created_at updated_at",
    ),
    ("clinic_professionals", "professional_id role permissions is_active created_at updated_at"),
    (
        "patients",
        "name email phone date_of_birth gender cns cpf address emergency_contact medical_history \
         allergies medications skin_type fitzpatrick_scale photo_consent data_processing_consent \
         marketing_consent is_active created_at updated_at",
    ),
    (
        "patient_documents",
        "patient_id document_type title file_url description version is_current uploaded_by \
         uploaded_at",
    ),
    ("service_categories", "name description display_order is_active created_at updated_at"),
    (
        "service_types",
        "category_id name description tuss_code duration_minutes base_price requires_doctor \
         requires_nurse requires_preparation recovery_time_days contraindications side_effects \
         is_active created_at updated_at",
    ),
    (
        "appointments",
        "patient_id professional_id service_type_id status start_time end_time duration_minutes price \
         notes ai_predicted_no_show_prob ai_risk_score ai_intervention_sent created_at updated_at",
    ),
    (
        "appointment_history",
        "appointment_id changed_by change_type old_values new_values change_reason changed_at",
    ),
    (
        "inventory_products",
        "name description category sku barcode manufacturer anvisa_registration unit_type unit_size \
         current_quantity min_quantity max_quantity reorder_point cost_per_unit \
         selling_price_per_unit expiry_date batch_number storage_requirements requires_refrigeration \
         is_controlled_substance is_active created_at updated_at",
    ),
    (
        "inventory_transactions",
        "product_id transaction_type quantity unit_cost transaction_date performed_by notes \
         appointment_id batch_number expiry_date",
    ),
    (
        "inventory_alerts",
        "product_id alert_type severity message is_resolved resolved_at resolved_by created_at",
    ),
    (
        "treatment_plans",
        "patient_id professional_id title description treatment_goals status start_date \
         estimated_completion_date actual_completion_date total_cost patient_satisfaction \
         ai_recommended_procedures ai_risk_assessment created_at updated_at",
    ),
    (
        "treatment_sessions",
        "treatment_plan_id appointment_id session_number procedure_id products_used notes outcome \
         patient_feedback professional_notes photos_before photos_after side_effects \
         satisfaction_rating ai_treatment_assessment session_date created_at",
    ),
    (
        "treatment_assessments",
        "treatment_plan_id assessment_type assessment_data ai_recommendations confidence_score \
         performed_by performed_at",
    ),
    (
        "documentation_templates",
        "name template_type template_content required_fields is_active version created_at updated_at",
    ),
    ("professional_teams", "name description team_type is_active created_at updated_at"),
    (
        "team_members",
        "team_id professional_id role permissions scope_limitations joined_at left_at is_active \
         created_at updated_at",
    ),
    (
        "professional_referrals",
        "patient_id referring_professional_id referred_professional_id referral_type reason \
         clinical_notes urgency_level status response_notes response_deadline created_at updated_at",
    ),
    (
        "collaborative_sessions",
        "patient_id team_id session_type title description scheduled_start scheduled_end actual_start \
         actual_end status location virtual_meeting_url facilitator_id created_at updated_at",
    ),
    (
        "coordination_threads",
        "patient_id team_id session_id referral_id subject context_type priority status created_by \
         created_at updated_at",
    ),
    (
        "coordination_messages",
        "thread_id professional_id message_type content attachment_url is_sensitive \
         requires_acknowledgment acknowledged_by acknowledged_at created_at updated_at",
    ),
    (
        "professional_supervision",
        "supervisor_id supervisee_id supervision_type scope requirements frequency max_autonomy_level \
         start_date end_date is_active created_at updated_at",
    ),
    (
        "professional_scope_validation",
        "professional_id procedure_id medication_id is_authorized authorization_level conditions \
         supervision_requirements valid_from valid_until authorized_by created_at updated_at",
    ),
    (
        "coordination_protocols",
        "name description protocol_type trigger_conditions required_professions workflow_steps \
         timeline_requirements documentation_requirements is_active version created_at updated_at",
    ),
    ("compliance_categories", "name description regulatory_body is_active created_at updated_at"),
    (
        "compliance_requirements",
        "category_id name description requirement_type frequency is_mandatory created_at updated_at",
    ),
    (
        "compliance_assessments",
        "requirement_id assessment_type status score findings recommendations due_date assessed_by \
         assessed_at created_at updated_at",
    ),
    (
        "data_consent_records",
        "patient_id consent_type consent_given consent_date expiry_date version consent_document_url \
         withdrawn_at withdrawn_reason created_at updated_at",
    ),
    (
        "compliance_reports",
        "report_type report_period_start report_period_end status report_data generated_at \
         generated_by approved_at approved_by file_url created_at",
    ),
    (
        "payments",
        "appointment_id patient_id amount payment_method status transaction_id payment_date \
         created_at",
    ),
    ("system_settings", "setting_key setting_value description is_active created_at updated_at"),
];

fn every_field() -> impl Iterator<Item = (&'static Table, &'static Field)> {
    TABLES.iter().flat_map(|table| table.columns().map(move |field| (*table, field)))
}

#[test]
fn a_table_has_the_number_of_its_place() {
    for (place, table) in (1..).zip(TABLES) {
        assert_eq!(table.id.0, place, "{}", table.name);
    }
}

#[test]
fn every_table_and_column_that_was_asked_for_is_there() {
    assert_eq!(ASKED_FOR.len(), 32);
    for (name, columns) in ASKED_FOR {
        let table = table(name).unwrap_or_else(|| panic!("{name} is missing"));
        for column in columns.split(' ') {
            assert!(table.field(column).is_some(), "{name}.{column} is missing");
        }
    }
    let extra: Vec<_> = TABLES.iter().map(|table| table.name).filter(|name| !asked_for(name)).collect();
    assert_eq!(extra, ["inventory_lots", "scope_bundles", "scope_decisions"]);
}

fn asked_for(name: &str) -> bool {
    ASKED_FOR.iter().any(|(asked, _)| *asked == name)
}

#[test]
fn names_are_unique_and_leave_room_for_the_standard_columns() {
    let tables: HashSet<_> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(tables.len(), TABLES.len());
    for table in TABLES {
        let mut names: HashSet<&str> = ["id", "clinic_id"].into();
        names.extend(SERVER_COLUMNS.iter().map(|(name, _)| *name));
        let standard = names.len();
        names.extend(table.columns().map(|field| field.name));
        assert_eq!(names.len(), standard + table.width(), "{} repeats a column", table.name);
        let facets: HashSet<_> = table.facets.iter().map(|facet| facet.name).collect();
        assert_eq!(facets.len(), table.facets.len(), "{} repeats a facet", table.name);
    }
}

#[test]
fn a_reference_names_a_table_that_comes_no_later() {
    for (table, field) in every_field() {
        let Some(target) = field.references else { continue };
        let target = self::table(target).unwrap_or_else(|| panic!("{}.{}", table.name, field.name));
        assert!(target.id <= table.id, "{}.{} points forward", table.name, field.name);
        assert_eq!(field.column, Column::Uuid, "{}.{}", table.name, field.name);
    }
}

#[test]
fn only_server_tables_have_no_facet_and_every_facet_has_a_field() {
    for table in TABLES {
        let server = table.lifecycle == Lifecycle::Server;
        assert_eq!(table.facets.is_empty(), server, "{}", table.name);
        assert!(
            server || table.scope == Scope::Clinic,
            "{} is reference data a device could write",
            table.name
        );
        for facet in table.facet_ids() {
            let own = table
                .facet_fields(facet)
                .filter(|(_, field)| !TOMBSTONE.iter().any(|t| t.name == field.name));
            assert!(own.count() > 0, "{} has an empty facet", table.name);
        }
    }
}

#[test]
fn a_field_lies_in_a_facet_of_its_table_unless_the_server_owns_it() {
    for (table, field) in every_field() {
        let derived = field.kind == Kind::Derived;
        assert_eq!(derived, field.rule == Rule::Server, "{}.{}", table.name, field.name);
        assert!(derived || table.facet(field.facet).is_some(), "{}.{}", table.name, field.name);
        assert!(derived || table.lifecycle != Lifecycle::Server, "{}.{}", table.name, field.name);
        assert!(!(derived && field.fixed), "{}.{}: the server needs no leave", table.name, field.name);
    }
}

#[test]
fn a_purpose_is_decided_by_a_fixed_choice_of_the_same_facet() {
    for table in TABLES {
        for (index, facet) in table.facet_ids().zip(table.facets) {
            let PurposeRule::ByValue { field, .. } = facet.purpose else { continue };
            let (_, field) = table.field(field).unwrap_or_else(|| panic!("{}.{field}", table.name));
            assert!(field.fixed && field.required && field.facet == index, "{}.{}", table.name, field.name);
        }
    }
}

#[test]
fn the_patient_is_found_through_fixed_fields_of_the_first_facet() {
    for table in TABLES {
        let (name, target) = match table.patient {
            PatientLink::None | PatientLink::Own => continue,
            PatientLink::Field(name) => (name, Some("patients")),
            PatientLink::Parent(name) => (name, None),
        };
        let (_, field) = table.field(name).unwrap_or_else(|| panic!("{}.{name}", table.name));
        assert!(field.fixed || table.lifecycle == Lifecycle::Server, "{}.{name}", table.name);
        assert_eq!(field.facet, FacetId(0), "{}.{name}", table.name);
        let parent =
            field.references.and_then(self::table).unwrap_or_else(|| panic!("{}.{name}", table.name));
        assert!(target.is_none_or(|target| target == parent.name), "{}.{name}", table.name);
        assert_ne!(parent.patient, PatientLink::None, "{}.{name}", table.name);
    }
}

#[test]
fn a_default_is_a_value_of_its_field() {
    for (table, field) in every_field() {
        let fits = match field.default {
            Default::Null => true,
            Default::Text(text) => {
                field.column == Column::Text
                    && match field.format {
                        Format::OneOf(values) => values.contains(&text),
                        _ => true,
                    }
            }
            Default::Bool(_) => field.column == Column::Bool,
            Default::Int(_) => matches!(field.column, Column::Int | Column::BigInt | Column::Numeric(..)),
            Default::CapturedAt => field.column == Column::Instant && field.kind != Kind::Derived,
            Default::Empty => matches!(field.column, Column::TextArray | Column::UuidArray | Column::Json),
        };
        assert!(fits, "{}.{}", table.name, field.name);
    }
}

#[test]
fn a_kind_has_a_column_that_can_hold_it() {
    for (table, field) in every_field() {
        let holds = match field.kind {
            Kind::Text => field.column == Column::Text,
            Kind::Set => matches!(field.column, Column::TextArray | Column::UuidArray),
            Kind::Json => field.column == Column::Json,
            Kind::Register => !matches!(field.column, Column::TextArray | Column::UuidArray | Column::Json),
            Kind::Derived => true,
        };
        assert!(holds, "{}.{}", table.name, field.name);
        if let Rule::StateMachine(order) = field.rule {
            assert_eq!(field.format, Format::OneOf(order), "{}.{}", table.name, field.name);
        }
    }
}

/// Free words about a patient never lie open in the server's database: what is not one of a list of values is sealed.
#[test]
fn every_text_of_a_patients_record_is_sealed_unless_it_decides_what_becomes_of_the_record() {
    for (table, field) in every_field().filter(|(table, _)| table.patient != PatientLink::None) {
        let holds_words = match field.column {
            Column::Text => !matches!(field.format, Format::OneOf(_)),
            Column::TextArray | Column::Json => true,
            _ => false,
        };
        // The server makes rows of derived fields and of its own tables by itself, from what is not sealed.
        let open = field.kind == Kind::Derived
            || table.lifecycle == Lifecycle::Server
            || OPEN_TEXTS.contains(&(table.name, field.name));
        assert!(!holds_words || open || table.seals(field), "{}.{}", table.name, field.name);
    }
}

/// Texts that decide a document's purpose or rule, and hold no words about a patient.
const OPEN_TEXTS: [(&str, &str); 1] = [("patient_documents", "document_type")];

/// Keys are kept per patient and purpose, so a sealed field needs a patient to be sealed for.
#[test]
fn only_records_of_a_patient_are_sealed() {
    for (table, field) in every_field() {
        assert!(!field.sealed || table.patient != PatientLink::None, "{}.{}", table.name, field.name);
    }
}

#[test]
fn everything_is_explained() {
    for table in TABLES {
        assert!(table.about.ends_with('.'), "{}", table.name);
    }
    for (table, field) in every_field() {
        assert!(field.about.ends_with('.'), "{}.{}", table.name, field.name);
    }
}

#[test]
fn a_record_a_device_creates_needs_nothing_only_the_server_knows() {
    for (table, field) in every_field() {
        let made_by_device = table.lifecycle != Lifecycle::Server && table.name != "inventory_alerts";
        let from_server = field.kind == Kind::Derived && field.required;
        let known = field.default != Default::Null;
        assert!(!made_by_device || !from_server || known, "{}.{}", table.name, field.name);
    }
}
