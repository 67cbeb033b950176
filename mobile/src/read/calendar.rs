//! The agenda as a table: a column per professional, a row per quarter of an hour, and who stands where.
//!
//! Owns the placing of appointments. Never reads a replica. Invariant: no two appointments of one column share a cell; those that
//! overlap stand beside each other, each whole.

use super::agenda::AppointmentView;
use crate::forms::input::Choice;
use neonpro_contract::time::US_PER_SECOND;

/// Length of a row, µs.
const SLOT_US: i64 = 15 * 60 * US_PER_SECOND;
/// First and last row of a day without early or late appointments, as quarters of an hour since midnight: 8:00 until 19:00.
const SLOTS: (i64, i64) = (32, 76);
/// Rows of a day.
const SLOTS_OF_DAY: i64 = 96;
/// Rows of an hour, and of a free cell where as many are free: half an hour is a place a finger hits.
const SLOTS_OF_HOUR: i64 = 4;
const SLOTS_FREE: i64 = 2;

/// A cell of the table.
pub enum Cell {
    /// Nothing is booked.
    Free {
        /// `14:30`.
        time: String,
        /// Whose column it is; empty for the one without a professional.
        professional: String,
        /// Rows it takes.
        rows: i64,
    },
    /// An appointment begins here.
    Booked {
        /// Its place in the day's list.
        index: usize,
        /// Rows it takes.
        rows: i64,
    },
}

/// A row of the table.
pub struct Line {
    /// `14:00` on the hour; empty between.
    pub time: String,
    /// Whether the hour is full, which is drawn stronger.
    pub full_hour: bool,
    /// Cells that begin in it.
    pub cells: Vec<Cell>,
}

/// A professional's column.
pub struct ColumnView {
    /// Professional id; empty for appointments without one.
    pub id: String,
    /// Name.
    pub name: String,
    /// Columns of the table it takes.
    pub lanes: usize,
}

/// A day as a table.
pub struct Calendar {
    /// Columns.
    pub columns: Vec<ColumnView>,
    /// Rows.
    pub lines: Vec<Line>,
}

/// Where an appointment stands: its column of the table, its first row, how many rows.
struct Placed {
    index: usize,
    column: usize,
    row: i64,
    rows: i64,
}

/// Places a day's appointments that take place. `midnight_us` is when the day begins.
#[must_use]
pub fn place(appointments: &[AppointmentView], professionals: &[Choice], midnight_us: i64) -> Calendar {
    let spans: Vec<(usize, &str, i64, i64)> = appointments
        .iter()
        .enumerate()
        .filter(|(_, appointment)| !appointment.over)
        .map(|(index, appointment)| {
            let first = slot(appointment.start_us, midnight_us);
            let last = slot(appointment.end_us.saturating_sub(1), midnight_us).max(first);
            (index, appointment.professional_id.as_str(), first, last)
        })
        .collect();
    // Whole hours: every row that names one is there.
    let first = spans.iter().map(|span| span.2).min().unwrap_or(SLOTS.0).min(SLOTS.0);
    let from = first.saturating_sub(first.rem_euclid(SLOTS_OF_HOUR));
    let last = spans.iter().map(|span| span.3.saturating_add(1)).max().unwrap_or(SLOTS.1).max(SLOTS.1);
    let until = last.saturating_add(last.wrapping_neg().rem_euclid(SLOTS_OF_HOUR));
    let (mut columns, mut placed) = (Vec::new(), Vec::new());
    let mut first_column = 0usize;
    let nobody = Choice::new("", crate::text::agenda::NO_PROFESSIONAL);
    for professional in professionals.iter().filter(|one| !one.value.is_empty()).chain([&nobody]) {
        let own: Vec<_> = spans.iter().filter(|span| span.1 == professional.value).collect();
        if own.is_empty() && professional.value.is_empty() {
            continue;
        }
        let mut ends: Vec<i64> = Vec::new();
        for (index, _, first, last) in own {
            let lane = ends.iter().position(|end| end < first).unwrap_or(ends.len());
            match ends.get_mut(lane) {
                Some(end) => *end = *last,
                None => ends.push(*last),
            }
            placed.push(Placed {
                index: *index,
                column: first_column.saturating_add(lane),
                row: *first,
                rows: last.saturating_sub(*first).saturating_add(1),
            });
        }
        let lanes = ends.len().max(1);
        columns.push(ColumnView { id: professional.value.clone(), name: short(&professional.label), lanes });
        first_column = first_column.saturating_add(lanes);
    }
    let lines = (from..until).map(|row| line(row, &columns, &placed)).collect();
    Calendar { columns, lines }
}

