//! When to collect which source, and whether this process or another replica does it: pure decisions. The collector carries them
//! out.

pub mod version;
