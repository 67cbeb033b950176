-- The records of a clinic. Column by column they equal the catalogue of the contract; a test compares them.
--
-- Keys and references follow in 0003: they are the same for every table. Nothing cascades.

-- People the clinic cares for.
create table patients (
    like record_columns including defaults,
    name text not null,
    email text,
    phone text,
    date_of_birth date,
    gender text check (gender in ('male', 'female', 'other')),
    cns text,
    cpf text,
    address text,
    emergency_contact jsonb not null default '{}',
    medical_history jsonb not null default '{}',
    allergies text[] not null default '{}',
    medications text[] not null default '{}',
    skin_type text check (skin_type in ('I', 'II', 'III', 'IV', 'V', 'VI')),
    fitzpatrick_scale text check (fitzpatrick_scale in ('I', 'II', 'III', 'IV', 'V', 'VI')),
    notes text,
    photo_consent boolean default false,
    data_processing_consent boolean default false,
    marketing_consent boolean default false,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    duplicate_of uuid,
    like editable_columns including defaults
);

-- Files of a patient, by version.
create table patient_documents (
    like record_columns including defaults,
    patient_id uuid not null,
    document_type text not null,
    title text not null,
    file_url text not null,
    description text,
    version integer default 1,
    is_current boolean default true,
    uploaded_by uuid,
    uploaded_at timestamptz default now(),
    like editable_columns including defaults
);

-- An id per appointment, and where it lies now. A partitioned table cannot be referenced by an id alone, and a
-- lookup by id would have to ask every month.
create table appointment_keys (
    like record_columns including defaults,
    start_time timestamptz not null
);

-- The agenda, by month.
create table appointments (
    like record_columns including defaults,
    patient_id uuid not null,
    professional_id uuid,
    service_type_id uuid references service_types (id),
    status text not null default 'scheduled'
        check (status in (
            'scheduled', 'confirmed', 'rescheduled', 'cancelled', 'no_show', 'in_progress', 'completed'
        )),
    start_time timestamptz not null,
    end_time timestamptz not null,
    duration_minutes integer not null,
    price numeric(10, 2),
    notes text,
    ai_predicted_no_show_prob numeric(3, 2) default 0,
    ai_risk_score numeric(3, 2) default 0,
    ai_intervention_sent boolean default false,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults,
    constraint appointments_pkey primary key (clinic_id, id, start_time)
) partition by range (start_time);

create table appointments_default partition of appointments default;

-- Every change of every appointment.
create table appointment_history (
    like record_columns including defaults,
    appointment_id uuid not null,
    changed_by uuid,
    change_type text not null,
    old_values jsonb,
    new_values jsonb,
    change_reason text,
    changed_at timestamptz default now(),
    like merge_columns including defaults
);

-- Products the clinic keeps.
create table inventory_products (
    like record_columns including defaults,
    name text not null,
    description text,
    category text not null,
    sku text,
    barcode text,
    manufacturer text,
    anvisa_registration text,
    unit_type text not null
        check (unit_type in ('ml', 'units', 'mg', 'g', 'piece', 'vial', 'syringe', 'ampoule', 'session')),
    unit_size numeric(10, 3) not null,
    current_quantity numeric(10, 3) default 0,
    min_quantity numeric(10, 3) default 0,
    max_quantity numeric(10, 3),
    reorder_point numeric(10, 3),
    cost_per_unit numeric(10, 2),
    selling_price_per_unit numeric(10, 2),
    expiry_date date,
    batch_number text,
    storage_requirements text,
    requires_refrigeration boolean default false,
    is_controlled_substance boolean default false,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    duplicate_of uuid,
    like editable_columns including defaults
);

