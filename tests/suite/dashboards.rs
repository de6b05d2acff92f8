//! The dashboards: their structure, their queries, and the numbers that they show.

mod dashboard;
mod numbers;
mod replicas;
mod schema;
mod scrape;
mod selection;
mod structure;
mod timing;
