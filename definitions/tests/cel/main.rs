//! Filters mean what CEL means: every expression of a table has the answer that cel-go gave, or is refused, or differs in one
//! of the ways that docs/filters.md lists.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod guide;
mod ours;
mod random;
mod random_filters;
mod random_patterns;
mod table;
