//! A page that is one form: new patient, appointment, session.

use super::frame::{Frame, Page};
use crate::failure::Failure;
use crate::forms::input::FormBody;
use crate::read::badge::Badge;
use crate::read::scope::ScopeView;
use crate::text;
use askama::Template;

pub use super::frame::Tab;

/// A page around one form.
#[derive(Template)]
#[template(path = "form.html")]
pub struct FormPage {
    /// The frame.
    pub frame: Frame,
    /// Heading.
    pub title: String,
    /// Where the record stands; nothing for a new one.
    pub state: Option<Badge>,
    /// Line under the heading.
    pub subtitle: Option<String>,
    /// Where that line leads.
    pub subtitle_href: Option<String>,
    /// What a person should know first.
    pub warnings: Vec<&'static str>,
    /// What the scope of practice says of the act.
    pub scope: Option<ScopeView>,
    /// The form; nothing where it cannot be changed any more.
    pub form: Option<FormBody>,
    /// Label and text, where the form cannot be changed any more.
    pub fixed: Vec<(&'static str, String)>,
}

impl FormPage {
    /// Draws it.
    ///
    /// # Errors
    /// The template failed.
    pub fn page(&self) -> Result<Page, Failure> {
        super::frame::page(self)
    }
}
