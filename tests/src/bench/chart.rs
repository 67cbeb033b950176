//! The chart of a run: what was measured beside the goal and beside what the bare databases do, as plain SVG.

use super::figures::Figures;
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const LABEL: f64 = 300.0;
const BAR: f64 = 20.0;
const STEP: f64 = 30.0;
/// Room right of the longest bar for its number.
const TAIL: f64 = 90.0;

/// One group of bars that share a scale.
struct Panel {
    title: &'static str,
    bars: Vec<(&'static str, f64, &'static str)>,
}

const OURS: &str = "#0f766e";
const GOAL: &str = "#f59e0b";
const BARE: &str = "#94a3b8";

fn panels(figures: &Figures) -> Vec<Panel> {
    let known = |key: &str| figures.find(key);
    let bar = |label, key, colour| known(key).map(|value| (label, value, colour));
    let first_sync = [
        bar("NeonPro: first sync of 10,000", "w1_records_per_s", OURS),
        known("w1_records_per_s").map(|_| ("goal", 40_000.0, GOAL)),
        bar("bare PostgreSQL, COPY", "limit_pg_copy_rows_per_s", BARE),
        bar("bare SQLCipher, INSERT", "limit_sqlite_rows_per_s", BARE),
    ];
    let edits = [
        bar("NeonPro: tablet → server → tablet", "w2_edits_per_s", OURS),
        known("w2_edits_per_s").map(|_| ("goal", 4_000.0, GOAL)),
        bar("bare PostgreSQL, upsert", "limit_pg_upsert_rows_per_s", BARE),
    ];
    let panel = |title, bars: &[Option<(&'static str, f64, &'static str)>]| Panel {
        title,
        bars: bars.iter().copied().flatten().collect(),
    };
    let all = [
        panel("Records of a first sync per second (more is better)", &first_sync),
        panel("Offline edits merged and received per second (more is better)", &edits),
    ];
    all.into_iter().filter(|panel| panel.bars.len() > 1).collect()
}

/// The picture.
#[must_use]
pub fn svg(figures: &Figures) -> String {
    let panels = panels(figures);
    let height: f64 = panels.iter().map(|panel| 50.0 + STEP * panel.bars.len() as f64).sum::<f64>() + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, \
         sans-serif\" font-size=\"14\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let mut y = 34.0;
    for panel in &panels {
        let _ = writeln!(
            svg,
            "<text x=\"20\" y=\"{y}\" font-weight=\"600\" fill=\"#0f172a\">{}</text>",
            panel.title
        );
        y += 16.0;
        let longest = panel.bars.iter().map(|(_, value, _)| *value).fold(1.0, f64::max);
        for (label, value, colour) in &panel.bars {
            let length = (value / longest * (WIDTH - LABEL - TAIL)).max(2.0);
            let middle = y + BAR / 2.0 + 5.0;
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" fill=\"#334155\">{label}</text>\
                 <rect x=\"{LABEL}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"3\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{middle}\" fill=\"#0f172a\">{}</text>",
                LABEL - 10.0,
                LABEL + length + 8.0,
                thousands(*value),
            );
            y += STEP;
        }
        y += 34.0;
    }
    svg.push_str("</svg>\n");
    svg
}

/// `12,345`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_was_measured_and_unmeasured_ones_are_left_out() {
        let mut figures = Figures::default();
        figures.put("w1_records_per_s", 20_000.0, "");
        let svg = svg(&figures);
        assert!(svg.contains("20,000") && svg.contains("40,000"));
        assert!(!svg.contains("PostgreSQL"), "nothing is drawn that was not measured");
        assert!(svg.contains(&format!("width=\"{:.1}\"", (WIDTH - LABEL - TAIL) / 2.0)));
        assert_eq!(thousands(1_234_567.0), "1,234,567");
    }
}
