//! The definitions that are built into the program: one row for each file `src/providers/*.yaml`.

/// File names and contents. A test holds that every file has its row.
pub(super) const DEFINITIONS: &[(&str, &str)] = &[
];
