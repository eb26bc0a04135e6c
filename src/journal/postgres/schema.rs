//! The layout: which version it has, and how an older one becomes a newer one.

/// What leads from each layout to the next, from nothing on. A step is never changed once it was released, and only adds:
/// programs of the layout before go on working while gates are replaced one by one.
pub(super) const STEPS: [&str; 1] = [include_str!("schema-1.sql")];

/// This program's layout.
pub(super) const LAYOUT: usize = STEPS.len();

/// The oldest layout whose programs work with this one.
pub(super) const WORKS_WITH: usize = 1;
