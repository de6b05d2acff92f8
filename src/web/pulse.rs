//! The signs of life of one connection, and when there were too few of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::limits::{ANSWER, HANDSHAKE, HEAD, IDLE, STALL};
use crate::exposition::program::CloseCause;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The TLS handshake is not over.
    Handshake,
    /// No request has come yet.
    First,
    /// All requests are answered.
    Idle,
    /// A part of a further request has come.
    Head,
    /// Requests are being answered, and of some the answer is on its way.
    Answering { requests: u32, sending: u32 },
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// When the phase began.
    since: Instant,
    /// When bytes came or went.
    alive: Instant,
    /// In HTTP/2 bytes come also without a request.
    heads_show: bool,
}

/// The signs of life of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    state: Mutex<State>,
    /// The limit came closer.
    hurry: Notify,
    /// The connection is to end: another needs its place.
    cut: Notify,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let state = State { phase: Phase::Handshake, since: now, alive: now, heads_show: true };
        Self { state: Mutex::new(state), hurry: Notify::new(), cut: Notify::new() }
    }

    /// Requests may come.
    pub(super) fn open(&self, http2: bool) {
        let mut state = self.state();
        state.heads_show = !http2;
        state.enter(Phase::First);
        self.hurry.notify_one();
    }

    /// Bytes came.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        state.alive = Instant::now();
        if state.phase == Phase::Idle && state.heads_show {
            state.enter(Phase::Head);
            self.hurry.notify_one();
        }
    }

    /// Bytes went.
    pub(super) fn told(&self) {
        self.state().alive = Instant::now();
    }

    /// A request has come. It is under way until [`Pulse::answered`].
    pub(super) fn asked(&self) {
        let mut state = self.state();
        match &mut state.phase {
            Phase::Answering { requests, .. } => *requests += 1,
            _ => state.enter(Phase::Answering { requests: 1, sending: 0 }),
        }
    }

    /// An answer begins to be sent.
    pub(super) fn sends(&self) {
        let mut state = self.state();
        state.alive = Instant::now();
        if let Phase::Answering { sending, .. } = &mut state.phase {
            *sending += 1;
            self.hurry.notify_one();
        }
    }

    /// An answer has been handed over, or given up. `sent` says whether its sending had begun.
    pub(super) fn answered(&self, sent: bool) {
        let mut state = self.state();
        if let Phase::Answering { requests, sending } = &mut state.phase {
            *requests = requests.saturating_sub(1);
            *sending = sending.saturating_sub(u32::from(sent));
            if *requests == 0 {
                state.enter(Phase::Idle);
            }
        }
    }

    /// Ends the connection, so that another has its place.
    pub(super) fn cut(&self) {
        self.cut.notify_one();
    }

    /// Who goes first where there is no room: whoever asks nothing, and then whoever was silent longest.
    pub(super) fn rank(&self) -> (bool, Instant) {
        let state = self.state();
        (matches!(state.phase, Phase::Answering { .. }), state.alive)
    }

    /// Whether something that was asked for would be lost. After an answer its last bytes may still be on their way.
    pub(super) fn owes(&self) -> bool {
        matches!(self.state().phase, Phase::Idle | Phase::Answering { .. })
    }

    /// Waits until it has been too long, or the place is needed. None where a connection that was merely idle may end.
    pub(super) async fn ends(&self) -> Option<CloseCause> {
        loop {
            let (at, cause) = self.state().limit();
            tokio::select! {
                () = self.cut.notified() => return Some(CloseCause::Full),
                () = self.hurry.notified() => {}
                () = sleep_until(at) => {
                    if self.state().limit().0 <= Instant::now() {
                        return cause;
                    }
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
        self.alive = self.since;
    }

    /// When it will have been too long, if nothing happens, and why the connection then ends.
    fn limit(&self) -> (Instant, Option<CloseCause>) {
        let after = |time: Duration| self.since + time;
        match self.phase {
            Phase::Handshake => (after(HANDSHAKE), Some(CloseCause::SlowHandshake)),
            Phase::First | Phase::Head => (after(HEAD), Some(CloseCause::SlowRequest)),
            Phase::Idle => (after(IDLE), None),
            Phase::Answering { sending: 0, .. } => (after(ANSWER), Some(CloseCause::SlowReader)),
            Phase::Answering { .. } => (after(ANSWER).min(self.alive + STALL), Some(CloseCause::SlowReader)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ends(pulse: &Pulse) -> (u64, Option<CloseCause>) {
        let begun = Instant::now();
        let cause = pulse.ends().await;
        (begun.elapsed().as_secs(), cause)
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_time() {
        let pulse = Pulse::new();
        assert_eq!(ends(&pulse).await, (10, Some(CloseCause::SlowHandshake)));
        pulse.open(false);
        pulse.heard();
        assert_eq!(ends(&pulse).await, (10, Some(CloseCause::SlowRequest)), "bytes alone are no request");
        pulse.asked();
        assert_eq!(ends(&pulse).await, (300, Some(CloseCause::SlowReader)), "the program itself may take its time");
        pulse.sends();
        assert_eq!(ends(&pulse).await.1, Some(CloseCause::SlowReader));
        pulse.answered(true);
        assert_eq!(ends(&pulse).await, (300, None));
        pulse.heard();
        assert_eq!(ends(&pulse).await, (10, Some(CloseCause::SlowRequest)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_takes_a_little_is_borne_for_so_long() {
        let pulse = Pulse::new();
        pulse.open(false);
        pulse.asked();
        pulse.sends();
        let begun = Instant::now();
        let told = async {
            loop {
                tokio::time::sleep(Duration::from_secs(9)).await;
                pulse.told();
            }
        };
        let cause = tokio::select! { cause = pulse.ends() => cause, () = told => None };
        assert_eq!((begun.elapsed().as_secs(), cause), (300, Some(CloseCause::SlowReader)));
    }

    #[tokio::test(start_paused = true)]
    async fn in_http2_what_comes_between_requests_is_no_head() {
        let pulse = Pulse::new();
        pulse.open(true);
        for _ in 0..2 {
            pulse.asked();
        }
        pulse.sends();
        pulse.answered(true);
        assert_eq!(ends(&pulse).await.0, 300, "one is still under way");
        pulse.answered(false);
        pulse.heard();
        assert_eq!(ends(&pulse).await, (300, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_comes_closer_is_kept() {
        let pulse = Pulse::new();
        pulse.open(false);
        pulse.asked();
        pulse.answered(false);
        let heard = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            pulse.heard();
        };
        assert_eq!(tokio::join!(ends(&pulse), heard).0, (15, Some(CloseCause::SlowRequest)));
    }
}
