//! Until when something is due. Pure, in the time of São Paulo, where ANPD counts.

use super::RequestKind;
use chrono::{DateTime, Datelike as _, Days, FixedOffset, NaiveTime, TimeZone as _, Weekday};
use neonpro_contract::time::ServerInstant;

/// Days for the full statement: LGPD art. 19 II.
const STATEMENT_DAYS: u64 = 15;
/// Business days to tell the authority and the people concerned: ANPD Res. 15/2024 art. 6 and 9. Public holidays are not
/// known here: a day too early is none too late.
const INCIDENT_BUSINESS_DAYS: u32 = 3;
/// UTC-3, without summer time since 2019 (Decreto 9.772/2019).
const SAO_PAULO_SECONDS: i32 = -3 * 3_600;

/// When a request is due: access in simplified form at once, everything else within 15 days.
#[must_use]
pub fn request_due(kind: RequestKind, received: ServerInstant) -> ServerInstant {
    match kind {
        RequestKind::Access => received,
        _ => end_of_day(received, |day| day.checked_add_days(Days::new(STATEMENT_DAYS))),
    }
}

/// When an incident is to be reported.
#[must_use]
pub fn incident_due(known: ServerInstant) -> ServerInstant {
    end_of_day(known, |mut day| {
        let mut left = INCIDENT_BUSINESS_DAYS;
        while left > 0 {
            day = day.checked_add_days(Days::new(1))?;
            if !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
                left = left.saturating_sub(1);
            }
        }
        Some(day)
    })
}

type Day = DateTime<FixedOffset>;

/// The last second of the day a number of days leads to; the moment itself where a calendar ends.
fn end_of_day(at: ServerInstant, later: impl Fn(Day) -> Option<Day>) -> ServerInstant {
    let due = || {
        let zone = FixedOffset::east_opt(SAO_PAULO_SECONDS)?;
        let local = zone.timestamp_micros(at.0).single()?;
        let last = NaiveTime::from_hms_opt(23, 59, 59)?;
        later(local)?.with_time(last).single().map(|due| due.timestamp_micros())
    };
    ServerInstant(due().unwrap_or(at.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ServerInstant {
        ServerInstant(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    #[test]
    fn access_is_due_at_once_and_the_statement_at_the_end_of_the_fifteenth_day() {
        let received = at("2026-11-26T10:00:00-03:00");
        assert_eq!(request_due(RequestKind::Access, received), received);
        assert_eq!(request_due(RequestKind::Export, received), at("2026-12-11T23:59:59-03:00"));
    }

    #[test]
    fn an_incident_is_reported_within_three_business_days() {
        // Thursday: Friday, Monday, Tuesday.
        assert_eq!(incident_due(at("2026-11-26T23:30:00-03:00")), at("2026-12-01T23:59:59-03:00"));
        // Saturday: Monday, Tuesday, Wednesday.
        assert_eq!(incident_due(at("2026-11-28T08:00:00-03:00")), at("2026-12-02T23:59:59-03:00"));
    }
}
