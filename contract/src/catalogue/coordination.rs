//! How professionals work together: teams, referrals, joint sessions, conversations, supervision and scope.

use super::{Default, Facet, Field, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const GROUP: &str = "Multi-Professional Coordination System";
const URGENCIES: &[&str] = &["low", "medium", "high", "emergency"];

/// A refusal beats a concurrent acceptance (a case half accepted is a case nobody treats), the referrer's
/// cancellation beats both, and what was completed stays completed.
const REFERRAL_STATUSES: &[&str] = &["pending", "accepted", "declined", "cancelled", "completed"];

/// What happened beats what was planned, as in the agenda.
const SESSION_STATUSES: &[&str] = &["scheduled", "cancelled", "no_show", "in_progress", "completed"];

/// A closed conversation stays closed; a new message can always be written into it.
const THREAD_STATUSES: &[&str] = &["active", "resolved", "archived"];

/// Teams.
pub static PROFESSIONAL_TEAMS: Table = Table {
    id: TableId(21),
    name: "professional_teams",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("team", Purpose::Operation, Roles::AM)],
    fields: &[
        Field::text("name").required().about("Name."),
        Field::text("description").about("Description."),
        Field::choice("team_type", &["multidisciplinary", "specialized", "consultation", "emergency"])
            .required()
            .about("Kind of team."),
        Field::register("is_active", Column::Bool)
            .default(Default::Bool(true))
            .about("Still works together."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Teams of professionals.",
};

/// Who belongs to a team.
pub static TEAM_MEMBERS: Table = Table {
    id: TableId(22),
    name: "team_members",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("membership", Purpose::Operation, Roles::AM)],
    fields: &[
        Field::reference("team_id", "professional_teams").required().fixed().about("Team."),
        Field::reference("professional_id", "professionals").required().fixed().about("Member."),
        Field::choice("role", &["leader", "coordinator", "member", "consultant", "supervisor"])
            .required()
            .about("Role in the team."),
        Field::json("permissions").about("What the member may do in the team."),
        Field::set("scope_limitations").about("What the member may not do in the team."),
        Field::register("joined_at", Column::Instant).default(Default::CapturedAt).about("When joined."),
        Field::register("left_at", Column::Instant).about("When left."),
        Field::register("is_active", Column::Bool).default(Default::Bool(true)).about("Still a member."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Members of teams.",
};

/// Referrals. An accepted one to another clinic opens a share, which `data_sharing` must cover.
pub static PROFESSIONAL_REFERRALS: Table = Table {
    id: TableId(23),
    name: "professional_referrals",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::new("referral", Purpose::Treatment, Roles::P)],
    fields: &[
        Field::reference("patient_id", "patients").required().fixed().about("Who is referred."),
        Field::reference("referring_professional_id", "professionals")
            .required()
            .fixed()
            .about("Who refers."),
        Field::reference("referred_professional_id", "professionals").about("To whom, inside the clinic."),
        Field::choice(
            "referral_type",
            &["consultation", "treatment", "assessment", "supervision", "second_opinion"],
        )
        .required()
        .about("What is asked for."),
        Field::long_text("reason").required().sealed().about("Why."),
        Field::long_text("clinical_notes").sealed().about("What the other professional must know."),
        Field::choice("urgency_level", URGENCIES).required().about("How urgent."),
        Field::status("status", REFERRAL_STATUSES)
            .required()
            .default(Default::Text("pending"))
            .about("State."),
        Field::long_text("response_notes").sealed().about("What was answered."),
        Field::register("response_deadline", Column::Instant).about("Answer expected by."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When made."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
        Field::register("receiving_clinic_id", Column::Uuid)
            .fixed()
            .about("Clinic of the network it goes to."),
        Field::derived("answer_due_at", Column::Instant).about("The deadline, or the one its urgency sets."),
        Field::derived("is_overdue", Column::Bool)
            .default(Default::Bool(false))
            .about("Not answered in time."),
    ],
    about: "Referrals between professionals.",
};

/// Sessions held together.
pub static COLLABORATIVE_SESSIONS: Table = Table {
    id: TableId(24),
    name: "collaborative_sessions",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::new("session", Purpose::Operation, Roles::AMP)],
    fields: &[
        Field::reference("patient_id", "patients").fixed().about("About whom."),
        Field::reference("team_id", "professional_teams").about("Team."),
        Field::choice("session_type", &["planning", "treatment", "assessment", "follow_up", "emergency"])
            .required()
            .about("Kind of session."),
        Field::text("title").required().sealed().about("Title."),
        Field::long_text("description").sealed().about("Description."),
        Field::register("scheduled_start", Column::Instant).required().about("Planned start."),
        Field::register("scheduled_end", Column::Instant).required().about("Planned end."),
        Field::register("actual_start", Column::Instant).about("Start."),
        Field::register("actual_end", Column::Instant).about("End."),
        Field::status("status", SESSION_STATUSES)
            .required()
            .default(Default::Text("scheduled"))
            .about("State."),
        Field::text("location").sealed().about("Where."),
        Field::text("virtual_meeting_url").sealed().about("Address of the online meeting."),
        Field::reference("facilitator_id", "professionals").about("Who leads it."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When planned."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Sessions several professionals hold together.",
};

/// Conversations.
pub static COORDINATION_THREADS: Table = Table {
    id: TableId(25),
    name: "coordination_threads",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::new("thread", Purpose::Treatment, Roles::AMP)],
    fields: &[
        Field::reference("patient_id", "patients").fixed().about("About whom."),
        Field::reference("team_id", "professional_teams").fixed().about("Team."),
        Field::reference("session_id", "collaborative_sessions").fixed().about("Session it is about."),
        Field::reference("referral_id", "professional_referrals").fixed().about("Referral it is about."),
        Field::text("subject").required().sealed().about("Subject."),
        Field::choice(
            "context_type",
            &["patient_care", "treatment_planning", "consultation", "urgent", "administrative"],
        )
        .required()
        .about("What it is about."),
        Field::choice("priority", &["low", "normal", "high", "urgent"])
            .default(Default::Text("normal"))
            .about("Priority."),
        Field::status("status", THREAD_STATUSES).default(Default::Text("active")).about("State."),
        Field::reference("created_by", "professionals").fixed().about("Who opened it."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When opened."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Conversations between professionals.",
};

/// Messages. What was said never changes; acknowledgements gather as a set.
pub static COORDINATION_MESSAGES: Table = Table {
    id: TableId(26),
    name: "coordination_messages",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Parent("thread_id"),
    facets: &[Facet::by_value(
        "message",
        "message_type",
        &[("image", Purpose::Photography)],
        Purpose::Treatment,
        Roles::AMP,
    )],
    fields: &[
        Field::reference("thread_id", "coordination_threads").required().fixed().about("Conversation."),
        Field::reference("professional_id", "professionals").required().fixed().about("Who wrote it."),
        Field::choice(
            "message_type",
            &["text", "clinical_note", "image", "document", "referral_request", "treatment_update"],
        )
        .required()
        .fixed()
        .about("Kind; decides the purpose."),
        Field::long_text("content").fixed().sealed().about("Content."),
        Field::text("attachment_url").blob().fixed().sealed().about("Content address of the attachment."),
        Field::register("is_sensitive", Column::Bool)
            .fixed()
            .default(Default::Bool(false))
            .about("Sensitive."),
        Field::register("requires_acknowledgment", Column::Bool)
            .fixed()
            .default(Default::Bool(false))
            .about("Each reader must confirm."),
        Field::set("acknowledged_by").of(Column::UuidArray).about("Who confirmed."),
        Field::register("acknowledged_at", Column::Instant).about("When last confirmed."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When written."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Messages of a conversation.",
};

/// Who supervises whom. Authority is the server's to give.
pub static PROFESSIONAL_SUPERVISION: Table = Table {
    id: TableId(27),
    name: "professional_supervision",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::reference("supervisor_id", "professionals").server().required().about("Supervisor."),
        Field::reference("supervisee_id", "professionals").server().required().about("Supervised."),
        Field::choice("supervision_type", &["clinical", "administrative", "mentorship", "training"])
            .server()
            .required()
            .about("Kind of supervision."),
        Field::derived("scope", Column::Text).required().about("What it covers."),
        Field::derived("requirements", Column::TextArray).default(Default::Empty).about("What it asks for."),
        Field::choice("frequency", &["daily", "weekly", "monthly", "quarterly", "as_needed"])
            .server()
            .required()
            .about("How often."),
        Field::derived("max_autonomy_level", Column::Int).default(Default::Int(1)).about("Autonomy, 1 to 5."),
        Field::derived("start_date", Column::Instant).required().about("From."),
        Field::derived("end_date", Column::Instant).about("Until."),
        Field::derived("is_active", Column::Bool).default(Default::Bool(true)).about("In force."),
        Field::derived("created_at", Column::Instant).about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Who supervises whom.",
};

/// What a professional may do. Authority is the server's to give; what no rule names is not authorised, and a
/// prohibition that names nothing covers everything.
pub static PROFESSIONAL_SCOPE_VALIDATION: Table = Table {
    id: TableId(28),
    name: "professional_scope_validation",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::reference("professional_id", "professionals").server().required().about("Who."),
        Field::reference("procedure_id", "service_types").server().about("Procedure it names."),
        Field::reference("medication_id", "inventory_products").server().about("Product it names."),
        Field::derived("is_authorized", Column::Bool).required().about("Whether it is allowed."),
        Field::choice("authorization_level", &["independent", "supervised", "prohibited"])
            .server()
            .about("On which terms."),
        Field::derived("conditions", Column::TextArray).default(Default::Empty).about("Conditions."),
        Field::derived("supervision_requirements", Column::Text).about("What the supervision must be."),
        Field::derived("valid_from", Column::Instant).required().about("From."),
        Field::derived("valid_until", Column::Instant).about("Until."),
        Field::reference("authorized_by", "professionals").server().about("Who decided."),
        Field::derived("created_at", Column::Instant).about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "What each professional may do, and on which terms.",
};

/// Agreed ways of working together.
pub static COORDINATION_PROTOCOLS: Table = Table {
    id: TableId(29),
    name: "coordination_protocols",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("protocol", Purpose::Operation, Roles::AM)],
    fields: &[
        Field::text("name").required().about("Name."),
        Field::text("description").about("Description."),
        Field::choice(
            "protocol_type",
            &["emergency", "consultation", "referral", "treatment_coordination", "supervision"],
        )
        .required()
        .about("Kind of protocol."),
        Field::set("trigger_conditions").about("When it applies."),
        Field::set("required_professions").about("Professions it needs."),
        Field::json("workflow_steps").about("Steps, merged by key."),
        Field::json("timeline_requirements").about("Deadlines, merged by key."),
        Field::set("documentation_requirements").about("Documents it needs."),
        Field::register("is_active", Column::Bool).default(Default::Bool(true)).about("In use."),
        Field::register("version", Column::Int).default(Default::Int(1)).about("Version."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Agreed ways of working together.",
};
