//! Sources of time and randomness, passed in so that tests can set them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// The wall clock.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Random numbers from 0 up to, but not including, 1.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;
