//! Consent as the rules' text has it (merge rules, "Consent"), written a second time: the judge of the judge.

use neonpro_contract::catalogue::Purpose;
use neonpro_contract::row::Row;
use neonpro_contract::value::Value;
use uuid::Uuid;

/// A grant or a withdrawal.
#[derive(Debug, Clone)]
pub struct Event {
    id: Uuid,
    purpose: Option<Purpose>,
    given: bool,
    at_us: i64,
    expires_us: Option<i64>,
    version: i64,
    answers: Vec<Uuid>,
}

impl Event {
    /// From its record.
    #[must_use]
    pub fn of(id: Uuid, row: &Row) -> Self {
        // A row that names a withdrawal is one, whatever else it says.
        let withdrawn = row.get("withdrawn_at").as_instant();
        let given = row.get("consent_given").as_bool().unwrap_or(false) && withdrawn.is_none();
        let told = if given { row.get("consent_date") } else { row.get("withdrawn_at") };
        Self {
            id,
            purpose: row.get("consent_type").as_text().and_then(Purpose::from_name),
            given,
            at_us: told.as_instant().or(row.get("created_at").as_instant()).unwrap_or(0),
            expires_us: row.get("expiry_date").as_instant(),
            version: if let Value::Int(version) = row.get("version") { *version } else { 1 },
            answers: if let Value::Uuids(ids) = row.get("seen_withdrawals") {
                ids.clone()
            } else {
                Vec::new()
            },
        }
    }
}

/// What a patient granted and withdrew.
#[derive(Debug, Clone, Default)]
pub struct Consents(Vec<Event>);

impl Consents {
    pub fn add(&mut self, event: Event) {
        if self.0.iter().all(|known| known.id != event.id) {
            self.0.push(event);
        }
    }

    /// Whether consent to a purpose stands at an instant (µs): the newest text's longest grant that answers every
    /// withdrawal has not ended.
    #[must_use]
    pub fn stand(&self, purpose: Purpose, at_us: i64) -> bool {
        let mine: Vec<&Event> = self.0.iter().filter(|event| event.purpose == Some(purpose)).collect();
        let answered = |grant: &Event| {
            mine.iter().filter(|event| !event.given).all(|event| grant.answers.contains(&event.id))
        };
        let valid: Vec<&&Event> = mine.iter().filter(|event| event.given && answered(event)).collect();
        let newest = valid.iter().map(|grant| grant.version).max();
        let of_newest = valid.iter().filter(|grant| Some(grant.version) == newest);
        of_newest.map(|grant| grant.expires_us.unwrap_or(i64::MAX)).max().is_some_and(|until| until >= at_us)
    }

    /// Whether something captured within an interval (µs) may be kept for a purpose.
    #[must_use]
    pub fn allow(&self, purpose: Purpose, from_us: i64, to_us: i64) -> bool {
        let mine: Vec<&Event> = self.0.iter().filter(|event| event.purpose == Some(purpose)).collect();
        let withdrawals: Vec<&&Event> = mine.iter().filter(|event| !event.given).collect();
        let grants = || mine.iter().filter(|event| event.given);
        let stands =
            |grant: &&&Event| withdrawals.iter().all(|withdrawal| grant.answers.contains(&withdrawal.id));
        let covers = |grant: &&Event| grant.expires_us.is_none_or(|until| until >= to_us);
        if grants().filter(stands).any(covers) {
            return true;
        }
        // The act was lawful when it was done: care alone may be written down afterwards.
        let lawful = |grant: &&Event| grant.at_us <= from_us && covers(grant);
        purpose == Purpose::Treatment
            && withdrawals.iter().any(|withdrawal| to_us < withdrawal.at_us)
            && grants().any(lawful)
    }
}
