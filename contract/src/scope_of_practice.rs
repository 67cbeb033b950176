//! Scope of practice: whether a professional may perform an act, from the clinic's validations in force (4-rules 4.3).
//!
//! "Prohibited" blocks starting an act; it never blocks recording what already happened. Legal texts behind the
//! shipped rules come from secondary sources: they need a named legal reviewer before use.

use uuid::Uuid;

/// One row of `professional_scope_validation`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopeRule {
    /// Whom it concerns.
    pub professional: Uuid,
    /// Procedure it concerns; `None` means any.
    pub procedure: Option<Uuid>,
    /// Medication it concerns; `None` means any.
    pub medication: Option<Uuid>,
    /// Whether the act is authorised.
    pub authorised: bool,
    /// Under supervision only.
    pub supervised: bool,
    /// In force from (µs).
    pub from_us: i64,
    /// In force until (µs).
    pub until_us: Option<i64>,
}

/// What the rules say about an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeVerdict {
    /// Alone.
    Independent,
    /// With an active supervision.
    Supervised,
    /// Not at all.
    Prohibited,
    /// No rule of the clinic speaks of it.
    Unruled,
}

/// The verdict at the act's time. The most specific rule in force wins; among equals, the strictest.
#[must_use]
pub fn verdict(
    rules: &[ScopeRule],
    professional: Uuid,
    procedure: Uuid,
    medication: Option<Uuid>,
    at_us: i64,
) -> ScopeVerdict {
    let applies = |rule: &&ScopeRule| {
        rule.professional == professional
            && rule.procedure.is_none_or(|id| id == procedure)
            && rule.medication.is_none_or(|id| Some(id) == medication)
            && rule.from_us <= at_us
            && rule.until_us.is_none_or(|until| at_us < until)
    };
    let specific =
        |rule: &ScopeRule| u8::from(rule.procedure.is_some()) + u8::from(rule.medication.is_some());
    let strict = |rule: &ScopeRule| if !rule.authorised { 2u8 } else { u8::from(rule.supervised) };
    match rules.iter().filter(applies).max_by_key(|rule| (specific(rule), strict(rule))) {
        None => ScopeVerdict::Unruled,
        Some(rule) if !rule.authorised => ScopeVerdict::Prohibited,
        Some(rule) if rule.supervised => ScopeVerdict::Supervised,
        Some(_) => ScopeVerdict::Independent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(procedure: Option<u128>, authorised: bool, supervised: bool) -> ScopeRule {
        ScopeRule {
            professional: Uuid::from_u128(1),
            procedure: procedure.map(Uuid::from_u128),
            medication: None,
            authorised,
            supervised,
            from_us: 0,
            until_us: Some(100),
        }
    }

    #[test]
    fn the_most_specific_rule_wins_and_expired_rules_do_not_speak() {
        let rules = [rule(None, true, false), rule(Some(7), false, false)];
        let of = |procedure, at| verdict(&rules, Uuid::from_u128(1), Uuid::from_u128(procedure), None, at);
        assert_eq!(of(7, 50), ScopeVerdict::Prohibited);
        assert_eq!(of(8, 50), ScopeVerdict::Independent);
        assert_eq!(of(8, 100), ScopeVerdict::Unruled);
    }

    #[test]
    fn among_equally_specific_rules_the_strictest_wins() {
        let rules = [rule(Some(7), true, false), rule(Some(7), true, true)];
        assert_eq!(
            verdict(&rules, Uuid::from_u128(1), Uuid::from_u128(7), None, 1),
            ScopeVerdict::Supervised
        );
    }
}
