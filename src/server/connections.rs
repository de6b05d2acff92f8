//! Open connections of an endpoint, and which of them is closed at the limit.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::activity::Activity;

/// The open connections of an endpoint.
pub(super) struct OpenConnections {
    capacity: usize,
    open: Mutex<Vec<Weak<Activity>>>,
}

impl OpenConnections {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, open: Mutex::default() }
    }

    /// Registers a connection until its `Activity` is dropped. At the limit, evicts the longest-idle connection instead of
    /// rejecting the new one: otherwise a client that holds every slot could lock Prometheus out.
    pub(super) fn add(&self, activity: &Arc<Activity>) {
        let mut open = self.open.lock();
        open.retain(|other| other.strong_count() > 0);
        if open.len() >= self.capacity {
            let rank = |at: &usize| open[*at].upgrade().map(|other| other.eviction_rank());
            let longest_idle = (0..open.len()).min_by_key(rank);
            if let Some(evicted) = longest_idle.and_then(|at| open.swap_remove(at).upgrade()) {
                evicted.evict();
            }
        }
        open.push(Arc::downgrade(activity));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::super::activity::InFlight;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn add_evicts_the_longest_idle_connection_and_spares_requests_in_flight() {
        let connections = OpenConnections::new(2);
        let [busy, idle, newer, newest] = [(); 4].map(|()| Arc::new(Activity::new()));
        let is_evicted = |activity: &Activity| activity.evicted().now_or_never().is_some();
        connections.add(&busy);
        connections.add(&idle);
        let _request = InFlight::new(&busy);
        tokio::time::advance(Duration::from_secs(1)).await;
        idle.bytes_received();
        connections.add(&newer);
        assert!(is_evicted(&idle) && !is_evicted(&busy) && !is_evicted(&newer));
        drop(newer);
        connections.add(&newest);
        assert!(!is_evicted(&busy), "a closed connection leaves its slot");
    }
}
