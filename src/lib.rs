//! token-expiry-exporter asks every place where an organisation's API tokens live *when do they expire*, keeps the answer,
//! and publishes it for Prometheus. This page is the map.
//!
//! # The walk of one expiry
//!
//! 1. [`config`] reads `sources: [{name: atlassian, provider: atlassian-cloud, org_id: …, credential: {file: …}}]`.
//! 2. [`providers`] finds the definition `atlassian-cloud.yaml`, checks the source's settings against it ([`providers::settings`])
//!    and has its jq expressions compiled ([`providers::expression`]). A typo ends here, with its line and "did you mean";
//!    [`app::setup`] gathers all of them.
//! 3. [`collector`] wakes the source in its time, shielded from panics and hangs, and hands it a deadline.
//! 4. [`http::client`] sends, honours rate limits, retries, and [`providers::engine`] follows the pages: a reply becomes rows.
//! 5. The definition's `token` mapping makes a [`core::token::Token`] of a row; [`core::time`] reads
//!    `"2027-01-10T08:00:00.000Z"` as [`core::token::Expiry::At`].
//! 6. [`core::rules`] add labels, owner and lead, or leave the token out.
//! 7. [`core::inventory::Inventory::record`] replaces what a complete scope has said, and keeps what a failed one said before.
//! 8. [`exposition::page`] renders the inventory once per change, compressed; [`pages`] hands the ready bytes to a scrape.
//!    [`storage`] keeps the inventory over a restart.
//! 9. Prometheus evaluates the rules in `alerts/`; Alertmanager mails the owner and pages whoever is on call.
//!
//! # Words
//!
//! The same in code, configuration, labels, alerts, panels and documentation.
//!
//! | word | meaning |
//! |---|---|
//! | provider | a vendor or place that the program knows, by a definition |
//! | source | one configured account at a provider |
//! | listing | one walk of requests that yields tokens; a source has one or more |
//! | scope | one item of a listing's fan-out (a group, a project, a user): the unit that can fail alone |
//! | gap | a scope whose last answer was a failure; what was known of it stays |
//! | token | one credential with an end: an API token, key, client secret, robot account |
//! | inventory | what is known now |
//! | lead | how long before the end people are told; from it come the bands `warning`, `critical`, `expired` |
//! | finding | a policy that a token breaks: it never ends, lives too long, is unused, has no owner |
//!
//! # The modules, in reading order
//!
//! | module | what it is | may use |
//! |---|---|---|
//! | [`core`] | what a token is and what is known of it; no input or output, no clock, no async | nothing |
//! | [`yaml`] | what people write, as a tree with places | `core::mistake` |
//! | [`config`] | the configuration file; the only reader of secrets | `core`, `yaml` |
//! | [`http`] | the manners of asking | `core` |
//! | [`providers`] | definitions, the engine that runs them, and what is no HTTP API | `http`, `core`, `yaml` |
//! | [`collector`] | the only scheduler | `core`, `providers` |
//! | [`storage`], [`exposition`], [`pages`] | the inventory on disk, for Prometheus, and for people | `core` |
//! | [`app`] | the wiring, and the reload | everything |
//! | [`cli`] | the command line, and the demo | everything |
//!
//! `tests/suite/layout.rs` holds these arrows.

pub mod app;
pub mod cli;
pub mod collector;
pub mod config;
pub mod core;
pub mod demo;
pub mod exposition;
pub mod http;
pub mod pages;
pub mod providers;
pub mod schema;
pub mod server;
pub mod storage;
