//! Hours for visits of which only the day is known.
//!
//! Invariant: within a day nobody attends two visits at once, and the same visits always get the same hours.

/// First minute of the day that is booked.
const OPEN_MINUTE: u32 = 8 * 60;
/// Length of a visit, minutes.
pub(super) const SLOT_MINUTES: u32 = 20;
/// Visits one professional attends in a day: 8:00 to 18:00.
pub(super) const SLOTS: usize = 30;

/// A visit's place in the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    /// Start, minutes since midnight.
    pub(super) minute: u32,
    /// Which professional.
    pub(super) professional: usize,
    /// Whether it lies before the booking, because the day had nothing later.
    pub(super) before_booking: bool,
}

/// How many professionals a day of this many visits needs.
pub(super) fn professionals(visits: usize) -> usize {
    visits.div_ceil(SLOTS).max(1)
}

/// Gives each visit a cell. `earliest` is the minute from which it can be: 0 if it was booked on another day. Visits
/// booked on the day itself choose first, in the order given; the others fill the day from the morning.
pub(super) fn assign(earliest: &[u32], professionals: usize) -> Vec<Cell> {
    let mut taken = [0usize; SLOTS];
    let mut cells: Vec<Option<Cell>> = vec![None; earliest.len()];
    for same_day in [true, false] {
        for (cell, minute) in cells.iter_mut().zip(earliest) {
            if (*minute > 0) == same_day {
                *cell = place(&mut taken, *minute, professionals);
            }
        }
    }
    // A day has at least as many cells as visits, so none is left over; were it otherwise, they would queue at the end.
    let last = Cell { minute: start(SLOTS.saturating_sub(1)), professional: 0, before_booking: true };
    cells.into_iter().map(|cell| cell.unwrap_or(last)).collect()
}

/// The first free slot from a minute on, or else the last one before it.
fn place(taken: &mut [usize; SLOTS], minute: u32, professionals: usize) -> Option<Cell> {
    let free = |(_, taken): &(usize, &usize)| **taken < professionals;
    let later = taken.iter().enumerate().filter(|(slot, _)| start(*slot) >= minute).find(free);
    let slot = later.or_else(|| taken.iter().enumerate().rev().find(free)).map(|(slot, _)| slot)?;
    let used = taken.get_mut(slot)?;
    let professional = *used;
    *used = used.saturating_add(1);
    Some(Cell { minute: start(slot), professional, before_booking: start(slot) < minute })
}

fn start(slot: usize) -> u32 {
    OPEN_MINUTE.saturating_add(u32::try_from(slot).unwrap_or(0).saturating_mul(SLOT_MINUTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_full_day_has_no_two_visits_in_one_cell() {
        let earliest: Vec<u32> = (0..287).map(|n| if n % 3 == 0 { 7 * 60 + n * 2 } else { 0 }).collect();
        let cells = assign(&earliest, professionals(287));
        let distinct: HashSet<_> = cells.iter().map(|cell| (cell.minute, cell.professional)).collect();
        assert_eq!((cells.len(), distinct.len()), (287, 287));
        assert!(cells.iter().all(|cell| cell.professional < 10 && cell.minute + SLOT_MINUTES <= 18 * 60));
    }

    #[test]
    fn a_visit_booked_today_comes_after_its_booking_where_there_is_room() {
        let cells = assign(&[0, 16 * 60 + 9, 0], 1);
        assert_eq!(cells[1], Cell { minute: 16 * 60 + 20, professional: 0, before_booking: false });
        assert_eq!((cells[0].minute, cells[2].minute), (8 * 60, 8 * 60 + 20));
    }

    #[test]
    fn a_booking_after_closing_time_takes_the_last_hour_and_says_so() {
        let cells = assign(&[19 * 60], 1);
        assert_eq!(cells, [Cell { minute: 17 * 60 + 40, professional: 0, before_booking: true }]);
    }
}
