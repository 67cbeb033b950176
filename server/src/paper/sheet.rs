//! Putting blocks onto pages: where each line stands, where a page ends, what each line means to a reader aloud.

use super::Block;
use super::face::{Face, Faces};
use super::lines::break_lines;
use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node, SpanTag, TableHeaderScope, Tag, TagGroup, TagKind,
};
use std::num::NonZeroU16;

/// A4 and its margins, pt.
const PAGE: (f32, f32) = (595.28, 841.89);
const MARGIN: f32 = 56.0;
const TOP: f32 = 64.0;
const BOTTOM: f32 = PAGE.1 - 72.0;
const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
/// Sizes of text, pt, and the distance of lines relative to them.
const TITLE: f32 = 17.0;
const HEADING: f32 = 11.5;
const TEXT: f32 = 9.5;
const SMALL: f32 = 7.5;
const LEADING: f32 = 1.42;
/// Share of the width that labels take.
const LABEL_SHARE: f32 = 0.3;
/// Distance between columns, pt.
const GAP: f32 = 10.0;
/// Between blocks, pt.
const SPACE: f32 = 10.0;

type Ink = (u8, u8, u8);
const INK: Ink = (26, 35, 32);
const SOFT: Ink = (77, 90, 85);
const ACCENT: Ink = (11, 95, 86);
const LINE: Ink = (210, 216, 212);

/// A line where it stands.
struct Line {
    at: (f32, f32),
    size: f32,
    bold: bool,
    ink: Ink,
    text: String,
    /// Which element it belongs to.
    element: usize,
}

/// One page.
#[derive(Default)]
struct Sheet {
    lines: Vec<Line>,
    /// Heights at which a rule runs across, pt.
    rules: Vec<f32>,
}

/// An element of the structure; its parent, if any, comes before it.
struct Element {
    tag: TagKind,
    parent: Option<usize>,
}

/// How a text is set.
#[derive(Clone, Copy)]
struct Style {
    size: f32,
    bold: bool,
    ink: Ink,
}

const BODY: Style = Style { size: TEXT, bold: false, ink: INK };
const LABEL: Style = Style { size: TEXT, bold: false, ink: SOFT };
const HEAD: Style = Style { size: SMALL, bold: true, ink: SOFT };

/// The pages so far.
pub(super) struct Sheets<'f> {
    faces: &'f Faces,
    sheets: Vec<Sheet>,
    elements: Vec<Element>,
    y: f32,
}

impl<'f> Sheets<'f> {
    pub fn new(faces: &'f Faces) -> Self {
        Self { faces, sheets: vec![Sheet::default()], elements: Vec::new(), y: TOP }
    }

