//! The soak: what the exporter promises, held for months of simulated time and a while of real time, under random troubles.
//!
//!     make soak                              about half an hour
//!     SOAK_MINUTES=600 SOAK_SEED=7 make soak
//!
//! | variable | default | what |
//! |---|---|---|
//! | `SOAK_MINUTES` | 24 | real time of the siege; at least 20 |
//! | `SOAK_KILLS` | 1000 | how often a process is killed while it saves |
//! | `SOAK_DAYS` | 180 | simulated time |
//! | `SOAK_SEED` | 1 | of all that is random: the same seed plans the same troubles |
//! | `SOAK_TABLE` | | a file between whose marks the table is written |
//!
//! Its parts, each a module: `months` (the real collector and inventory under a paused clock), `restarts` (how soon all is
//! there again), `kills`, `siege` (troubles, reloads and kills, with a real Prometheus that evaluates the real rules), and
//! `burst` (scrapes by the thousand).

#![allow(clippy::cast_precision_loss, clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

mod burst;
#[path = "../../tests/suite/equipment.rs"]
#[allow(dead_code, unreachable_pub, clippy::print_stderr)]
mod equipment;
mod kills;
mod months;
mod restarts;
mod siege;
#[path = "../../tests/suite/stub.rs"]
#[allow(dead_code, unreachable_pub)]
mod stub;
mod table;

use std::time::Duration;

use table::Row;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text} is no number")))
}

fn main() {
    let seed = number("SOAK_SEED", 1);
    let (minutes, kills) = (number("SOAK_MINUTES", 24).max(1), number("SOAK_KILLS", 1000));
    let days = number("SOAK_DAYS", 180);
    let mut rows: Vec<Row> = Vec::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Alone on the machine, as far as it is up to the soak; all else runs at the same time.
    rows.extend(runtime.block_on(restarts::run()));
    table::print(&rows);
    let simulated = std::thread::spawn(move || months::run(seed, days));
    let (killed, siege) = runtime.block_on(async {
        let killed = tokio::spawn(kills::run(seed, kills));
        let siege = siege::run(seed, Duration::from_secs(minutes * 60)).await;
        (killed.await.unwrap(), siege)
    });
    rows.extend(killed);
    rows.extend(siege);
    rows.extend(simulated.join().unwrap());
    table::print(&rows);
    if let Ok(file) = std::env::var("SOAK_TABLE") {
        table::write(&file, &rows);
    }
    let broken: Vec<_> = rows.iter().filter(|row| !row.held).map(|row| row.what.as_str()).collect();
    assert!(broken.is_empty(), "not held: {broken:#?}");
}
