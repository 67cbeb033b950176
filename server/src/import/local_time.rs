//! Civil time in America/Sao_Paulo, as sources without a zone mean it.
//!
//! Never asks the machine's zone. Source: Decreto 6.558/2008 and those that changed it (daylight saving from October or
//! November to February), Decreto 9.772/2019 (abolished). Invariant: since October 2008 every civil time has one
//! instant; before, standard time is assumed.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// Hours behind UTC in standard time.
const STANDARD_HOURS: i64 = 3;

/// Year, month, day.
type Day = (i32, u32, u32);

/// First days of daylight saving, and the days on which it had ended; both at midnight.
const SAVING: [(Day, Day); 11] = [
    ((2008, 10, 19), (2009, 2, 15)),
    ((2009, 10, 18), (2010, 2, 21)),
    ((2010, 10, 17), (2011, 2, 20)),
    ((2011, 10, 16), (2012, 2, 26)),
    ((2012, 10, 21), (2013, 2, 17)),
    ((2013, 10, 20), (2014, 2, 16)),
    ((2014, 10, 19), (2015, 2, 22)),
    ((2015, 10, 18), (2016, 2, 21)),
    ((2016, 10, 16), (2017, 2, 19)),
    ((2017, 10, 15), (2018, 2, 18)),
    ((2018, 11, 4), (2019, 2, 17)),
];

/// The instant, in µs, of a civil time. Of the hour that an end of daylight saving repeats, the first is meant.
#[must_use]
pub fn instant_us(local: NaiveDateTime) -> i64 {
    let hours = if in_saving(local) { STANDARD_HOURS.saturating_sub(1) } else { STANDARD_HOURS };
    let utc = local.checked_add_signed(TimeDelta::hours(hours)).unwrap_or(local);
    utc.and_utc().timestamp_micros()
}

/// The instant, in µs, of a minute of a day (0 is midnight).
#[must_use]
pub fn minute_us(day: NaiveDate, minute: u32) -> i64 {
    let midnight = day.and_time(NaiveTime::MIN);
    instant_us(midnight.checked_add_signed(TimeDelta::minutes(i64::from(minute))).unwrap_or(midnight))
}

/// The civil time of an instant in µs, of years without daylight saving.
#[must_use]
pub fn civil(at_us: i64) -> NaiveDateTime {
    let utc = DateTime::from_timestamp_micros(at_us).unwrap_or_default().naive_utc();
    utc.checked_sub_signed(TimeDelta::hours(STANDARD_HOURS)).unwrap_or(utc)
}

/// A day this many days later (or earlier).
#[must_use]
pub fn shifted(day: NaiveDate, days: i64) -> NaiveDate {
    let distance = Days::new(days.unsigned_abs());
    let moved = if days < 0 { day.checked_sub_days(distance) } else { day.checked_add_days(distance) };
    moved.unwrap_or(day)
}

fn in_saving(local: NaiveDateTime) -> bool {
    let day = local.date();
    SAVING.iter().any(|((y, m, d), (to_y, to_m, to_d))| {
        let from = NaiveDate::from_ymd_opt(*y, *m, *d);
        let to = NaiveDate::from_ymd_opt(*to_y, *to_m, *to_d);
        from.is_some_and(|from| from <= day) && to.is_some_and(|to| day < to)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neonpro_contract::value::instant_text;

    fn utc(local: &str) -> String {
        instant_text(instant_us(local.parse().unwrap()))
    }

    #[test]
    fn summer_and_winter_have_their_own_offset() {
        assert_eq!(utc("2016-04-29T16:08:27"), "2016-04-29T19:08:27Z");
        assert_eq!(utc("2015-11-10T07:13:56"), "2015-11-10T09:13:56Z");
        assert_eq!(utc("2026-01-15T08:00:00"), "2026-01-15T11:00:00Z");
    }

    #[test]
    fn the_hour_an_end_of_daylight_saving_repeats_is_taken_as_the_first() {
        assert_eq!(utc("2016-02-20T23:30:00"), "2016-02-21T01:30:00Z");
        assert_eq!(utc("2016-02-21T00:30:00"), "2016-02-21T03:30:00Z");
    }

    #[test]
    fn civil_time_comes_back() {
        let local: NaiveDateTime = "2026-07-01T23:59:00".parse().unwrap();
        assert_eq!(civil(instant_us(local)), local);
    }
}
