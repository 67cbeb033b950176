//! One health unit, arranged: its patients, its staff, the hours of its visits.

use super::count;
use super::read::{Person, Visit, at};
use super::slots::{Cell, assign, professionals};
use crate::import::ImportError;
use crate::import::remark::{Remark, Remarks};
use chrono::{NaiveDate, Timelike};
use std::collections::BTreeMap;

/// A unit ready to be written.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    /// Its name in the source.
    pub(super) name: &'a str,
    /// How many professionals it needs so that nobody is booked twice.
    pub(super) professionals: usize,
    /// Its patients: index of the person, first booking here (µs), line of that booking.
    pub(super) patients: BTreeMap<usize, (i64, u64)>,
    /// Its visits with their hours.
    pub(super) visits: Vec<(&'a Visit, Cell)>,
    /// The earliest booking, µs.
    pub(super) since_us: i64,
}

impl Unit<'_> {
    /// How many records it becomes: the clinic, two per professional, patients, appointments.
    pub(super) fn records(&self) -> u64 {
        let staff = count(self.professionals).saturating_mul(2);
        count(self.patients.len())
            .saturating_add(count(self.visits.len()))
            .saturating_add(staff)
            .saturating_add(1)
    }
}

/// Arranges a unit's visits.
///
/// # Errors
/// When the report cannot be written.
pub(super) fn arrange<'a>(
    name: &'a str,
    rows: &'a [Visit],
    people: &[Person],
    remarks: &mut Remarks,
) -> Result<Unit<'a>, ImportError> {
    let mut days: BTreeMap<NaiveDate, Vec<&Visit>> = BTreeMap::new();
    let mut patients: BTreeMap<usize, (i64, u64)> = BTreeMap::new();
    for visit in rows {
        days.entry(visit.day).or_default().push(visit);
        let first = patients.entry(visit.person).or_insert((visit.booked_us, visit.line));
        if visit.booked_us < first.0 {
            *first = (visit.booked_us, visit.line);
        }
    }
    debug_assert!(
        patients.keys().all(|person| *person < people.len()),
        "a visit names a person that was read"
    );
    let needed = days.values().map(|visits| professionals(visits.len())).max().unwrap_or(1);
    let mut visits = Vec::with_capacity(rows.len());
    for (day, mut of_day) in days {
        // By booking and id, not by place in the file: the same visits get the same hours in whatever order they come.
        of_day.sort_by(|left, right| (left.booked, &left.key).cmp(&(right.booked, &right.key)));
        let earliest: Vec<u32> = of_day.iter().map(|visit| earliest_minute(visit, day)).collect();
        for (visit, cell) in of_day.into_iter().zip(assign(&earliest, needed)) {
            if cell.before_booking {
                remarks.taken(at(visit.line, "AppointmentDay"), Remark::SlotBeforeBooking)?;
            }
            visits.push((visit, cell));
        }
    }
    let since_us = rows.iter().map(|visit| visit.booked_us).min().unwrap_or(0);
    Ok(Unit { name, professionals: needed, patients, visits, since_us })
}

fn earliest_minute(visit: &Visit, day: NaiveDate) -> u32 {
    if visit.booked.date() == day { visit.booked.num_seconds_from_midnight().div_ceil(60) } else { 0 }
}
