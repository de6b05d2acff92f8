//! Prometheus exporter for API token expiry: it collects the expiry of every token from the services that issue them, keeps it in
//! memory, and serves it as metrics. This page is the map of the code.
//!
//! # How it works
//!
//! How `"expiresAt": "2027-01-10T08:00:00.000Z"` becomes an alert, in the order of the code:
//!
//! 1. [`config`] reads `sources: [{name: atlassian, provider: atlassian-cloud, org_id: …, credential: {file: …}}]`. An error is
//!    reported with file, line and "did you mean".
//! 2. [`providers`] finds the definition `atlassian-cloud.yaml`, validates the source's settings against it and compiles its jq
//!    expressions once. [`app`] puts the errors of both together.
//! 3. [`collector`] schedules the source, and runs its listings with one timeout, isolated from panics.
//! 4. [`http`] sends requests, honours rate limits, retries, and never leaves the origin; the engine in [`providers`] follows the
//!    pages. A response becomes rows.
//! 5. The definition's `token` mapping turns a row into a [`core::token::Token`]; [`core::time`] parses the timestamp.
//!    [`core::intake`] normalizes it; an unchanged token becomes the known one, equal values of new ones are shared.
//! 6. [`core::rules`] add labels, an owner or a lead, or drop the token.
//! 7. [`core::inventory`] replaces the tokens of complete scopes and keeps those of failed ones. [`storage`] persists them.
//! 8. [`exposition`] renders the metrics once per change, compressed; [`pages`] returns the cached bytes to a scrape, through
//!    [`server`].
//! 9. Prometheus evaluates the rules in `alerts/`; Alertmanager notifies the owner and pages on-call.
//!
//! # Terms
//!
//! The same in code, configuration, labels, alerts, panels and documentation.
//!
//! | term | meaning |
//! |---|---|
//! | provider | a vendor or service that the exporter knows, described by a definition |
//! | source | one configured account at a provider |
//! | collection | one run of one source through its listings |
//! | listing | a sequence of requests that yields tokens; a source has one or more |
//! | fan-out, scope | requests repeated per element of an earlier result (a group, a project, a user); a scope is one element, the unit that can fail alone |
//! | gap | a scope whose last collection failed; its previous tokens stay |
//! | token | one credential with an expiry: API token, key, client secret, robot account, certificate |
//! | inventory | every token known now |
//! | lead | time before expiry at which alerts start |
//! | band | alert band of a due token: `warning`, `critical` or `expired` |
//! | finding | a policy that a token violates: never expires, lives too long, unused, no owner, unreadable expiry |
//! | adjustment | a change to provider data before it is shown: a value sanitized, truncated or omitted, a duplicate row |
//!
//! # Modules, in reading order
//!
//! | module | contents | may use |
//! |---|---|---|
//! | [`core`] | tokens, time, leads, rules, inventory; no I/O, no clock, no async | nothing |
//! | [`schema`] | YAML read against tables of keys: errors with positions, JSON Schema, Markdown | `core` |
//! | [`config`] | the configuration file; credentials from files and environment variables | `core`, `schema` |
//! | [`http`] | client, retries, rate limits, origin check, redaction | `core` |
//! | [`providers`] | definitions, their language, the engine that runs them, and sources that are not HTTP APIs | `core`, `schema`, `http` |
//! | [`collector`] | the scheduler | `core`, `providers`, the trait of the shared store |
//! | [`storage`] | the persisted inventory | `core` |
//! | [`exposition`] | metric families, and the compressed page | `core` |
//! | [`pages`] | metrics endpoint, JSON API, calendar, status page | `core`, `schema`, `exposition` |
//! | [`server`] | listeners, TLS, users, limits | `core`, `schema`, `exposition` |
//! | [`app`] | wiring and reload | all of the above |
//! | [`demo`] | an invented organisation, collected over real HTTP | `core`, `app` |
//! | [`cli`] | one file per subcommand | everything |
//!
//! `tests/suite/layout.rs` enforces these arrows, and that none of them form a circle inside a module.

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
