//! One control of a form: label, value, what it showed, message, hint, dispute.
//!
//! Owns the HTML of controls. Never reads a record. Invariant: every control has a label, and a message is tied to
//! its control by `aria-describedby`.

use super::{Posted, Problems};
use crate::text;
use askama::Template;
use neonpro_contract::ids::EditId;

/// One choice.
pub struct Choice {
    /// Value posted.
    pub value: String,
    /// What the person reads.
    pub label: String,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// Which control.
pub enum Control {
    /// `<input>` of this type.
    Line(&'static str),
    /// `<textarea>`.
    Area,
    /// `<select>`.
    Select(Vec<Choice>),
}

/// A control as it is drawn.
#[derive(Template)]
#[template(path = "input.html")]
pub struct Input {
    /// Element id, unique on its page.
    pub id: String,
    /// Name posted; the field's name.
    pub name: &'static str,
    /// Label.
    pub label: &'static str,
    /// Current or typed value.
    pub value: String,
    /// What it showed when the form was first drawn.
    pub base: Option<String>,
    /// Which control.
    pub control: Control,
    /// What is wrong with the typed value.
    pub error: Option<&'static str>,
    /// Help.
    pub hint: Option<&'static str>,
    /// Other values of a disputed field.
    pub disputes: Vec<String>,
    /// Whether it takes the whole width.
    pub wide: bool,
}

impl Input {
    /// A line of text showing a value.
    pub fn line(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        Self {
            id: format!("campo-{name}"),
            name,
            label,
            base: Some(value.clone()),
            value,
            control: Control::Line("text"),
            error: None,
            hint: None,
            disputes: Vec::new(),
            wide: false,
        }
    }

    /// Another input type.
    #[must_use]
    pub fn kind(mut self, kind: &'static str) -> Self {
        self.control = Control::Line(kind);
        self
    }

    /// A text of several lines.
    #[must_use]
    pub fn area(mut self) -> Self {
        self.control = Control::Area;
        self.wide = true;
        self
    }

    /// A choice. A value outside the list is listed as it is, so drawing a form never changes it.
    #[must_use]
    pub fn select(mut self, mut choices: Vec<Choice>) -> Self {
        if !choices.iter().any(|choice| choice.value == self.value) {
            let label = if self.value.is_empty() { text::UNCHOSEN.to_owned() } else { self.value.clone() };
            choices.insert(0, Choice::new(self.value.clone(), label));
        }
        self.control = Control::Select(choices);
        self
    }

    /// Whole width.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// Help.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Shows again what was typed, what the form had shown before, and what is wrong.
    #[must_use]
    pub fn typed(mut self, posted: Option<&Posted>, problems: &Problems) -> Self {
        self.error = problems.get(self.name).copied();
        if let Some(posted) = posted.filter(|posted| posted.has(self.name)) {
            self.value = posted.get(self.name).to_owned();
            if let Some(shown) = posted.find_shown(self.name).filter(|_| self.base.is_some()) {
                self.base = Some(shown.to_owned());
            }
        }
        self
    }

    /// A long text that was rewritten elsewhere: shows the other version, which the next save then builds on.
    #[must_use]
    pub fn moved(mut self, current: &str) -> Self {
        if self.error == Some(text::errors::TEXT_MOVED) {
            self.base = Some(current.to_owned());
            self.disputes.push(format!("{}: {current}", text::status::CURRENT));
        }
        self
    }
}

/// A form around its controls.
#[derive(Template)]
#[template(path = "form_body.html")]
pub struct FormBody {
    /// Where it is posted.
    pub action: String,
    /// What is wrong with the whole.
    pub problem: Option<&'static str>,
    /// Controls, in order.
    pub inputs: Vec<Input>,
    /// The set-aside edit it corrects.
    pub corrects: Option<EditId>,
    /// More HTML before the buttons, already safe.
    pub extra: String,
    /// Label of the button.
    pub submit: &'static str,
    /// Where leaving leads.
    pub cancel: Option<String>,
}
