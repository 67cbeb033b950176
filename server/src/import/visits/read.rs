//! Reads the file into units, people and visits.
//!
//! Traps of this file: patient ids are texts (some look like `9377952927E-5`), booking instants are marked `Z` and are
//! local, the day of a visit has no hour, `No-show` says `Yes` for somebody who did not come, and an age is -1.

use super::super::ImportError;
use super::super::local_time;
use super::super::remark::{Place, Remark, Remarks};
use super::super::sheet::{Line, Sheet};
use chrono::{NaiveDate, NaiveDateTime};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// The file.
pub(in crate::import) const FILE: &str = "no_show/noshow_train.csv";

const COLUMNS: [&str; 9] = [
    "PatientId",
    "AppointmentID",
    "Gender",
    "ScheduledDay",
    "AppointmentDay",
    "Age",
    "Neighbourhood",
    "SMS_received",
    "No-show",
];

/// Nobody in Brazil has been older for certain; and a date of birth must not lie before 1900.
const AGE_MAX: i32 = 115;

/// What the file holds.
#[derive(Debug, Default)]
pub(in crate::import) struct Visits {
    /// Visits by health unit.
    pub(in crate::import) units: BTreeMap<String, Vec<Visit>>,
    /// People, in the order in which they first appear.
    pub(in crate::import) people: Vec<Person>,
    /// Rows read.
    pub(in crate::import) read: u64,
}

/// Somebody with appointments.
#[derive(Debug)]
pub(in crate::import) struct Person {
    /// The source's id, to the letter.
    pub(in crate::import) key: String,
    /// `female` or `male`.
    pub(in crate::import) gender: Option<&'static str>,
    /// The earliest visit with a plausible age, and the year of birth it implies.
    pub(in crate::import) born: Option<(NaiveDate, i32)>,
}

/// An appointment.
#[derive(Debug, Clone)]
pub(in crate::import) struct Visit {
    /// Its line.
    pub(in crate::import) line: u64,
    /// Its id in the source.
    pub(in crate::import) key: String,
    /// Index of the person.
    pub(in crate::import) person: usize,
    /// When it was booked, civil time.
    pub(in crate::import) booked: NaiveDateTime,
    /// When it was booked, µs.
    pub(in crate::import) booked_us: i64,
    /// The day it was for.
    pub(in crate::import) day: NaiveDate,
    /// Whether the person came.
    pub(in crate::import) came: bool,
    /// Whether a reminder was sent.
    pub(in crate::import) reminded: bool,
}

/// What is known while reading.
#[derive(Default)]
struct Reading {
    visits: Visits,
    people: HashMap<String, usize>,
    appointments: HashSet<String>,
    bookings: HashSet<(usize, NaiveDateTime, NaiveDate)>,
}

/// Reads the file.
///
/// # Errors
/// When it cannot be read.
pub(in crate::import) fn read(from: &Path, remarks: &mut Remarks) -> Result<Visits, ImportError> {
    let mut sheet = Sheet::open(from, FILE, COLUMNS)?;
    let mut reading = Reading::default();
    while let Some(line) = sheet.next(remarks)? {
        if let Err((column, remark)) = reading.take(&line, remarks)? {
            remarks.refused(at(line.number, column), remark)?;
        }
    }
    reading.visits.read = sheet.read();
    Ok(reading.visits)
}

pub(super) fn at(line: u64, column: &'static str) -> Place {
    Place { file: FILE, line, column }
}

/// The column for which a row is refused, and why.
type Refusal = (&'static str, Remark);

impl Reading {
    /// Takes a row, or says why not.
    fn take(&mut self, line: &Line<9>, remarks: &mut Remarks) -> Result<Result<(), Refusal>, ImportError> {
        let [patient, key, gender, booked, day, age, unit, reminded, missed] = &line.fields;
        for (column, field) in COLUMNS.iter().copied().zip([patient, key]).chain([("Neighbourhood", unit)]) {
            if field.is_empty() {
                return Ok(Err((column, Remark::Empty)));
            }
        }
        let Ok(booked) = NaiveDateTime::parse_from_str(booked, "%Y-%m-%dT%H:%M:%SZ") else {
            return Ok(Err(("ScheduledDay", Remark::Unreadable)));
        };
        let Some(day) = day.get(..10).and_then(|day| day.parse::<NaiveDate>().ok()) else {
            return Ok(Err(("AppointmentDay", Remark::Unreadable)));
        };
        let came = match missed.as_str() {
            "No" => true,
            "Yes" => false,
            _ => return Ok(Err(("No-show", Remark::UnknownValue))),
        };
        if !self.appointments.insert(key.clone()) {
            return Ok(Err(("AppointmentID", Remark::Duplicate)));
        }
        let person = self.person(patient, line.number, remarks)?;
        self.learn(person, (gender, age, day), line.number, remarks)?;
        if booked.date() > day {
            remarks.taken(at(line.number, "AppointmentDay"), Remark::VisitBeforeBooking)?;
        }
        if !self.bookings.insert((person, booked, day)) {
            remarks.taken(at(line.number, ""), Remark::RepeatedBooking)?;
        }
        let booked_us = local_time::instant_us(booked);
        let (key, reminded) = (key.clone(), reminded == "1");
        let visit = Visit { line: line.number, key, person, booked, booked_us, day, came, reminded };
        self.visits.units.entry(unit.clone()).or_default().push(visit);
        Ok(Ok(()))
    }

    /// The person of a source id. The id is a text: read as a number, `1E5` and `100000` would be one person.
    fn person(&mut self, key: &str, line: u64, remarks: &mut Remarks) -> Result<usize, ImportError> {
        if let Some(known) = self.people.get(key) {
            return Ok(*known);
        }
        if !key.bytes().all(|byte| byte.is_ascii_digit()) {
            remarks.taken(at(line, "PatientId"), Remark::ExponentInId)?;
        }
        let index = self.visits.people.len();
        self.visits.people.push(Person { key: key.to_owned(), gender: None, born: None });
        self.people.insert(key.to_owned(), index);
        Ok(index)
    }

    /// Learns gender and year of birth.
    fn learn(
        &mut self,
        person: usize,
        (gender, age, day): (&str, &str, NaiveDate),
        line: u64,
        remarks: &mut Remarks,
    ) -> Result<(), ImportError> {
        let Some(person) = self.visits.people.get_mut(person) else { return Ok(()) };
        match gender {
            "F" => person.gender = Some("female"),
            "M" => person.gender = Some("male"),
            _ => remarks.taken(at(line, "Gender"), Remark::UnknownValue)?,
        }
        match born(age, day) {
            Err(remark) => remarks.taken(at(line, "Age"), remark)?,
            Ok(year) => {
                if person.born.is_some_and(|(_, known)| known.abs_diff(year) > 1) {
                    remarks.taken(at(line, "Age"), Remark::AgeVaries)?;
                }
                if person.born.is_none_or(|(first, _)| day < first) {
                    person.born = Some((day, year));
                }
            }
        }
        Ok(())
    }
}

/// The year of birth that an age on a day implies: the person had that birthday this year, or will have the next one.
fn born(age: &str, day: NaiveDate) -> Result<i32, Remark> {
    use chrono::Datelike;
    match age.parse::<i32>() {
        Err(_) => Err(Remark::UnknownValue),
        Ok(age) if age < 0 => Err(Remark::AgeBelowZero),
        Ok(age) if age > AGE_MAX => Err(Remark::AgeAbove115),
        Ok(age) => Ok(day.year().saturating_sub(age)),
    }
}
