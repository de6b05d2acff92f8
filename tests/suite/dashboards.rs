//! The dashboards: their form, and every number that they show.

mod board;
mod form;
mod numbers;
mod schema;
mod scrape;
mod timing;
