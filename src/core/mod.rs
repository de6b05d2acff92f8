//! What a token is and what is known of it. No input or output, no clock, no async: `now` is an argument.

pub mod address;
pub mod certificates;
pub mod failure;
pub mod inventory;
pub mod lead;
pub mod mistake;
pub mod outcome;
pub mod recheck;
pub mod rules;
pub mod secret;
pub mod time;
pub mod token;
