//! How long to wait before the next attempt: exponential with full jitter, so two thousand tablets do not come back
//! in step.

/// Before the first retry, ms.
const BASE_MS: u64 = 250;
/// Longest wait, ms.
const MAX_MS: u64 = 30_000;

/// A wait between 0 and the ceiling of this attempt (from 0), ms, chosen by a random number.
pub(crate) fn delay_ms(attempt: u32, random: u64) -> u64 {
    let ceiling = BASE_MS.saturating_mul(1u64.checked_shl(attempt.min(16)).unwrap_or(u64::MAX)).min(MAX_MS);
    random.checked_rem(ceiling.saturating_add(1)).unwrap_or(0)
}

/// What the server asked for, plus up to half of it again, ms.
pub(crate) fn asked_ms(retry_after_ms: u32, random: u64) -> u64 {
    let asked = u64::from(retry_after_ms).max(BASE_MS);
    asked.saturating_add(random.checked_rem(asked.div_ceil(2).saturating_add(1)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_and_ends_at_thirty_seconds() {
        assert_eq!(delay_ms(0, 250), 250);
        assert_eq!(delay_ms(0, 251), 0);
        assert_eq!(delay_ms(3, 2_000), 2_000);
        assert!((0..200).all(|attempt| delay_ms(attempt, u64::MAX) <= MAX_MS));
    }

    #[test]
    fn nobody_comes_back_before_the_server_asked() {
        assert!((0..1_000).all(|random| (2_000..=3_000).contains(&asked_ms(2_000, random))));
    }
}