    fn face(&self, style: Style) -> &'f Face {
        if style.bold { &self.faces.bold } else { &self.faces.regular }
    }

    fn element(&mut self, tag: impl Into<TagKind>, parent: Option<usize>) -> usize {
        self.elements.push(Element { tag: tag.into(), parent });
        self.elements.len().saturating_sub(1)
    }

    fn heading_tag(level: u16, title: &str) -> TagKind {
        Tag::Hn(NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN), Some(title.to_owned())).into()
    }

    /// Begins a page where less than a height is left, pt.
    fn keep_together(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > TOP {
            self.sheets.push(Sheet::default());
            self.y = TOP;
        }
    }

    fn sheet(&mut self) -> Option<&mut Sheet> {
        self.sheets.last_mut()
    }

    fn rule(&mut self) {
        let y = self.y;
        if let Some(sheet) = self.sheet() {
            sheet.rules.push(y);
        }
    }

    /// Sets lines at a distance from the left, over several pages where they are many.
    fn set(&mut self, element: usize, style: Style, left: f32, width: f32, text: &str) {
        let step = style.size * LEADING;
        for text in break_lines(self.face(style), text, style.size, width) {
            self.keep_together(step);
            self.y += step;
            let line = self.line(element, style, (left, self.y), text);
            if let Some(sheet) = self.sheet() {
                sheet.lines.push(line);
            }
        }
    }

    fn line(&self, element: usize, style: Style, at: (f32, f32), text: String) -> Line {
        let Style { size, bold, ink } = style;
        Line { at: (MARGIN + at.0, at.1), size, bold, ink, text, element }
    }

    pub fn title(&mut self, issuer: &str, title: &str) {
        let above = self.element(Tag::P, None);
        self.set(above, Style { size: TEXT, bold: true, ink: ACCENT }, 0.0, WIDTH, issuer);
        let element = self.element(Self::heading_tag(1, title), None);
        self.set(element, Style { size: TITLE, bold: true, ink: INK }, 0.0, WIDTH, title);
        self.y += SPACE;
    }

    pub fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(text) => {
                self.y += SPACE / 2.0;
                self.keep_together(4.0 * HEADING * LEADING);
                let element = self.element(Self::heading_tag(2, text), None);
                self.set(element, Style { size: HEADING, bold: true, ink: INK }, 0.0, WIDTH, text);
                self.y += SPACE / 3.0;
            }
            Block::Text(text) => self.paragraph(BODY, text),
            Block::Small(text) => self.paragraph(Style { size: SMALL, ..LABEL }, text),
            Block::Facts(facts) => self.facts(facts),
            Block::Table { shares, head, rows } => self.table(shares, head, rows),
        }
    }

    fn paragraph(&mut self, style: Style, text: &str) {
        let element = self.element(Tag::P, None);
        self.set(element, style, 0.0, WIDTH, text);
        self.y += SPACE;
    }

    fn facts(&mut self, facts: &[(String, String)]) {
        let table = self.element(Tag::Table, None);
        let label = WIDTH * LABEL_SHARE;
        let columns = [(0.0, label), (label + GAP, WIDTH - label - GAP)];
        for (name, value) in facts {
            let row = self.element(Tag::TR, Some(table));
            let cells = [
                (self.element(Tag::TH(TableHeaderScope::Row), Some(row)), LABEL, name.as_str()),
                (self.element(Tag::TD, Some(row)), BODY, value.as_str()),
            ];
            self.row(&columns, &cells);
        }
        self.y += SPACE;
    }

    fn table(&mut self, shares: &[u16], head: &[String], rows: &[Vec<String>]) {
        let columns = columns(shares);
        let table = self.element(Tag::Table, None);
        self.keep_together(3.0 * TEXT * LEADING);
        let top = self.element(Tag::TR, Some(table));
        let mut cells = Vec::with_capacity(head.len());
        for text in head {
            let cell = self.element(Tag::TH(TableHeaderScope::Column), Some(top));
            cells.push((cell, HEAD, text.as_str()));
        }
        self.row(&columns, &cells);
        for row in rows {
            self.rule();
            let element = self.element(Tag::TR, Some(table));
            let mut cells = Vec::with_capacity(row.len());
            for text in row {
                cells.push((self.element(Tag::TD, Some(element)), BODY, text.as_str()));
            }
            self.row(&columns, &cells);
        }
        self.rule();
        self.y += SPACE;
    }

    /// Cells beside each other. A row that does not fit on the rest of a page begins the next one; one that does not fit on
    /// any goes on, cell by cell, over as many as it takes.
    fn row(&mut self, columns: &[(f32, f32)], cells: &[(usize, Style, &str)]) {
        let height = |sheets: &Self, (_, style, text): &(usize, Style, &str), width: f32| {
            let lines = break_lines(sheets.face(*style), text, style.size, width).len();
            f32::from(u16::try_from(lines).unwrap_or(u16::MAX)) * style.size * LEADING
        };
        let heights = cells.iter().zip(columns).map(|(cell, (_, width))| height(self, cell, *width));
        let tallest = heights.fold(0.0, f32::max);
        self.keep_together(tallest.min(BOTTOM - TOP));
        if tallest > BOTTOM - TOP {
            for ((element, style, text), _) in cells.iter().zip(columns) {
                self.set(*element, *style, 0.0, WIDTH, text);
            }
            return;
        }
        let start = self.y;
        for ((element, style, text), (left, width)) in cells.iter().zip(columns) {
            self.y = start;
            self.set(*element, *style, *left, *width, text);
        }
        self.y = start + tallest + GAP / 3.0;
    }

    /// How many pages there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.sheets.len()
    }

    /// Draws every page, and returns what the lines mean.
    pub fn print(self, document: &mut Document, foot: &str) -> Option<Vec<Node>> {
        let mut drawn: Vec<(usize, Identifier)> = Vec::new();
        let count = self.sheets.len();
        for (index, sheet) in self.sheets.iter().enumerate() {
            let mut page = document.start_page_with(PageSettings::from_wh(PAGE.0, PAGE.1)?);
            let mut surface = page.surface();
            for line in &sheet.lines {
                let tag = ContentTag::Span(SpanTag::empty());
                let identifier = surface.start_tagged(tag);
                self.draw(&mut surface, line);
                surface.end_tagged();
                drawn.push((line.element, identifier));
            }
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
            for y in &sheet.rules {
                draw_rule(&mut surface, y + 1.0)?;
            }
            let style = Style { size: SMALL, bold: false, ink: SOFT };
            let number = format!("{} / {count}", index.saturating_add(1));
            let right = WIDTH - self.face(style).width(&number, SMALL);
            let foot = self.face(style).drawable(foot);
            self.draw(&mut surface, &self.line(0, style, (0.0, PAGE.1 - 40.0), foot));
            self.draw(&mut surface, &self.line(0, style, (right, PAGE.1 - 40.0), number));
            surface.end_tagged();
            surface.finish();
            page.finish();
        }
        Some(nodes(self.elements, drawn))
    }

    fn draw(&self, surface: &mut Surface<'_>, line: &Line) {
        let face = if line.bold { &self.faces.bold } else { &self.faces.regular };
        let (red, green, blue) = line.ink;
        surface.set_fill(Some(Fill {
            paint: rgb::Color::new(red, green, blue).into(),
            opacity: NormalizedF32::ONE,
            rule: krilla::paint::FillRule::default(),
        }));
        let start = Point::from_xy(line.at.0, line.at.1);
        surface.draw_glyphs(start, &face.glyphs(&line.text), face.font.clone(), &line.text, line.size, false);
    }
}

