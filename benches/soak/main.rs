//! The soak: months of simulated time and half an hour of real time under random faults, compared with the exporter's
//! promises.
//!
//!     make soak                              about half an hour
//!     SOAK_MINUTES=600 SOAK_SEED=7 make soak
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `SOAK_MINUTES` | 24 | duration of the chaos run; at least 20 |
//! | `SOAK_KILLS` | 1000 | number of kills while the exporter saves |
//! | `SOAK_DAYS` | 180 | simulated days |
//! | `SOAK_SEED` | 1 | seed of the random numbers; the same seed plans the same faults |
//! | `SOAK_TABLE` | | file in which the table is replaced |
//!
//! Its parts are modules: `simulation` (the real collector and inventory under a paused clock), `restarts` (time until the
//! first complete scrape), `kills`, `chaos` (faults, reloads and kills, with a real Prometheus that evaluates the real rules),
//! and `burst` (1,000 scrapes per second).

#![allow(clippy::cast_precision_loss, clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

mod burst;
mod chaos;
mod kills;
mod report;
mod restarts;
mod simulation;
#[path = "../../tests/suite/stub_provider.rs"]
#[allow(dead_code, unreachable_pub)]
mod stub_provider;
#[path = "../../tests/suite/test_servers.rs"]
#[allow(dead_code, unreachable_pub, clippy::print_stderr)]
mod test_servers;

use std::time::Duration;

use report::Row;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: `{text}` is not a number")))
}

fn main() {
    let seed = number("SOAK_SEED", 1);
    let (minutes, kills) = (number("SOAK_MINUTES", 24).max(1), number("SOAK_KILLS", 1000));
    let days = number("SOAK_DAYS", 180);
    let mut rows: Vec<Row> = Vec::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Measured before the parts that run concurrently.
    rows.extend(runtime.block_on(restarts::run()));
    report::print(&rows);
    let simulation = std::thread::spawn(move || simulation::run(seed, days));
    let (kill_rows, chaos_rows) = runtime.block_on(async {
        let killed = tokio::spawn(kills::run(seed, kills));
        let chaos_rows = chaos::run(seed, Duration::from_secs(minutes * 60)).await;
        (killed.await.unwrap(), chaos_rows)
    });
    rows.extend(kill_rows);
    rows.extend(chaos_rows);
    rows.extend(simulation.join().unwrap());
    report::print(&rows);
    if let Ok(file) = std::env::var("SOAK_TABLE") {
        report::write(&file, &rows);
    }
    let failed: Vec<_> = rows.iter().filter(|row| !row.held).map(|row| row.what.as_str()).collect();
    assert!(failed.is_empty(), "promises not kept: {failed:#?}");
}
