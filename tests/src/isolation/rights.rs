//! What the rules allow: who may do what to which relation. Derived from the design (a clinic's rows are read, added
//! and changed within their clinic, and never deleted), with every deviation named and given its reason. Never derived
//! from the grants in the database: those are what is attacked.

use super::catalog::Relation;

/// Roles that are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// What requests run as.
    Server,
    /// Owns the schema; only migrations are it.
    Owner,
    /// Writes reference data.
    Reference,
    /// What the pool logs in as, having reset its role.
    Login,
    /// Anybody else with a connection.
    Nobody,
    /// Above row security: only keys and constraints bind it.
    Superuser,
}

/// Roles a connection of the running server can have, and one that was never granted anything.
pub const UNPRIVILEGED: [Role; 4] = [Role::Server, Role::Reference, Role::Login, Role::Nobody];

impl Role {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "neonpro_server",
            Self::Owner => "neonpro_owner",
            Self::Reference => "neonpro_reference",
            Self::Login => "neonpro_login",
            Self::Nobody => NOBODY,
            Self::Superuser => "postgres",
        }
    }
}

/// A role made for the attack.
pub const NOBODY: &str = "isolation_nobody";

/// What a relation is to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Rows of clinics.
    Tenant,
    /// A part of one; reached through its parent alone.
    Partition,
    /// Names a clinic before any clinic is known; holds no patient data.
    Routing,
    /// The same for every clinic.
    Reference,
    /// One row about the server itself.
    Server,
    /// The migrator's own.
    Internal,
}

/// Columns that may be updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    All,
    None,
    Only(&'static [&'static str]),
}

impl Columns {
    #[must_use]
    pub fn allow(self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(columns) => columns.contains(&column),
        }
    }
}

/// What a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    pub select: bool,
    pub insert: bool,
    pub update: Columns,
    pub delete: bool,
}

const NOTHING: Rights = Rights { select: false, insert: false, update: Columns::None, delete: false };
const READ: Rights = Rights { select: true, ..NOTHING };
const WRITE: Rights = Rights { select: true, insert: true, update: Columns::All, delete: false };
const EVERYTHING: Rights = Rights { delete: true, ..WRITE };

/// A relation with rows of clinics where the server's rights are not "read, add, change".
struct Deviation {
    relation: &'static str,
    rights: Rights,
    #[expect(dead_code, reason = "a deviation without a reason is not one; it is read here")]
    reason: &'static str,
}

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        relation: "public.appointment_history",
        rights: Rights { update: Columns::Only(&["merged_at", "feed_seq"]), ..WRITE },
        reason: "a history is written once and numbered",
    },
    Deviation {
        relation: "sync.clinic_keys",
        rights: Rights { update: Columns::Only(&["master_id", "wrapped"]), delete: true, ..WRITE },
        reason: "a key is wrapped anew by another master key, and goes when nothing is wrapped under it any more",
    },
    Deviation {
        relation: "sync.data_keys",
        rights: Rights { update: Columns::Only(&["clinic_key", "wrapped", "destroyed_at"]), ..WRITE },
        reason: "a key is wrapped anew or destroyed; whose it is and that it was stay",
    },
    Deviation {
        relation: "sync.audit",
        rights: Rights { update: Columns::None, ..WRITE },
        reason: "an audit is only added to",
    },
    Deviation {
        relation: "sync.audit_checkpoints",
        rights: Rights { update: Columns::None, ..WRITE },
        reason: "what was signed stays signed",
    },
    Deviation {
        relation: "sync.consent_looks",
        rights: Rights { update: Columns::Only(&["expiries_seen_until"]), ..WRITE },
        reason: "a place in time that moves on",
    },
    Deviation {
        relation: "sync.device_users",
        rights: Rights { update: Columns::Only(&["granted_at", "ended_at"]), ..WRITE },
        reason: "a grant begins and ends; whom and what it is for stays",
    },
    Deviation {
        relation: "sync.escrow_keys",
        rights: Rights { update: Columns::Only(&["private_key", "retired_at"]), ..WRITE },
        reason: "a key pair is retired or sealed anew, never another one",
    },
    Deviation {
        relation: "sync.blobs",
        rights: Rights { update: Columns::Only(&["chunks", "stored_at", "gone_at"]), delete: true, ..WRITE },
        reason: "a file grows, is whole, is given up, and is forgotten once its objects are deleted",
    },
    Deviation {
        relation: "sync.receipts",
        rights: Rights { update: Columns::Only(&["purged_at", "received_at", "how"]), ..WRITE },
        reason: "what a device was asked stays; its answer is filled in",
    },
    Deviation {
        relation: "sync.scope_verdicts",
        rights: Rights { update: Columns::None, ..WRITE },
        reason: "a verdict is given once; a later rule rewrites nothing",
    },
    Deviation {
        relation: "sync.shares",
        rights: Rights {
            update: Columns::Only(&["state", "ended_why", "opened_at", "ended_at", "told_seq"]),
            ..WRITE
        },
        reason: "a share opens and ends; who gives what to whom stays",
    },
    Deviation {
        relation: "sync.shared_documents",
        rights: Rights {
            update: Columns::Only(&[
                "purpose",
                "epoch",
                "content",
                "author_id",
                "captured_at",
                "merged_at",
                "feed_seq",
                "withdrawn",
                "patient_id",
            ]),
            ..WRITE
        },
        reason: "a copy is renewed and withdrawn; whose it is stays",
    },
    Deviation {
        relation: "sync.erasures",
        rights: Rights { update: Columns::Only(&["done_at", "counts", "told_after", "told_until"]), ..WRITE },
        reason: "what was asked and decided stays; that it was done is filled in",
    },
    Deviation {
        relation: "sync.restrictions",
        rights: Rights { update: Columns::None, delete: true, ..WRITE },
        reason: "a restriction is made and lifted",
    },
    Deviation {
        relation: "sync.subject_requests",
        rights: Rights { update: Columns::Only(&["answered_at", "answered_by", "answer"]), ..WRITE },
        reason: "what was asked stays; the answer is filled in",
    },
    Deviation {
        relation: "sync.incidents",
        rights: Rights { update: Columns::Only(&["closed_at", "closed_by", "report"]), ..WRITE },
        reason: "what happened stays; what was reported is filled in",
    },
    Deviation {
        relation: "sync.feed",
        rights: Rights { update: Columns::None, delete: true, ..WRITE },
        reason: "the feed is pruned below its horizon; the signed edits stay",
    },
    Deviation {
        relation: "sync.escrow_keys",
        rights: Rights { update: Columns::Only(&["private_key", "retired_at"]), ..WRITE },
        reason: "a key pair is retired or sealed anew, never another one",
    },
];

