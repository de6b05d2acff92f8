//! Tokens, the inventory, and the rules that apply to them. No I/O, no clock, no async: `now` is an argument.

pub mod address;
pub mod adjustment;
pub mod cache_ttl;
pub mod certificates;
pub mod clock;
pub mod failure;
pub mod fleet_status;
pub mod intake;
pub mod inventory;
pub(crate) mod label_values;
pub mod lead;
pub mod listing_report;
pub mod location;
pub mod outcome;
pub mod owners;
pub mod pem;
pub mod rate;
pub mod refusal;
pub mod rules;
pub(crate) mod sanitize;
pub mod schedule;
pub mod secret;
pub mod time;
pub mod token;
pub mod token_series;
pub mod web_url;
