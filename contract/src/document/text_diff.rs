//! How a long text is replaced: character by character where the two are alike, in one piece where they are not.
//!
//! Comparing two texts that have little in common costs their lengths multiplied: half a minute for 64 KiB, on the tablet
//! of whoever pasted them, and on the server that expresses an edit anew. Invariant: what this file does costs at most
//! the texts' length and the square of [`DIFFERENCES_MAX`].

/// Characters that differ, on both sides together, above which texts are not compared further: a page.
const DIFFERENCES_MAX: usize = 2_000;

/// A stretch that is exchanged. Positions and lengths in characters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replacement {
    pub at: usize,
    pub gone: isize,
    pub came: String,
}

/// What lies between the common beginning and the common end, if it is to be exchanged in one piece; `None` where a
/// comparison is cheap and keeps more of what others write meanwhile.
pub(super) fn replacement(before: &str, after: &str) -> Option<Replacement> {
    let (before, after): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    let alike = |(a, b): &(&char, &char)| a == b;
    let at = before.iter().zip(&after).take_while(alike).count();
    let (gone, came) = (before.get(at..)?, after.get(at..)?);
    let tail = gone.iter().rev().zip(came.iter().rev()).take_while(alike).count();
    let gone = gone.get(..gone.len().checked_sub(tail)?)?;
    let came = came.get(..came.len().checked_sub(tail)?)?;
    if is_near(gone, came) {
        return None;
    }
    Some(Replacement { at, gone: isize::try_from(gone.len()).ok()?, came: came.iter().collect() })
}

/// Whether one becomes the other by few insertions and deletions (Myers 1986, only the distance).
fn is_near(gone: &[char], came: &[char]) -> bool {
    if gone.len().abs_diff(came.len()) > DIFFERENCES_MAX {
        // One side alone is no comparison.
        return gone.is_empty() || came.is_empty();
    }
    let middle = DIFFERENCES_MAX.saturating_add(1);
    // How far each diagonal was followed into `gone`.
    let mut reached = vec![0usize; middle.saturating_mul(2).saturating_add(1)];
    for differences in 0..=DIFFERENCES_MAX {
        for diagonal in (middle.saturating_sub(differences)..=middle.saturating_add(differences)).step_by(2) {
            let far = |at: usize| reached.get(at).copied().unwrap_or(0);
            let (above, below) = (far(diagonal.saturating_add(1)), far(diagonal.saturating_sub(1)));
            let edge = diagonal == middle.saturating_sub(differences);
            let down = edge || (diagonal != middle.saturating_add(differences) && below < above);
            let mut x = if down { above } else { below.saturating_add(1) };
            // The place in `came` on this diagonal.
            let Some(mut y) = x.saturating_add(middle).checked_sub(diagonal) else { continue };
            while gone.get(x).is_some_and(|one| came.get(y) == Some(one)) {
                (x, y) = (x.saturating_add(1), y.saturating_add(1));
            }
            if x >= gone.len() && y >= came.len() {
                return true;
            }
            if let Some(slot) = reached.get_mut(diagonal) {
                *slot = x;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_here_and_there_is_compared() {
        let page = "a pele está seca e sensível ao sol ".repeat(1_900);
        let edited = page.replacen("seca", "muito seca", 1) + "desde março";
        assert_eq!(replacement(&page, &edited), None);
        assert_eq!(replacement(&page, &page), None);
        assert_eq!(replacement("", &page), None, "nothing to compare with");
        assert_eq!(replacement(&page, ""), None);
    }

    #[test]
    fn another_text_takes_the_place_of_the_first_in_one_piece() {
        let (before, after) = ("é".repeat(65_000), "ç".repeat(65_000));
        let told = replacement(&format!("dor {before} hoje"), &format!("dor {after} hoje")).unwrap();
        assert_eq!((told.at, told.gone, told.came), (4, 65_000, after));
        let shorter = replacement(&before, "outra nota").unwrap();
        assert_eq!((shorter.at, shorter.gone, shorter.came.as_str()), (0, 65_000, "outra nota"));
    }

    #[test]
    fn the_distance_is_counted_on_both_sides() {
        let text = |letter: &str, count| format!("a{}b", letter.repeat(count));
        let half = DIFFERENCES_MAX / 2;
        assert_eq!(replacement(&text("x", half), &text("y", half)), None);
        assert!(replacement(&text("x", half + 1), &text("y", half + 1)).is_some());
        assert_eq!(replacement("abcabba", "cbabac"), None);
    }
}
