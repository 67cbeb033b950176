//! Rules of law as signed data: dated, versioned, sourced, with a reviewer. Several versions are kept.
//!
//! Owns reading, checking and verifying a bundle. Never evaluates it. Invariant: what is evaluated is exactly what was
//! signed: unknown fields are refused, and the signature covers the canonical form of everything that was read.

use crate::catalogue::{BODY_AREAS, PROCEDURE_CLASSES, PRODUCT_CLASSES};
use crate::limits::{SCOPE_BUNDLE_BYTES_MAX, SCOPE_ENTRIES_MAX};
use chrono::{DateTime, Utc};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// What a signature is over, before the canonical bytes: it can be taken for nothing else.
const DOMAIN: &[u8] = b"neonpro scope bundle 1\n";

/// The publisher's public keys, one per line: `#` begins a comment.
const PUBLISHERS: &str = include_str!("../../bundles/publishers.txt");

/// The bundles of this release with their signatures, oldest first.
pub const SHIPPED: &[(&str, &str)] =
    &[(include_str!("../../bundles/scope-2026-11.json"), include_str!("../../bundles/scope-2026-11.sig"))];

/// An Ed25519 public key.
pub type PublisherKey = [u8; 32];

/// A bundle that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not a bundle of this form.
    #[error("not a scope bundle")]
    Shape,
    /// A bundle that contradicts itself or its limits.
    #[error("the bundle does not hold: {0}")]
    Content(&'static str),
    /// No publisher signed these bytes.
    #[error("no pinned publisher signed this bundle")]
    Signature,
}

impl BundleError {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shape => "bundle_unreadable",
            Self::Content(_) => "bundle_invalid",
            Self::Signature => "bundle_signature",
        }
    }
}

/// How the law stands on what a rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryLevel {
    /// Alone.
    Independent,
    /// Under supervision.
    Supervised,
    /// Disputed: the clinic must choose, with a reason.
    Contested,
    /// Not at all.
    Prohibited,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Stable id: the same matter has the same id in every version.
    pub id: String,
    /// Profession, from the registry.
    pub profession: String,
    /// Council; any where there is none.
    pub credential: Option<String>,
    /// Classes of procedures it names.
    pub procedure_classes: Vec<String>,
    /// Places on the body; all where there is none.
    pub body_areas: Vec<String>,
    /// Classes of products it names. A rule that names no class at all speaks of everything.
    pub product_classes: Vec<String>,
    /// `BR`, or the UF of the registration.
    pub jurisdiction: String,
    /// How the law stands.
    pub level: EntryLevel,
    /// Law or resolution.
    pub legal_basis: String,
    /// Where it stands before the courts, if it is disputed.
    pub litigation: Option<String>,
    /// For acts from.
    pub valid_from: DateTime<Utc>,
    /// For acts until.
    pub valid_until: Option<DateTime<Utc>>,
    /// Named legal reviewer.
    pub reviewed_by: Option<String>,
    /// When reviewed.
    pub reviewed_at: Option<DateTime<Utc>>,
}

impl Entry {
    /// The jurisdiction of the nation.
    pub const NATIONAL: &'static str = "BR";

    /// Whether it lists no class at all, and so speaks of everything.
    #[must_use]
    pub fn names_nothing(&self) -> bool {
        self.procedure_classes.is_empty() && self.product_classes.is_empty()
    }

    /// Legal basis and litigation in one line.
    #[must_use]
    pub fn basis(&self) -> String {
        match &self.litigation {
            Some(litigation) => format!("{}; {litigation}", self.legal_basis),
            None => self.legal_basis.clone(),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let listed = |given: &[String], known: &[&str]| given.iter().all(|one| known.contains(&one.as_str()));
        let named = !self.id.is_empty() && !self.profession.is_empty() && !self.legal_basis.is_empty();
        let place = self.jurisdiction.len() == 2 && self.jurisdiction.bytes().all(|b| b.is_ascii_uppercase());
        let whole = |at: &DateTime<Utc>| at.timestamp_subsec_nanos() == 0;
        if !named {
            Err("an entry needs an id, a profession and a legal basis")
        } else if !listed(&self.procedure_classes, PROCEDURE_CLASSES)
            || !listed(&self.product_classes, PRODUCT_CLASSES)
            || !listed(&self.body_areas, BODY_AREAS)
        {
            Err("a class or body area is not known")
        } else if !place {
            Err("a jurisdiction is BR or a UF")
        } else if !whole(&self.valid_from) || self.valid_until.as_ref().is_some_and(|until| !whole(until)) {
            Err("instants are whole seconds")
        } else if self.valid_until.is_some_and(|until| until <= self.valid_from) {
            Err("an entry ends before it begins")
        } else if self.reviewed_by.is_some() != self.reviewed_at.is_some() {
            Err("a review has a name and a date")
        } else {
            Ok(())
        }
    }
}

/// A published set of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Version; one is written once.
    pub version: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Acts from here on are judged by it and no longer by its predecessor.
    pub in_force_from: DateTime<Utc>,
    /// What its reader must know first.
    pub notice: String,
    /// The rules.
    pub entries: Vec<Entry>,
}

impl Bundle {
    /// Reads a bundle, whoever signed it.
    ///
    /// # Errors
    /// Another form, or content that does not hold.
    pub fn read(content: &Json) -> Result<Self, BundleError> {
        let bundle: Self = serde_json::from_value(content.clone()).map_err(|_| BundleError::Shape)?;
        bundle.check().map_err(BundleError::Content)?;
        Ok(bundle)
    }

    /// Reads a bundle that one of these publishers signed.
    ///
    /// # Errors
    /// As [`Self::read`], or a signature that is nobody's.
    pub fn open(content: &Json, signature: &str, keys: &[PublisherKey]) -> Result<Self, BundleError> {
        let bundle = Self::read(content)?;
        let signature = read_hex(signature.trim()).ok_or(BundleError::Signature)?;
        let bytes = bundle.signing_bytes();
        let signed =
            keys.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(&bytes, &signature).is_ok());
        if signed { Ok(bundle) } else { Err(BundleError::Signature) }
    }

    /// What a publisher signs: the domain, then the bundle as JSON without spaces, fields in the order declared here.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        // Maps with text keys, texts, lists and instants: nothing here can fail to be written.
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        bytes
    }

    fn check(&self) -> Result<(), &'static str> {
        let ids: BTreeSet<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        if self.version.is_empty() {
            return Err("a bundle needs a version");
        }
        if self.entries.len() > SCOPE_ENTRIES_MAX || self.signing_bytes().len() > SCOPE_BUNDLE_BYTES_MAX {
            return Err("too large");
        }
        if ids.len() != self.entries.len() {
            return Err("two entries share an id");
        }
        if self.in_force_from.timestamp_subsec_nanos() != 0 {
            return Err("instants are whole seconds");
        }
        self.entries.iter().try_for_each(Entry::check)
    }
}

/// The pinned publishers of this release.
#[must_use]
pub fn publisher_keys() -> Vec<PublisherKey> {
    let line = |line: &'static str| line.split('#').next().unwrap_or_default().trim();
    PUBLISHERS.lines().map(line).filter_map(|hex| read_hex(hex)?.try_into().ok()).collect()
}

/// Bytes of a hexadecimal text; `None` for anything else.
#[must_use]
pub fn read_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None })
        .collect()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn write_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
