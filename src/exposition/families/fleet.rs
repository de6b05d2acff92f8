//! The families of replicas that share a store. Only with `--storage.url`.

use super::Family;

pub const STORE_UP: Family = Family {
    name: "token_expiry_exporter_store_up",
    unit: "0 or 1",
    labels: &[],
    help: "1 if the shared store could be read when last tried, 0 if not.",
    about: "Only with `--storage.url`.",
    queries: &[("Replicas that cannot read the shared store", "token_expiry_exporter_store_up == 0")],
};

pub const STORE_LAST_SEEN: Family = Family {
    name: "token_expiry_exporter_store_last_seen_timestamp_seconds",
    unit: "seconds since 1970",
    labels: &[],
    help: "Unix timestamp at which the shared store was last read.",
    about: "Only with `--storage.url`; absent until the store was read.",
    queries: &[(
        "Time since each replica last read the shared store, in seconds",
        "time() - token_expiry_exporter_store_last_seen_timestamp_seconds",
    )],
};

pub const STORE_REQUESTS: Family = Family {
    name: "token_expiry_exporter_store_requests_total",
    unit: "requests",
    labels: &["operation", "result"],
    help: "Requests to the shared store by operation and result (success, error).",
    about: "Only with `--storage.url`. Stores charge for requests. A put that the store refuses because another replica was first is a \
            success.",
    queries: &[(
        "Requests to the shared store by operation, per minute",
        "sum by (operation) (rate(token_expiry_exporter_store_requests_total[10m])) * 60",
    )],
};

pub const MEMBERS: Family = Family {
    name: "token_expiry_exporter_fleet_members",
    unit: "replicas",
    labels: &[],
    help: "Replicas that share the store and are alive, as this one sees them.",
    about: "Only with `--storage.url`.",
    queries: &[(
        "Installations whose replicas do not see each other",
        "min by (job) (token_expiry_exporter_fleet_members) != count by (job) (token_expiry_exporter_fleet_members)",
    )],
};

pub const PREFERRED_SOURCES: Family = Family {
    name: "token_expiry_exporter_fleet_preferred_sources",
    unit: "sources",
    labels: &[],
    help: "Sources that this replica collects while it is alive.",
    about: "Only with `--storage.url`.",
    queries: &[("Sources by replica", "token_expiry_exporter_fleet_preferred_sources")],
};

pub const CLAIMS_LOST: Family = Family {
    name: "token_expiry_exporter_fleet_claims_lost_total",
    unit: "claims",
    labels: &[],
    help: "Collections that did not start because another replica was first.",
    about: "Only with `--storage.url`. Nothing was requested. A few are normal when replicas start or stop.",
    queries: &[("Lost claims per hour", "increase(token_expiry_exporter_fleet_claims_lost_total[1h])")],
};

pub const FENCED: Family = Family {
    name: "token_expiry_exporter_fleet_fenced_total",
    unit: "collections",
    labels: &[],
    help: "Collections whose result was discarded because another replica had taken over.",
    about: "Only with `--storage.url`. After a pause of this replica, or while it could not reach the store.",
    queries: &[("Discarded collections per hour", "increase(token_expiry_exporter_fleet_fenced_total[1h])")],
};

pub const UNREADABLE: Family = Family {
    name: "token_expiry_exporter_fleet_unreadable_objects_total",
    unit: "objects",
    labels: &[],
    help: "States and tokens in the shared store that are damaged, of a newer version or of another installation.",
    about: "Only with `--storage.url`. Previous tokens stay; damaged objects are replaced by a collection.",
    queries: &[(
        "Replicas that found unreadable objects",
        "increase(token_expiry_exporter_fleet_unreadable_objects_total[30m]) > 0",
    )],
};