-- Lots of a product.
create table inventory_lots (
    like record_columns including defaults,
    product_id uuid not null,
    lot_number text not null,
    expiry_date date,
    opened_at timestamptz,
    site text,
    received_quantity numeric(10, 3),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- The ledger of stock movements, by month.
create table inventory_transactions (
    like record_columns including defaults,
    product_id uuid not null,
    transaction_type text not null
        check (transaction_type in ('purchase', 'usage', 'adjustment', 'waste', 'transfer', 'return')),
    quantity numeric(10, 3) not null,
    unit_cost numeric(10, 2),
    transaction_date timestamptz not null default now(),
    performed_by uuid,
    notes text,
    appointment_id uuid,
    batch_number text,
    expiry_date date,
    lot_id uuid,
    like merge_columns including defaults,
    constraint inventory_transactions_pkey primary key (clinic_id, id, transaction_date)
) partition by range (transaction_date);

create table inventory_transactions_default partition of inventory_transactions default;

-- Stock that needs attention.
create table inventory_alerts (
    like record_columns including defaults,
    product_id uuid not null,
    alert_type text not null check (alert_type in ('low_stock', 'expiring_soon', 'expired', 'reorder_needed')),
    severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
    message text not null,
    is_resolved boolean default false,
    resolved_at timestamptz,
    resolved_by uuid,
    created_at timestamptz default now(),
    like editable_columns including defaults
);

-- Plans of care.
create table treatment_plans (
    like record_columns including defaults,
    patient_id uuid not null,
    professional_id uuid,
    title text not null,
    description text,
    treatment_goals text[] not null default '{}',
    status text not null default 'draft'
        check (status in ('draft', 'active', 'on_hold', 'cancelled', 'completed')),
    start_date date,
    estimated_completion_date date,
    actual_completion_date date,
    total_cost numeric(10, 2),
    patient_satisfaction numeric(2, 1),
    ai_recommended_procedures jsonb not null default '{}',
    ai_risk_assessment jsonb not null default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- Sessions of a plan of care.
create table treatment_sessions (
    like record_columns including defaults,
    treatment_plan_id uuid not null,
    appointment_id uuid,
    session_number integer not null,
    procedure_id uuid references service_types (id),
    products_used jsonb not null default '{}',
    notes text,
    outcome text,
    patient_feedback text,
    professional_notes text,
    photos_before text[] not null default '{}',
    photos_after text[] not null default '{}',
    side_effects text[] not null default '{}',
    satisfaction_rating numeric(2, 1),
    ai_treatment_assessment jsonb not null default '{}',
    session_date timestamptz default now(),
    created_at timestamptz default now(),
    locked_at timestamptz,
    locked_by uuid,
    addenda jsonb not null default '{}',
    like editable_columns including defaults
);

-- Assessments within a plan of care.
create table treatment_assessments (
    like record_columns including defaults,
    treatment_plan_id uuid not null,
    assessment_type text not null,
    assessment_data jsonb not null,
    ai_recommendations jsonb not null default '{}',
    confidence_score numeric(3, 2),
    performed_by uuid,
    performed_at timestamptz default now(),
    like merge_columns including defaults
);

-- Templates of the clinic's documents.
create table documentation_templates (
    like record_columns including defaults,
    name text not null,
    template_type text not null
        check (template_type in ('consent_form', 'treatment_record', 'follow_up', 'discharge_summary')),
    template_content jsonb not null,
    required_fields text[] not null default '{}',
    is_active boolean default true,
    version integer default 1,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- Teams of professionals.
create table professional_teams (
    like record_columns including defaults,
    name text not null,
    description text,
    team_type text not null
        check (team_type in ('multidisciplinary', 'specialized', 'consultation', 'emergency')),
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- Members of teams.
create table team_members (
    like record_columns including defaults,
    team_id uuid not null,
    professional_id uuid not null,
    role text not null check (role in ('leader', 'coordinator', 'member', 'consultant', 'supervisor')),
    permissions jsonb not null default '{}',
    scope_limitations text[] not null default '{}',
    joined_at timestamptz default now(),
    left_at timestamptz,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- Referrals between professionals.
create table professional_referrals (
    like record_columns including defaults,
    patient_id uuid not null,
    referring_professional_id uuid not null,
    referred_professional_id uuid,
    referral_type text not null
        check (referral_type in ('consultation', 'treatment', 'assessment', 'supervision', 'second_opinion')),
    reason text not null,
    clinical_notes text,
    urgency_level text not null check (urgency_level in ('low', 'medium', 'high', 'emergency')),
    status text not null default 'pending'
        check (status in ('pending', 'accepted', 'declined', 'cancelled', 'completed')),
    response_notes text,
    response_deadline timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    receiving_clinic_id uuid,
    answer_due_at timestamptz,
    is_overdue boolean default false,
    like editable_columns including defaults
);

-- Sessions several professionals hold together.
create table collaborative_sessions (
    like record_columns including defaults,
    patient_id uuid,
    team_id uuid,
    session_type text not null
        check (session_type in ('planning', 'treatment', 'assessment', 'follow_up', 'emergency')),
    title text not null,
    description text,
    scheduled_start timestamptz not null,
    scheduled_end timestamptz not null,
    actual_start timestamptz,
    actual_end timestamptz,
    status text not null default 'scheduled'
        check (status in ('scheduled', 'cancelled', 'no_show', 'in_progress', 'completed')),
    location text,
    virtual_meeting_url text,
    facilitator_id uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- Conversations between professionals.
create table coordination_threads (
    like record_columns including defaults,
    patient_id uuid,
    team_id uuid,
    session_id uuid,
    referral_id uuid,
    subject text not null,
    context_type text not null
        check (context_type in (
            'patient_care', 'treatment_planning', 'consultation', 'urgent', 'administrative'
        )),
    priority text default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
    status text default 'active' check (status in ('active', 'resolved', 'archived')),
    created_by uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- Messages of a conversation.
create table coordination_messages (
    like record_columns including defaults,
    thread_id uuid not null,
    professional_id uuid not null,
    message_type text not null
        check (message_type in (
            'text', 'clinical_note', 'image', 'document', 'referral_request', 'treatment_update'
        )),
    content text,
    attachment_url text,
    is_sensitive boolean default false,
    requires_acknowledgment boolean default false,
    acknowledged_by uuid[] not null default '{}',
    acknowledged_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- Who supervises whom.
create table professional_supervision (
    like record_columns including defaults,
    supervisor_id uuid not null,
    supervisee_id uuid not null,
    supervision_type text not null
        check (supervision_type in ('clinical', 'administrative', 'mentorship', 'training')),
    scope text not null,
    requirements text[] not null default '{}',
    frequency text not null check (frequency in ('daily', 'weekly', 'monthly', 'quarterly', 'as_needed')),
    max_autonomy_level integer default 1 check (max_autonomy_level between 1 and 5),
    start_date timestamptz not null,
    end_date timestamptz,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like merge_columns including defaults
);

-- What each professional may do, and on which terms.
create table professional_scope_validation (
    like record_columns including defaults,
    professional_id uuid not null,
    procedure_id uuid references service_types (id),
    medication_id uuid,
    is_authorized boolean not null,
    authorization_level text check (authorization_level in ('independent', 'supervised', 'prohibited')),
    conditions text[] not null default '{}',
    supervision_requirements text,
    valid_from timestamptz not null,
    valid_until timestamptz,
    authorized_by uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like merge_columns including defaults
);

-- Agreed ways of working together.
create table coordination_protocols (
    like record_columns including defaults,
    name text not null,
    description text,
    protocol_type text not null
        check (protocol_type in (
            'emergency', 'consultation', 'referral', 'treatment_coordination', 'supervision'
        )),
    trigger_conditions text[] not null default '{}',
    required_professions text[] not null default '{}',
    workflow_steps jsonb not null default '{}',
    timeline_requirements jsonb not null default '{}',
    documentation_requirements text[] not null default '{}',
    is_active boolean default true,
    version integer default 1,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- How the clinic meets its duties.
create table compliance_assessments (
    like record_columns including defaults,
    requirement_id uuid not null references compliance_requirements (id),
    assessment_type text not null
        check (assessment_type in ('self_assessment', 'audit', 'inspection', 'review')),
    status text not null default 'pending'
        check (status in ('pending', 'in_progress', 'completed', 'requires_action', 'failed')),
    score numeric(5, 2),
    findings text[] not null default '{}',
    recommendations text[] not null default '{}',
    due_date date,
    assessed_by uuid,
    assessed_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

-- The ledger of consents.
create table data_consent_records (
    like record_columns including defaults,
    patient_id uuid not null,
    consent_type text not null
        check (consent_type in ('treatment', 'data_sharing', 'marketing', 'research', 'photography')),
    consent_given boolean default false,
    consent_date timestamptz,
    expiry_date timestamptz,
    version integer default 1,
    consent_document_url text,
    withdrawn_at timestamptz,
    withdrawn_reason text,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    seen_withdrawals uuid[] not null default '{}',
    like merge_columns including defaults
);

-- Compliance reports.
create table compliance_reports (
    like record_columns including defaults,
    report_type text not null
        check (report_type in ('lgpd', 'anvisa', 'professional_council', 'internal_audit', 'risk_assessment')),
    report_period_start date not null,
    report_period_end date not null,
    status text not null default 'generating'
        check (status in ('generating', 'completed', 'failed', 'approved')),
    report_data jsonb,
    generated_at timestamptz,
    generated_by uuid,
    approved_at timestamptz,
    approved_by uuid,
    file_url text,
    created_at timestamptz default now(),
    like merge_columns including defaults
);

-- The ledger of payments.
create table payments (
    like record_columns including defaults,
    appointment_id uuid,
    patient_id uuid not null,
    amount numeric(10, 2) not null,
    payment_method text not null
        check (payment_method in (
            'cash', 'credit_card', 'debit_card', 'bank_transfer', 'installment', 'pix', 'package_credit',
            'voucher', 'courtesy'
        )),
    status text not null default 'pending' check (status in ('pending', 'completed', 'failed', 'refunded')),
    transaction_id text,
    payment_date timestamptz,
    created_at timestamptz default now(),
    like merge_columns including defaults
);

drop table editable_columns, merge_columns, record_columns;
