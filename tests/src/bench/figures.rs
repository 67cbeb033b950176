//! What a run measured: printed as a table, written as one flat JSON object.

use serde_json::{Map, Value as Json};
use std::time::Duration;

/// Figures in the order they were taken.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, f64, &'static str)>);

impl Figures {
    /// Keeps a figure; `goal` is shown beside it.
    pub fn put(&mut self, key: &str, value: f64, goal: &'static str) {
        self.0.push((key.to_owned(), value, goal));
    }

    /// A figure that was taken.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<f64> {
        self.0.iter().find(|(known, ..)| known == key).map(|(_, value, _)| *value)
    }

    /// The flat object.
    #[must_use]
    pub fn json(&self) -> Json {
        let rounded = |value: f64| Json::from((value * 1_000.0).round() / 1_000.0);
        Json::Object(
            self.0.iter().map(|(key, value, _)| (key.clone(), rounded(*value))).collect::<Map<_, _>>(),
        )
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{:<34} {:>14}   {}\n", "figure", "measured", "goal");
        for (key, value, goal) in &self.0 {
            let shown = if *value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
            text.push_str(&format!("{key:<34} {shown:>14}   {goal}\n"));
        }
        text
    }
}

/// The value below which this share of the samples lies.
#[must_use]
pub fn percentile(samples: &mut [Duration], share: f64) -> f64 {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    let index = ((samples.len() as f64) * share).ceil() as usize;
    samples.get(index.saturating_sub(1).min(last)).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}