/// Left edge and width of each column, pt.
fn columns(shares: &[u16]) -> Vec<(f32, f32)> {
    let count = u16::try_from(shares.len()).unwrap_or(u16::MAX);
    let all: f32 = shares.iter().map(|share| f32::from(*share)).sum::<f32>().max(1.0);
    let room = WIDTH - GAP * f32::from(count.saturating_sub(1));
    let mut left = 0.0;
    let mut columns = Vec::with_capacity(shares.len());
    for share in shares {
        let width = room * f32::from(*share) / all;
        columns.push((left, width));
        left += width + GAP;
    }
    columns
}

fn draw_rule(surface: &mut Surface<'_>, y: f32) -> Option<()> {
    let mut path = PathBuilder::new();
    path.move_to(MARGIN, y);
    path.line_to(MARGIN + WIDTH, y);
    surface.set_fill(None);
    let (red, green, blue) = LINE;
    surface.set_stroke(Some(Stroke {
        paint: rgb::Color::new(red, green, blue).into(),
        width: 0.6,
        ..Stroke::default()
    }));
    surface.draw_path(&path.finish()?);
    surface.set_stroke(None);
    Some(())
}

/// The tree of elements: children were made after their parents, so the last ones are folded into theirs first.
fn nodes(elements: Vec<Element>, drawn: Vec<(usize, Identifier)>) -> Vec<Node> {
    let mut below: Vec<Vec<Node>> = elements.iter().map(|_| Vec::new()).collect();
    let mut lines: Vec<Vec<Node>> = elements.iter().map(|_| Vec::new()).collect();
    for (element, identifier) in drawn {
        if let Some(lines) = lines.get_mut(element) {
            lines.push(identifier.into());
        }
    }
    let mut roots = Vec::new();
    for (at, (element, lines)) in elements.into_iter().zip(lines).enumerate().rev() {
        let mut children = lines;
        children.extend(below.get_mut(at).map(std::mem::take).unwrap_or_default().into_iter().rev());
        let node = Node::Group(TagGroup::with_children(element.tag, children));
        let siblings = element.parent.and_then(|parent| below.get_mut(parent));
        siblings.unwrap_or(&mut roots).push(node);
    }
    roots.reverse();
    roots
}
