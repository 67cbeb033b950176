//! Isolation attacked: a matrix of every relation, operation, identity and path, generated from the catalogue of the
//! database, judged by rules that were not read from it.
//!
//! Never asks the implementation what is right. Invariant: whatever is added to the schema is attacked without anyone
//! remembering to, or stops the test until somebody says what it is.

mod catalog;
mod cell;
mod fill;
mod functions;
mod grants;
mod keys;
pub mod mutation;
mod reads;
mod rights;
mod runner;
mod scene;
mod session;
mod writes;

pub use catalog::{Catalog, ForeignKey, Relation};
pub use cell::{Cell, Group};
pub use fill::fill;
pub use rights::Class;
pub use runner::{Runner, is_untouched, order};
pub use scene::{Scene, Target};

/// Every cell about one relation.
#[must_use]
pub fn cells_of(scene: &Scene, target: &Target) -> Vec<Cell> {
    let mut cells = Vec::new();
    grants::cells(target, &mut cells);
    grants::shared(scene, target, &mut cells);
    if matches!(target.class, Class::Tenant | Class::Partition) {
        reads::cells(scene, target, &mut cells);
        writes::cells(scene, target, &mut cells);
        keys::cells(scene, target, &mut cells);
    }
    cells
}

/// Every cell about the functions and the session.
#[must_use]
pub fn cells_beside(scene: &Scene) -> Vec<Cell> {
    let mut cells = Vec::new();
    for function in &scene.catalog.functions {
        functions::cells(scene, function, &mut cells);
    }
    session::cells(scene, &mut cells);
    cells
}
