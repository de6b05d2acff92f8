//! What a token is and what is known of it. No input or output, no clock, no async: `now` is an argument.

pub mod address;
pub mod cache_ttl;
pub mod certificates;
pub mod failure;
pub mod inventory;
pub mod lead;
pub mod outcome;
pub mod rate_bucket;
pub mod rules;
pub(crate) mod sanitize;
pub mod secret;
pub mod time;
pub mod token;
pub mod web_url;
