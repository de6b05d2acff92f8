//! YAML that people write: as a tree whose nodes know their position, and what is wrong with it, with line and remedy.

pub mod diagnostic;
pub mod yaml;
