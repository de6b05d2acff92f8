//! All tests that look at the program from outside, in one crate, so that they link once.

#![allow(clippy::expect_used, clippy::float_cmp, clippy::print_stderr, clippy::unwrap_used, unreachable_pub)]

mod adding_a_provider;
mod alerts;
mod aws;
mod buckets;
mod check_online;
mod cli;
mod collector;
mod completions;
mod compose;
mod config;
mod crashes;
mod dashboards;
mod debian13;
mod definitions;
mod demo;
mod digest;
mod doc_blocks;
mod docs;
mod examples;
mod exposition;
mod faults;
mod fleet;
mod fuzz;
mod health;
mod helm;
mod hostile_names;
mod http;
mod jupyterhub;
mod keystone;
mod kubernetes_objects;
mod layout;
mod licences;
mod locations;
mod netbox;
mod openbao;
mod prism;
mod provider_pages;
mod reload;
mod sample_inventory;
mod secret_leaks;
mod shards;
mod storage;
mod streams;
#[allow(dead_code)] // the soak has a use for all of it
mod stub_provider;
mod tcp_proxy;
mod test_servers;
mod upgrade;
mod validation;
mod walk_throughs;
mod web;
mod wording;
mod workflows;
mod zabbix;
