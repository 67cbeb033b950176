//! What the demo reads of the server's `/metrics` (OpenMetrics text).

use std::collections::BTreeMap;

/// The numbers the demo shows and checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Open sync sessions.
    pub sessions: u64,
    /// Edits by fate since the server started.
    pub edits: BTreeMap<String, u64>,
    /// Times a tablet's digest disagreed.
    pub digest_mismatches: u64,
}

/// Reads the text; what is not there is zero.
#[must_use]
pub fn read(text: &str) -> Numbers {
    let mut numbers = Numbers::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<u64>() else { continue };
        match name {
            "neonpro_sync_sessions" => numbers.sessions = value,
            "neonpro_digest_mismatches_total" => numbers.digest_mismatches = value,
            _ => {
                if let Some(fate) = name.strip_prefix("neonpro_edits_total{fate=\"") {
                    numbers.edits.insert(fate.trim_end_matches("\"}").to_owned(), value);
                }
            }
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_fates_and_disagreements_are_read() {
        let text = "# HELP neonpro_edits Edits by fate.\n# TYPE neonpro_edits counter\n\
            neonpro_edits_total{fate=\"accepted\"} 10\nneonpro_edits_total{fate=\"quarantined\"} 1\n\
            neonpro_sync_sessions 3\nneonpro_digest_mismatches_total 0\n\
            neonpro_merge_seconds_sum 0.25\nnonsense\n# EOF\n";
        let numbers = read(text);
        assert_eq!(numbers.sessions, 3);
        assert_eq!(
            numbers.edits,
            BTreeMap::from([("accepted".to_owned(), 10), ("quarantined".to_owned(), 1)])
        );
        assert_eq!(numbers.digest_mismatches, 0);
        assert_eq!(read(""), Numbers::default());
    }

    #[test]
    fn the_servers_own_text_is_understood() {
        let metrics = neonpro_server::telemetry::Metrics::default();
        metrics.sessions.set(2);
        metrics.digest_mismatches.inc();
        let numbers = read(&metrics.text());
        assert_eq!((numbers.sessions, numbers.digest_mismatches), (2, 1));
    }
}