/// Relations that name a clinic and stand outside row security, because they are asked before a clinic is known.
const ROUTING: &[Deviation] = &[
    Deviation {
        relation: "sync.device_clinics",
        rights: Rights { update: Columns::Only(&["revoked_at", "wipes"]), ..WRITE },
        reason: "which clinic a device belongs to, whether it was revoked and is to be wiped: an unguessable id, a clinic, a tag",
    },
    Deviation {
        relation: "sync.enrolments",
        rights: Rights { update: Columns::Only(&["used_at", "device_id"]), ..WRITE },
        reason: "which clinic a one-time code is for: a hash, a clinic and an audience",
    },
    Deviation {
        relation: "sync.service_tokens",
        rights: Rights { update: Columns::Only(&["used_at", "revoked_at"]), ..WRITE },
        reason: "which clinic a token is of, for whom and for what: a hash, ids and names of scopes",
    },
];

/// Relations without a clinic that everybody reads and only the console's role writes.
const REFERENCE: &[&str] = &[
    "public.professional_types",
    "public.council_types",
    "public.clinic_networks",
    "public.service_categories",
    "public.service_types",
    "public.compliance_categories",
    "public.compliance_requirements",
    "public.system_settings",
    "public.scope_bundles",
];

/// Functions that run with the rights of their owner, each with its reason.
pub const DOORS: &[(&str, &str)] = &[
    ("public.ensure_month_partitions", "a month is a table, and only the owner makes tables"),
    ("public.erase_records", "nothing clinical is deleted but by an erasure that has begun"),
];

/// Unique keys that do not name the clinic, each with its reason.
pub const GLOBAL_KEYS: &[(&str, &str)] = &[
    ("clinics_id_key", "a clinic's id is its own tenant"),
    ("escrow_keys_pkey", "a public key is drawn by chance: that another clinic has it says nothing"),
];

/// Classifies a relation; one that fits nothing stops the test.
#[must_use]
pub fn class(relation: &Relation) -> Class {
    let name = relation.name.as_str();
    if ROUTING.iter().any(|routing| routing.relation == name) {
        Class::Routing
    } else if relation.has_clinic() {
        if relation.is_partition() { Class::Partition } else { Class::Tenant }
    } else if REFERENCE.contains(&name) {
        Class::Reference
    } else if name == "sync.server" {
        Class::Server
    } else if name.ends_with("_sqlx_migrations") {
        Class::Internal
    } else {
        panic!("{name} has no clinic_id and is not known as reference data: say in rights.rs what it is")
    }
}

/// What a role may do to a relation, within a clinic where there is one.
#[must_use]
pub fn rights(role: Role, relation: &Relation) -> Rights {
    let named = |list: &[Deviation]| {
        list.iter().find(|deviation| deviation.relation == relation.name).map(|found| found.rights)
    };
    match (role, class(relation)) {
        (Role::Owner | Role::Superuser, _) => EVERYTHING,
        (Role::Server, Class::Tenant) if relation.is_view() => READ,
        (Role::Server, Class::Tenant) => named(DEVIATIONS).unwrap_or(WRITE),
        (Role::Server, Class::Routing) => named(ROUTING).unwrap_or(NOTHING),
        (Role::Server, Class::Reference) => READ,
        (Role::Server, Class::Server) => {
            Rights { update: Columns::Only(&["reference_seq", "keyed"]), ..READ }
        }
        (Role::Reference, Class::Reference) => WRITE,
        _ => NOTHING,
    }
}
