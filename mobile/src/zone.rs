//! The clinic's wall clock: instants in µs to the day and hour people read, and back.
//!
//! Owns the offsets of Brazil's time zones. Never reads a clock. Invariant: a wall time written here is read back
//! as the same instant.
//!
//! Brazil has had no daylight saving time since Decreto 9.772/2019, so each zone is one offset; an appointment from
//! a summer before that is shown up to one hour early.

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

/// Hours west of UTC of zones that are not on Brasília time (IANA tz database, `southamerica`).
const WESTERN: &[(&str, i32)] = &[
    ("America/Noronha", 2),
    ("America/Boa_Vista", 4),
    ("America/Campo_Grande", 4),
    ("America/Cuiaba", 4),
    ("America/Manaus", 4),
    ("America/Porto_Velho", 4),
    ("America/Eirunepe", 5),
    ("America/Rio_Branco", 5),
];
/// Hours west of UTC of Brasília time, `America/Sao_Paulo` among others.
const BRASILIA: i32 = 3;

/// One clinic's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(FixedOffset);

impl Zone {
    /// The zone of an IANA name; one that is not Brazilian reads as Brasília time.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let hours = WESTERN.iter().find(|(zone, _)| *zone == name).map_or(BRASILIA, |(_, hours)| *hours);
        let offset = FixedOffset::west_opt(hours.saturating_mul(3_600));
        Self(offset.unwrap_or_else(|| chrono::Offset::fix(&chrono::Utc)))
    }

    /// The wall time of an instant, in µs.
    #[must_use]
    pub fn wall(self, at_us: i64) -> Option<DateTime<FixedOffset>> {
        DateTime::from_timestamp_micros(at_us).map(|at| at.with_timezone(&self.0))
    }

    /// `14:32`.
    #[must_use]
    pub fn time(self, at_us: i64) -> String {
        self.wall(at_us).map(|at| at.format("%H:%M").to_string()).unwrap_or_default()
    }

    /// `23/11/2026`.
    #[must_use]
    pub fn date(self, at_us: i64) -> String {
        self.wall(at_us).map(|at| at.format("%d/%m/%Y").to_string()).unwrap_or_default()
    }

    /// `14:32` for today, `22/11 às 14:32` for another day.
    #[must_use]
    pub fn moment(self, at_us: i64, now_us: i64) -> String {
        let (Some(at), Some(now)) = (self.wall(at_us), self.wall(now_us)) else { return String::new() };
        let pattern = match (at.date_naive() == now.date_naive(), at.year() == now.year()) {
            (true, _) => "%H:%M",
            (false, true) => "%d/%m às %H:%M",
            (false, false) => "%d/%m/%Y às %H:%M",
        };
        at.format(pattern).to_string()
    }

    /// The day of an instant.
    #[must_use]
    pub fn day(self, at_us: i64) -> Option<NaiveDate> {
        self.wall(at_us).map(|at| at.date_naive())
    }

    /// The instants a day spans, in µs: from its first, until the first of the next.
    #[must_use]
    pub fn span(self, day: NaiveDate) -> Option<(i64, i64)> {
        let next = day.checked_add_days(Days::new(1))?;
        Some((self.instant(day, NaiveTime::MIN)?, self.instant(next, NaiveTime::MIN)?))
    }

    /// The instant of a wall time, in µs.
    #[must_use]
    pub fn instant(self, day: NaiveDate, time: NaiveTime) -> Option<i64> {
        let wall = NaiveDateTime::new(day, time);
        self.0.from_local_datetime(&wall).single().map(|at| at.timestamp_micros())
    }
}

/// Whole years between a birth and a day.
#[must_use]
pub fn age_years(born: NaiveDate, today: NaiveDate) -> Option<u32> {
    today.years_since(born)
}

/// A day as Brazilians write it, from ISO text; anything else is returned as it is.
#[must_use]
pub fn date_br(iso: &str) -> String {
    NaiveDate::parse_from_str(iso, "%Y-%m-%d")
        .map_or_else(|_| iso.to_owned(), |date| date.format("%d/%m/%Y").to_string())
}

/// A day typed as Brazilians write it (`24/11/1990`, `24-11-1990`), as ISO text; anything else is returned as it is.
#[must_use]
pub fn date_iso(typed: &str) -> String {
    let slashed = typed.replace(['-', '.'], "/");
    NaiveDate::parse_from_str(&slashed, "%d/%m/%Y").map_or_else(|_| typed.to_owned(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_455_120_000_000;

    #[test]
    fn a_wall_time_reads_back_as_the_same_instant() {
        for name in ["America/Sao_Paulo", "America/Manaus", "America/Noronha", "Europe/Lisbon"] {
            let zone = Zone::of(name);
            let wall = zone.wall(AT).unwrap();
            assert_eq!(zone.instant(wall.date_naive(), wall.time()), Some(AT), "{name}");
        }
    }

    #[test]
    fn a_moment_says_the_day_only_when_it_is_not_today() {
        let zone = Zone::of("America/Sao_Paulo");
        let yesterday = AT - 86_400_000_000;
        assert_eq!(zone.moment(AT, AT), zone.time(AT));
        assert!(zone.moment(yesterday, AT).contains(" às "));
    }

    #[test]
    fn a_day_spans_twenty_four_hours_from_local_midnight() {
        let zone = Zone::of("America/Sao_Paulo");
        let (from, until) = zone.span(zone.day(AT).unwrap()).unwrap();
        assert_eq!(until - from, 86_400_000_000);
        assert_eq!(zone.time(from), "00:00");
    }

    #[test]
    fn a_typed_day_is_read_day_first() {
        assert_eq!(date_iso("01/10/1960"), "1960-10-01");
        assert_eq!(date_iso("1.10.1960"), "1960-10-01");
        assert_eq!(date_iso("1960-10-01"), "1960-10-01");
        assert_eq!(date_br(&date_iso("24/11/1990")), "24/11/1990");
    }

    #[test]
    fn age_counts_finished_years() {
        let born = NaiveDate::from_ymd_opt(1990, 11, 24).unwrap();
        assert_eq!(age_years(born, NaiveDate::from_ymd_opt(2026, 11, 23).unwrap()), Some(35));
        assert_eq!(age_years(born, NaiveDate::from_ymd_opt(2026, 11, 24).unwrap()), Some(36));
    }
}
