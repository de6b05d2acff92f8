//! For how long an answer about one token is used again, instead of being asked for anew.

use chrono::{DateTime, TimeDelta, Utc};

use super::token::Expiry;

/// When to ask again about a token that was read at `now`: after `recheck`, and never past half of what remains of it.
pub fn again_at(now: DateTime<Utc>, expires: Expiry, recheck: TimeDelta) -> DateTime<Utc> {
    todo!("{now} {expires:?} {recheck}")
}
