//! Breaking text into lines: at its own line ends, between words, and inside a word only where it alone is too wide.

use super::face::Face;

/// The lines of a text at a width, pt; at least one.
pub(super) fn break_lines(face: &Face, text: &str, size: f32, width: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let word = face.drawable(word);
            let joined = if line.is_empty() { word.clone() } else { format!("{line} {word}") };
            if face.width(&joined, size) <= width {
                line = joined;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line = break_word(face, &word, size, width, &mut lines);
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Puts what does not fit into lines of its own and returns the rest.
fn break_word(face: &Face, word: &str, size: f32, width: f32, lines: &mut Vec<String>) -> String {
    let mut line = String::new();
    for letter in word.chars() {
        let mut longer = line.clone();
        longer.push(letter);
        if face.width(&longer, size) > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            line.push(letter);
        } else {
            line = longer;
        }
    }
    line
}
