//! The two faces of papers' text, regular and bold, and how wide their letters are.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider as _};

/// What stands for a letter the font lacks: REPLACEMENT CHARACTER.
const UNKNOWN: char = '\u{FFFD}';

/// A face.
pub(super) struct Face {
    /// For drawing.
    pub font: Font,
    map: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
}

impl Face {
    fn load(bytes: &'static [u8]) -> Option<Self> {
        let letters = FontRef::new(bytes).ok()?;
        let metrics = letters.glyph_metrics(Size::unscaled(), LocationRef::default());
        Some(Self { font: Font::new(bytes.into(), 0)?, map: letters.charmap(), metrics })
    }

    fn glyph(&self, letter: char) -> (u32, f32) {
        let id = self.map.map(letter).or_else(|| self.map.map(UNKNOWN)).unwrap_or_default();
        let advance = self.metrics.advance_width(id).unwrap_or_default() / self.font.units_per_em();
        (id.to_u32(), advance)
    }

    /// Width of a text, pt.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.glyph(letter).1).sum::<f32>() * size
    }

    /// The glyphs of a text.
    pub fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        text.char_indices()
            .map(|(at, letter)| {
                let (id, advance) = self.glyph(letter);
                let range = at..at.saturating_add(letter.len_utf8());
                KrillaGlyph::new(GlyphId::new(id), advance, 0.0, 0.0, 0.0, range, None)
            })
            .collect()
    }

    /// The text as it can be drawn: no control characters, nothing the font lacks.
    pub fn drawable(&self, text: &str) -> String {
        text.chars()
            .filter(|letter| !letter.is_control())
            .map(|letter| if self.map.map(letter).is_some() { letter } else { UNKNOWN })
            .collect()
    }
}

/// Both faces.
pub(super) struct Faces {
    pub regular: Face,
    pub bold: Face,
}

impl Faces {
    /// Reads the fonts that are part of the program.
    pub fn load() -> Option<Self> {
        Some(Self { regular: Face::load(dejavu::sans::regular())?, bold: Face::load(dejavu::sans::bold())? })
    }
}
