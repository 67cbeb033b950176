//! A long text that changed elsewhere while somebody was typing: three texts in, one text or a dispute out.
//!
//! Pure. Invariant: a character typed here or written elsewhere is never dropped in silence; where both sides
//! rewrote the same words, nothing is decided and the person sees both.

/// What comes of the three texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// Both sides' work, in one text.
    Text(String),
    /// Both sides rewrote the same words.
    Disputed,
}

/// The one run of characters in which a text differs from its base.
struct Span {
    from: usize,
    until: usize,
    put: Vec<char>,
}

/// Puts what `mine` changed since `base` onto `theirs`.
#[must_use]
pub fn merge(base: &str, mine: &str, theirs: &str) -> Merged {
    if mine == theirs || base == theirs {
        return Merged::Text(mine.to_owned());
    }
    if mine == base {
        return Merged::Text(theirs.to_owned());
    }
    let original: Vec<char> = base.chars().collect();
    let (ours, other) = (span(&original, mine), span(&original, theirs));
    let (first, second) = if ours.from <= other.from { (&ours, &other) } else { (&other, &ours) };
    if first.until > second.from || (first.from == second.from && first.until == second.until) {
        return Merged::Disputed;
    }
    let part = |from: usize, until: usize| original.iter().skip(from).take(until.saturating_sub(from));
    let merged = part(0, first.from)
        .chain(&first.put)
        .chain(part(first.until, second.from))
        .chain(&second.put)
        .chain(part(second.until, original.len()));
    Merged::Text(merged.collect())
}

fn span(base: &[char], changed: &str) -> Span {
    let changed: Vec<char> = changed.chars().collect();
    let head = base.iter().zip(&changed).take_while(|(a, b)| a == b).count();
    let most = base.len().min(changed.len()).saturating_sub(head);
    let tail = base.iter().rev().zip(changed.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let put = changed.iter().skip(head).take(changed.len().saturating_sub(head).saturating_sub(tail));
    Span { from: head, until: base.len().saturating_sub(tail), put: put.copied().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(base: &str, mine: &str, theirs: &str) -> String {
        match merge(base, mine, theirs) {
            Merged::Text(text) => text,
            Merged::Disputed => "disputed".to_owned(),
        }
    }

    #[test]
    fn work_in_different_places_is_kept_from_both() {
        assert_eq!(
            text("pele seca.", "pele muito seca.", "pele seca. retorno 30d"),
            "pele muito seca. retorno 30d"
        );
        assert_eq!(text("a b c", "a b c d", "z a b c"), "z a b c d");
        assert_eq!(text("ção ção", "ação ção", "ção ção!"), "ação ção!");
    }

    #[test]
    fn one_sided_work_wins_without_a_question() {
        assert_eq!(text("a", "a", "b"), "b");
        assert_eq!(text("a", "b", "a"), "b");
        assert_eq!(text("", "x", "x"), "x");
    }

    #[test]
    fn both_rewriting_the_same_words_is_for_the_person_to_decide() {
        assert_eq!(merge("pele seca", "pele oleosa", "pele mista"), Merged::Disputed);
        assert_eq!(merge("", "aqui", "ali"), Merged::Disputed);
    }
}
