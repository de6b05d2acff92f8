//! Phase and timeouts of one connection.
//!
//! hyper's `header_read_timeout` also closes idle connections, its HTTP/2 keep-alive finds dead peers only, and a timeout of
//! reads or writes misses a client that trickles bytes or answers pings without reading its response.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::close_cause::CloseCause;
use super::limits::{IDLE, READ_STALL, REQUEST_HEAD, RESPONSE};

struct State {
    /// Requests without a complete response.
    requests: u32,
    /// Those of them whose response has started.
    responses: u32,
    /// Waits for the first request, or for the rest of a further one; else the connection is idle, or has requests.
    awaits_head: bool,
    is_http2: bool,
    phase_start: Instant,
    last_bytes: Instant,
}

/// Phase and timeouts of one connection.
pub(super) struct Activity {
    state: Mutex<State>,
    eviction: Notify,
}

impl Activity {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let state =
            State { requests: 0, responses: 0, awaits_head: true, is_http2: false, phase_start: now, last_bytes: now };
        Self { state: Mutex::new(state), eviction: Notify::new() }
    }

    /// The handshake is complete; the first request may arrive.
    pub(super) fn ready(&self, is_http2: bool) {
        let mut state = self.state.lock();
        state.is_http2 = is_http2;
        state.start_phase();
    }

    pub(super) fn bytes_received(&self) {
        let mut state = self.state.lock();
        state.last_bytes = Instant::now();
        // HTTP/2 has frames between requests, such as pings.
        if state.requests == 0 && !state.awaits_head && !state.is_http2 {
            state.awaits_head = true;
            state.start_phase();
        }
    }

    pub(super) fn bytes_sent(&self) {
        self.state.lock().last_bytes = Instant::now();
    }

    /// Sort key for eviction: connections without a request first, then by the last bytes.
    pub(super) fn eviction_rank(&self) -> (bool, Instant) {
        let state = self.state.lock();
        (state.requests > 0, state.last_bytes)
    }

    pub(super) fn evict(&self) {
        self.eviction.notify_one();
    }

    pub(super) async fn evicted(&self) {
        self.eviction.notified().await;
    }

    /// Whether closing now could lose a response: the last bytes of one may still be unsent when the connection is idle.
    pub(super) fn has_pending_response(&self) -> bool {
        !self.state.lock().awaits_head
    }

    /// When the connection times out unless something happens, and the cause to count; `None` if it is merely idle.
    pub(super) fn deadline(&self) -> (Instant, Option<CloseCause>) {
        let state = self.state.lock();
        let after = |time| state.phase_start + time;
        match *state {
            State { awaits_head: true, .. } => (after(REQUEST_HEAD), Some(CloseCause::SlowRequest)),
            State { requests: 0, .. } => (after(IDLE), None),
            State { responses: 0, .. } => (after(RESPONSE), Some(CloseCause::SlowReader)),
            State { last_bytes, .. } => (after(RESPONSE).min(last_bytes + READ_STALL), Some(CloseCause::SlowReader)),
        }
    }
}

impl State {
    fn start_phase(&mut self) {
        self.phase_start = Instant::now();
        self.last_bytes = self.phase_start;
    }
}

/// A request in flight until this is dropped.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    has_response: bool,
}

impl InFlight {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        let mut state = activity.state.lock();
        if state.requests == 0 {
            state.awaits_head = false;
            state.start_phase();
        }
        state.requests += 1;
        drop(state);
        Self { activity: Arc::clone(activity), has_response: false }
    }

    pub(super) fn response_started(&mut self) {
        let mut state = self.activity.state.lock();
        state.last_bytes = Instant::now();
        state.responses += 1;
        self.has_response = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state.lock();
        state.requests -= 1;
        state.responses -= u32::from(self.has_response);
        if state.requests == 0 {
            state.start_phase();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds_left(activity: &Activity) -> (u64, Option<CloseCause>) {
        let (deadline, cause) = activity.deadline();
        ((deadline - Instant::now()).as_secs(), cause)
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_a_deadline() {
        let activity = Arc::new(Activity::new());
        activity.ready(false);
        pass(1).await;
        activity.bytes_received();
        assert_eq!(seconds_left(&activity), (9, Some(CloseCause::SlowRequest)), "a part of a request extends nothing");
        let mut request = InFlight::new(&activity);
        assert_eq!(seconds_left(&activity), (300, Some(CloseCause::SlowReader)), "the handler may take its time");
        request.response_started();
        assert_eq!(seconds_left(&activity), (10, Some(CloseCause::SlowReader)));
        drop(request);
        assert_eq!(seconds_left(&activity), (300, None));
        pass(200).await;
        assert_eq!(seconds_left(&activity), (100, None));
        activity.bytes_received();
        assert_eq!(seconds_left(&activity), (10, Some(CloseCause::SlowRequest)));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_is_bounded_by_the_response_timeout() {
        let activity = Arc::new(Activity::new());
        InFlight::new(&activity).response_started();
        let mut request = InFlight::new(&activity);
        request.response_started();
        for _ in 0..33 {
            pass(9).await;
            activity.bytes_sent();
        }
        assert_eq!(seconds_left(&activity), (3, Some(CloseCause::SlowReader)));
    }

    #[tokio::test(start_paused = true)]
    async fn http2_frames_between_requests_are_not_a_request_head() {
        let activity = Arc::new(Activity::new());
        activity.ready(true);
        let (mut first, second) = (InFlight::new(&activity), InFlight::new(&activity));
        first.response_started();
        drop(first);
        assert_eq!(seconds_left(&activity), (300, Some(CloseCause::SlowReader)), "the second is still in flight");
        drop(second);
        pass(1).await;
        activity.bytes_received();
        assert_eq!(seconds_left(&activity), (299, None));
    }
}
