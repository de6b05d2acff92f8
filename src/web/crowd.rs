//! Who is connected, and who goes where there is no room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::pulse::Pulse;

/// The connections at one door.
pub(super) struct Crowd {
    most: usize,
    members: Mutex<Members>,
    fewer: Notify,
}

#[derive(Default)]
struct Members {
    next: u64,
    all: HashMap<u64, Arc<Pulse>>,
}

/// A place in the crowd; free when this goes.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
}

impl Crowd {
    /// Room for so many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, members: Mutex::default(), fewer: Notify::new() })
    }

    /// Takes in one more. Where there is no room, whoever asks nothing and was silent longest is asked to go: to refuse the
    /// newcomer would let whoever holds all places keep Prometheus out.
    pub(super) fn admit(self: &Arc<Self>, pulse: Arc<Pulse>) -> Place {
        let mut members = self.members();
        if members.all.len() >= self.most
            && let Some(number) = members.all.iter().min_by_key(|(_, pulse)| pulse.rank()).map(|(number, _)| *number)
            && let Some(pulse) = members.all.remove(&number)
        {
            pulse.cut();
        }
        let number = members.next;
        members.next += 1;
        members.all.insert(number, pulse);
        Place { crowd: Arc::clone(self), number }
    }

    /// Waits until nobody is left.
    pub(super) async fn empty(&self) {
        loop {
            let fewer = self.fewer.notified();
            if self.members().all.is_empty() {
                return;
            }
            fewer.await;
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.members().all.remove(&self.number);
        self.crowd.fewer.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::exposition::program::CloseCause;

    #[tokio::test(start_paused = true)]
    async fn whoever_was_silent_longest_makes_room_and_whoever_asks_stays() {
        let crowd = Crowd::new(2);
        let [asking, silent, newcomer] = [(); 3].map(|()| Arc::new(Pulse::new()));
        let places = [crowd.admit(Arc::clone(&asking)), crowd.admit(Arc::clone(&silent))];
        asking.open(false);
        asking.asked();
        tokio::time::sleep(Duration::from_secs(1)).await;
        silent.open(false);
        let third = crowd.admit(newcomer);
        assert_eq!(silent.ends().await, Some(CloseCause::Full));
        assert_eq!(asking.ends().await, Some(CloseCause::SlowReader), "not asked to go");
        drop((places, third));
        crowd.empty().await;
    }
}
