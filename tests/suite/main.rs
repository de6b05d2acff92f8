//! All tests that look at the program from outside, in one crate, so that they link once.

#![allow(clippy::expect_used, clippy::float_cmp, clippy::print_stderr, clippy::unwrap_used, missing_docs)]

mod dashboards;
mod equipment;
mod faults;
mod layout;
mod licences;
mod openbao;
mod prism;
