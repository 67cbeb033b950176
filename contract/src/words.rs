//! What tables, fields and choices of the catalogue are called, in Portuguese: on screens and on paper alike.
//!
//! Never decides anything. Invariant: everything a person can see of a record has a name here; tests compare the lists with
//! the catalogue.

mod choices;
mod fields;

pub use choices::choice_label;
pub use fields::{field_label, table_label};
