//! A collection with a claim, and the put of its result.

use std::time::Duration;

use tokio::time::sleep;
use tracing::debug;

use super::super::attempt::Attempt;
use super::super::task::Running;
use super::Fleet;
use super::objects::PutResult;
use crate::core::schedule::version::Version;
use crate::core::schedule::{Claim, Finish, Put, Turn};

/// Between two attempts to renew a claim.
const MIN_RENEWAL: Duration = Duration::from_secs(1);

/// How often a put is repeated over an own object that arrived late.
const MAX_REPEATS: usize = 3;

impl Fleet {
    /// Claims and collects a source. Without a claim the store is lost: then it claims as soon as it can.
    pub(in super::super) async fn collect(&self, task: &Running, over: Option<Turn>, claim: Option<Put>) -> Finish {
        let (shared, name) = (&task.shared, task.job.job.name.as_str());
        if let Some(put) = claim {
            let (put_at, turn) = (shared.now(), put.turn.clone());
            match self.objects.put_state(shared, name, put).await {
                PutResult::Done(version) => *task.held.lock() = Some(Claim::new(turn, version, put_at)),
                PutResult::Refused(_) => return Finish::ClaimLost,
                PutResult::Unknown => return Finish::Stopped,
            }
        }
        // Dropped, and so aborted, when the claim is lost.
        let collecting = task.collect();
        tokio::pin!(collecting);
        let mut not_before = Duration::ZERO;
        let attempt = loop {
            let now = shared.now();
            let renew_at = task.held.lock().as_ref().map_or(now, |claim| claim.renew_at(self.times.ttl));
            tokio::select! {
                biased;
                () = sleep(renew_at.max(not_before).saturating_sub(now)) => {
                    not_before = shared.now() + MIN_RENEWAL;
                    if !self.renew(task).await {
                        debug!(source = name, "another replica has taken over; collection stopped");
                        return Finish::Fenced;
                    }
                }
                attempt = &mut collecting => break attempt,
            }
        };
        let turn = self.complete(task, attempt, over).await;
        let since = shared.now();
        let Some(claim) = task.held.lock().clone() else { return Finish::Kept { turn, claim: None, since } };
        let version = claim.version().clone();
        if shared.schedule.lock().is_lost() {
            return Finish::Kept { turn, claim: Some(version), since };
        }
        let previous = claim.turn().previous_blob.clone();
        let finish = self.put_result(task, Some(version), turn).await;
        if let (Finish::Published { turn, .. }, Some(previous)) = (&finish, previous)
            && Some(&previous) != turn.blob.as_ref()
            && Some(&previous) != turn.previous_blob.as_ref()
            && let Err(error) = self.objects.delete(&previous).await
        {
            debug!(source = name, %error, "cannot delete previous tokens");
        }
        finish
    }

    /// Puts a result that was kept while the store was lost.
    pub(in super::super) async fn publish(&self, task: &Running, put: Put) -> Finish {
        self.put_result(task, put.over, put.turn).await
    }

    /// Renews the claim, or makes it. Whether the collection may go on.
    async fn renew(&self, task: &Running) -> bool {
        let (shared, name) = (&task.shared, task.job.job.name.as_str());
        let now = shared.now();
        let put = {
            let (held, schedule) = (task.held.lock(), shared.schedule.lock());
            match &*held {
                Some(claim) if claim.is_expired(self.times.ttl, now) && !schedule.is_failing() => return false,
                Some(_) if schedule.is_lost() => None,
                Some(claim) => Some(Put { over: Some(claim.version().clone()), turn: claim.renewal(rand::random()) }),
                None => schedule.late_claim(name, now, rand::random()),
            }
        };
        let Some(put) = put else { return true };
        let turn = put.turn.clone();
        let result = self.objects.put_state(shared, name, put).await;
        let mut held = task.held.lock();
        match (result, &mut *held) {
            (PutResult::Done(version), held) => {
                *held = Some(Claim::new(turn, version, now));
                true
            }
            (PutResult::Refused(Some((turn, version))), Some(claim)) => claim.continues_over(&turn, &version),
            (PutResult::Refused(Some((turn, version))), None) => shared.schedule.lock().is_own(name, &turn, &version),
            (PutResult::Refused(None), _) => false,
            (PutResult::Unknown, _) => true,
        }
    }

    /// Records the outcome, with times of the store's clock.
    async fn complete(&self, task: &Running, attempt: Attempt, over: Option<Turn>) -> Turn {
        let clock = *self.clock.lock();
        let Attempt { outcome, started, finished } = attempt;
        let attempt = Attempt { outcome, started: clock.time(started), finished: clock.time(finished) };
        let claimed = task.held.lock().as_ref().map(|claim| claim.turn().clone());
        task.complete(attempt, claimed.or(over).as_ref(), &self.objects.replica).await
    }

    /// Puts the tokens, if they have changed, and then the state that names them. The time that the puts take does not delay the next
    /// collection.
    async fn put_result(&self, task: &Running, mut over: Option<Version>, mut turn: Turn) -> Finish {
        let (shared, name) = (&task.shared, task.job.job.name.as_str());
        let since = shared.now();
        for _ in 0..MAX_REPEATS {
            match self.put_tokens(task, over.is_some(), turn.clone()).await {
                Some(with_tokens) => turn = with_tokens,
                None => return Finish::Kept { turn, claim: over, since },
            }
            let put_at = shared.now();
            let put = Put { over: over.clone(), turn: turn.postponed(put_at.saturating_sub(since), turn.revision) };
            let put_turn = put.turn.clone();
            match self.objects.put_state(shared, name, put).await {
                PutResult::Done(version) => return Finish::Published { turn: put_turn, version, since: put_at },
                PutResult::Unknown => return Finish::Kept { turn, claim: over, since },
                PutResult::Refused(Some((other, version))) if other.nonce == turn.nonce => {
                    return Finish::Published { turn: other, version, since: put_at };
                }
                // A renewal that arrived late.
                PutResult::Refused(Some((other, version))) if other.writer == self.objects.replica => {
                    turn.revision = turn.revision.max(other.revision.saturating_add(1));
                    over = Some(version);
                }
                PutResult::Refused(_) => return Finish::Fenced,
            }
        }
        Finish::Kept { turn, claim: over, since }
    }

    /// The schedule with the tokens of the inventory, which the store then has; `None` without a response.
    async fn put_tokens(&self, task: &Running, has_object: bool, turn: Turn) -> Option<Turn> {
        let (shared, name) = (&task.shared, task.job.job.name.as_str());
        let (revision, stored) = {
            let inventory = shared.inventory.read();
            (inventory.revision(name)?.tokens, inventory.shared(name)?)
        };
        let known = self.known.lock().get(name).and_then(|known| known.blob.clone());
        if let (Some((known, blob)), true) = (known, has_object)
            && known == revision
            && turn.blob.as_ref() == Some(&blob)
        {
            return Some(turn.with_blob(blob));
        }
        let (blob, bytes) = self.objects.encode(name, stored.tokens).await?;
        if (!has_object || turn.blob.as_ref() != Some(&blob)) && self.objects.put(&blob, bytes).await.is_err() {
            return None;
        }
        self.known.lock().entry(name.to_owned()).or_default().blob = Some((revision, blob.clone()));
        Some(turn.with_blob(blob))
    }
}
