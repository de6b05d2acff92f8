//! What one replica does when the store stops responding, case by case.

use std::time::Duration;

use crate::core::schedule::version::Version;
use crate::core::schedule::{Action, Content, Finish, Plan, Schedule, Sighted, Times, Turn};

const INTERVAL: Duration = Duration::from_secs(120);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn version(etag: &str) -> Version {
    Version { etag: etag.to_owned(), generation: None }
}

fn sighted(name: &str, etag: &str) -> Sighted {
    Sighted { name: name.to_owned(), etag: etag.to_owned(), age: Some(Duration::ZERO) }
}

/// A replica `me` with one source, which another replica has collected and which is due at second 100. Both have looked each ten
/// seconds until `looked`, and the other one has put its member at second `beat` for the last time.
fn replica(looked: u64, beat: u64) -> Schedule {
    let mut schedule = Schedule::shared("me".to_owned(), Times::default());
    let plan = Plan { name: source(), interval: INTERVAL, fingerprint: "f".to_owned() };
    schedule.configure(vec![plan], s(0), |_| s(0));
    for at in (0..=looked).step_by(10) {
        schedule.beat(s(at));
        let other = sighted("other", &(at.min(beat) / 10).to_string());
        let look = schedule.looked(&[other], &[sighted(&source(), "1")], s(at));
        if look.read == [source()] {
            let turn = Turn {
                revision: 1,
                writer: "other".to_owned(),
                nonce: 1,
                collecting: false,
                next_in_milliseconds: 100_000,
                fingerprint: "f".to_owned(),
                retries: 0,
                failed_collections: 0,
                blob: None,
                previous_blob: None,
            };
            schedule.read(&source(), version("1"), Content::Turn(turn), s(at));
        }
    }
    schedule
}

/// A source that this replica prefers over `other`.
fn source() -> String {
    "source-1".to_owned()
}

/// The store does not respond from second `from` on; when the source is collected, until second 500.
fn collected_at(schedule: &mut Schedule, from: u64) -> Option<u64> {
    (from..500).find(|&now| {
        if now % 10 == 0 {
            schedule.look_failed(s(now - 5), s(now));
        }
        match &schedule.next(s(now), || 7)[..] {
            [] => false,
            [Action::Collect { claim: None, .. }] => true,
            // A claim before the store is lost, which has no response.
            _ => {
                schedule.finish(&source(), Finish::Stopped, s(now));
                false
            }
        }
    })
}

/// Claims the source at this second, and reports this end.
fn claim(schedule: &mut Schedule, at: u64, finish: Finish) {
    let actions = schedule.next(s(at), || 7);
    assert!(matches!(actions[..], [Action::Collect { claim: Some(_), .. }]), "{at}: {actions:?}");
    schedule.finish(&source(), finish, s(at));
}

#[test]
fn source_that_is_due_in_an_outage_is_collected_by_its_replica() {
    let mut schedule = replica(90, 90);
    assert_eq!(collected_at(&mut schedule, 91), Some(140), "once the store is lost");
}

#[test]
fn replica_that_was_alive_at_the_last_look_stays_alive_in_an_outage() {
    // 30 seconds and two polls without a look are more than the TTL.
    let mut schedule = replica(90, 60);
    assert_eq!(schedule.members(s(90)), ["me", "other"]);
    assert!(collected_at(&mut schedule, 91).is_some());
    assert_eq!(schedule.members(s(400)), ["me", "other"]);
}

#[test]
fn source_whose_claim_was_lost_before_an_outage_waits_for_an_interval() {
    let mut schedule = replica(100, 100);
    claim(&mut schedule, 101, Finish::ClaimLost);
    assert_eq!(collected_at(&mut schedule, 102), Some(101 + INTERVAL.as_secs()), "another replica was collecting it");
}

#[test]
fn source_that_was_open_to_others_before_an_outage_waits_for_an_interval() {
    // Claims have no response, but looks have, for longer than others wait.
    let mut schedule = replica(100, 100);
    for at in (101..=131).step_by(10) {
        claim(&mut schedule, at, Finish::Stopped);
        schedule.beat(s(at + 1));
        schedule.looked(&[sighted("other", &at.to_string())], &[sighted(&source(), "1")], s(at + 1));
    }
    // The first look that fails begins at second 135.
    assert_eq!(collected_at(&mut schedule, 133), Some(135 + INTERVAL.as_secs()));
}