/// First and last of a name: what fits over a column.
fn short(name: &str) -> String {
    match (name.split_whitespace().next(), name.split_whitespace().last()) {
        (Some(first), Some(last)) if first != last => format!("{first} {last}"),
        _ => name.to_owned(),
    }
}

fn slot(at_us: i64, midnight_us: i64) -> i64 {
    at_us.saturating_sub(midnight_us).div_euclid(SLOT_US).clamp(0, SLOTS_OF_DAY - 1)
}

fn line(row: i64, columns: &[ColumnView], placed: &[Placed]) -> Line {
    let time = format!("{:02}:{:02}", row / SLOTS_OF_HOUR, row % SLOTS_OF_HOUR * 15);
    let booked = |column: usize, row: i64| {
        placed
            .iter()
            .find(|one| one.column == column && (one.row..one.row.saturating_add(one.rows)).contains(&row))
    };
    // Rows of a free cell begin at half hours; both must be free.
    let first_of_free = row.saturating_sub(row.rem_euclid(SLOTS_FREE));
    let mut cells = Vec::new();
    let mut column = 0usize;
    for view in columns {
        for _ in 0..view.lanes {
            let whole = (first_of_free..first_of_free.saturating_add(SLOTS_FREE))
                .all(|row| booked(column, row).is_none());
            match booked(column, row) {
                Some(one) if one.row == row => cells.push(Cell::Booked { index: one.index, rows: one.rows }),
                None if !whole || row == first_of_free => cells.push(Cell::Free {
                    time: time.clone(),
                    professional: view.id.clone(),
                    rows: if whole { SLOTS_FREE } else { 1 },
                }),
                _ => {}
            }
            column = column.saturating_add(1);
        }
    }
    let full_hour = row.rem_euclid(SLOTS_OF_HOUR) == 0;
    Line { time: if full_hour { time } else { String::new() }, full_hour, cells }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::badge::Badge;
    use neonpro_client_core::RecordState;

    const MINUTE: i64 = 60_000_000;

    fn appointment(professional: &str, from: i64, until: i64) -> AppointmentView {
        AppointmentView {
            id: format!("{from}"),
            start_us: from * MINUTE,
            end_us: until * MINUTE,
            professional_id: professional.to_owned(),
            day: String::new(),
            start: String::new(),
            end: String::new(),
            patient: String::new(),
            service: String::new(),
            professional: String::new(),
            status: "",
            status_tone: "",
            over: false,
            state: Badge::new(RecordState::Confirmed),
        }
    }

    fn people() -> Vec<Choice> {
        vec![Choice::new("", "-"), Choice::new("a", "Ana"), Choice::new("b", "Bia")]
    }

    /// Columns of the table each row covers must be the same everywhere: no hole, no cell too many.
    fn widths(calendar: &Calendar) -> Vec<usize> {
        let mut covered: Vec<(usize, i64)> = Vec::new();
        let mut widths = Vec::new();
        for line in &calendar.lines {
            covered.retain(|(_, rows)| *rows > 0);
            let mut width = covered.iter().map(|(columns, _)| columns).sum::<usize>();
            for (_, rows) in &mut covered {
                *rows -= 1;
            }
            for cell in &line.cells {
                width += 1;
                let (Cell::Booked { rows, .. } | Cell::Free { rows, .. }) = cell;
                covered.push((1, rows - 1));
            }
            widths.push(width);
        }
        widths
    }

    #[test]
    fn every_row_covers_every_column_once_whatever_overlaps() {
        let day = [
            appointment("a", 9 * 60, 9 * 60 + 40),
            appointment("a", 9 * 60 + 30, 10 * 60),
            appointment("a", 9 * 60 + 45, 11 * 60),
            appointment("b", 6 * 60, 6 * 60 + 10),
            appointment("", 20 * 60, 23 * 60 + 59),
        ];
        let calendar = place(&day, &people(), 0);
        assert_eq!(calendar.columns.iter().map(|column| column.lanes).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(calendar.lines.first().unwrap().time, "06:00");
        assert_eq!(calendar.lines.len(), 72);
        assert!(widths(&calendar).iter().all(|width| *width == 4), "{:?}", widths(&calendar));
    }

    #[test]
    fn an_empty_day_is_the_working_day_with_a_column_each() {
        let calendar = place(&[], &people(), 0);
        assert_eq!(calendar.lines.first().unwrap().time, "08:00");
        assert_eq!(calendar.lines.len(), 44);
        assert!(widths(&calendar).iter().all(|width| *width == 2));
    }

    #[test]
    fn what_does_not_take_place_takes_no_place() {
        let mut cancelled = appointment("a", 9 * 60, 10 * 60);
        cancelled.over = true;
        assert_eq!(place(&[cancelled], &people(), 0).columns.first().unwrap().lanes, 1);
    }
}
