//! The schedule: cases one by one, and a fleet over a simulated store.

#![allow(clippy::unwrap_used)]

mod fleet;
mod model;
mod outage;
