//! The panel Replicas, with replicas that share a real store: processes that see each other, one that is killed, and a store that is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::dashboard::{Dashboard, dashboards};
use super::scrape::{Target, View, prometheus};
use crate::test_servers::{LIMIT, Sample, Server, exporter, target};

const SOURCES: usize = 6;

fn config() -> String {
    let source = |number: usize| {
        format!("  - {{name: source-{number}, provider: manual, tokens: [{{name: a, expires: 2099-01-01}}]}}\n")
    };
    format!("interval: 1s\nsources:\n{}", (0..SOURCES).map(source).collect::<String>())
}

async fn replica(dir: &Path) -> Server {
    let store = format!("--storage.url=file://{}", dir.join("store").display());
    exporter(dir, &config(), &[store.as_str(), "--storage.poll=1s", "--log.level=error"]).await
}

/// The rows of each column, by the instance; each instance has one row.
struct Rows([BTreeMap<String, f64>; 4]);

impl Rows {
    async fn read(view: &View<'_>) -> Self {
        let mut columns = Vec::new();
        for column in ["A", "B", "C", "D"] {
            let rows = view.rows("Replicas", column).await;
            let by_instance: BTreeMap<String, f64> =
                rows.iter().map(|row: &Sample| (row.label("instance").to_owned(), row.value)).collect();
            assert_eq!(by_instance.len(), rows.len(), "an instance has two rows: {rows:?}");
            columns.push(by_instance);
        }
        Self(columns.try_into().unwrap())
    }

    /// Whether exactly these replicas are shown, each sees all of them, and each source has one holder.
    fn are_of(&self, replicas: &[&Server]) -> bool {
        let mut expected: Vec<&str> = replicas.iter().map(|replica| target(replica)).collect();
        expected.sort_unstable();
        let [members, held, up, age] = &self.0;
        self.0.iter().all(|column| column.keys().map(String::as_str).eq(expected.iter().copied()))
            && members.values().all(|members| *members == replicas.len() as f64)
            && held.values().sum::<f64>() == SOURCES as f64
            && up.values().all(|up| *up == 1.0)
            && age.values().all(|age| (0.0..60.0).contains(age))
    }
}

/// Waits until the panel shows what is expected.
async fn wait(view: &View<'_>, what: &str, is_expected: impl Fn(&Rows) -> bool) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let rows = Rows::read(view).await;
        if is_expected(&rows) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {:?}", rows.0);
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_panel_shows_members_holders_and_a_lost_store() {
    let dir = tempfile::tempdir().unwrap();
    let [first, second, third] = [replica(dir.path()).await, replica(dir.path()).await, replica(dir.path()).await];
    let alone = exporter(dir.path(), &config(), &["--log.level=error"]).await;
    let labels = |prometheus| BTreeMap::from([("prometheus_replica", prometheus)]);
    let prometheus = prometheus(
        dir.path(),
        &[
            Target(&first, labels("a")),
            // The same replica, as a second Prometheus scrapes it.
            Target(&first, labels("b")),
            Target(&second, labels("a")),
            Target(&third, labels("a")),
            // Without a store it is not a replica.
            Target(&alone, labels("a")),
        ],
    )
    .await;
    let [dashboard, _, _]: [Dashboard; 3] = dashboards().try_into().unwrap_or_else(|_| panic!("expected three"));
    let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[], at: None };
    wait(&view, "three replicas", |rows| rows.are_of(&[&first, &second, &third])).await;
    let one = View { selected: &[("instance", target(&second))], ..view };
    let rows = Rows::read(&one).await;
    assert_eq!(rows.0[0], BTreeMap::from([(target(&second).to_owned(), 3.0)]), "the filter selects one");

    // A killed replica leaves the panel, and the others take its sources.
    drop(third);
    wait(&view, "two replicas", |rows| rows.are_of(&[&first, &second])).await;

    // The store is lost: a file is in the place of its directory.
    std::fs::rename(dir.path().join("store"), dir.path().join("lost")).unwrap();
    std::fs::write(dir.path().join("store"), "").unwrap();
    wait(&view, "a store that is lost", |rows| {
        let [_, _, up, age] = &rows.0;
        up.len() == 2 && up.values().all(|up| *up == 0.0) && age.values().all(|age| *age > 3.0)
    })
    .await;
}
