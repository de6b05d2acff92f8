//! What one replica does when the store stops responding, case by case.

use std::time::Duration;

use crate::core::schedule::members::preferred;
use crate::core::schedule::version::Version;
use crate::core::schedule::{Action, Completed, Content, Finish, Plan, Schedule, Sighted, Times, Turn};

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
            schedule.read(&source(), version("1"), Content::Turn(turn(1, false)), s(at));
        }
    }
    schedule
}

/// What the other replica has put: a claim, or a result after which the source is due in 100 seconds.
fn turn(revision: u64, collecting: bool) -> Turn {
    Turn {
        revision,
        writer: "other".to_owned(),
        nonce: revision,
        collecting,
        next_in_milliseconds: if collecting { 0 } else { 100_000 },
        fingerprint: "f".to_owned(),
        retries: 0,
        failed_collections: 0,
        blob: None,
        previous_blob: None,
    }
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

/// The replica collects at second 140, during an outage. At second `at` it reads this from the store, as the second version.
fn found_after_outage(content: Turn, at: u64) -> Schedule {
    let mut schedule = replica(90, 90);
    assert_eq!(collected_at(&mut schedule, 91), Some(140));
    let completed = Completed { next_in: INTERVAL, fingerprint: "f".to_owned(), retries: 0, failed_collections: 0 };
    let turn = Turn::completed(schedule.turn(&source()), "me", 8, completed);
    schedule.finish(&source(), Finish::Kept { turn, claim: None, since: s(141) }, s(141));
    let look = schedule.looked(&[sighted("other", "12")], &[sighted(&source(), "2")], s(at));
    assert_eq!(look.read, [source()]);
    schedule.read(&source(), version("2"), Content::Turn(content), s(at));
    schedule
}

#[test]
fn result_of_an_outage_is_put_over_a_claim_that_arrived_late() {
    let mut schedule = found_after_outage(turn(2, true), 150);
    let actions = schedule.next(s(150), || 9);
    let [Action::Publish { put, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((put.over.clone(), put.turn.revision), (Some(version("2")), 3));
    assert_eq!(put.turn.next_in(), s(111), "the source is due when it was before");
    // The claim was renewed meanwhile: the result waits for what the next look reads.
    schedule.finish(&source(), Finish::Fenced, s(151));
    assert_eq!((schedule.next(s(151), || 9), schedule.counts().fenced), (vec![], 0));
    schedule.looked(&[sighted("other", "13")], &[sighted(&source(), "3")], s(160));
    schedule.read(&source(), version("3"), Content::Turn(turn(3, false)), s(160));
    assert_eq!((schedule.next(s(160), || 9), schedule.counts().fenced), (vec![], 1), "another result replaces it");
}

#[test]
fn result_of_an_outage_gives_way_to_a_claim_over_another_result() {
    let mut schedule = found_after_outage(turn(4, true), 150);
    assert_eq!((schedule.next(s(150), || 9), schedule.counts().fenced), (vec![], 1));
    assert_eq!(schedule.holder(&source()), Some("other"));
}

#[test]
fn result_of_an_outage_that_is_due_again_gives_way_to_a_claim() {
    let mut schedule = found_after_outage(turn(2, true), 141 + INTERVAL.as_secs());
    assert_eq!((schedule.next(s(262), || 9), schedule.counts().fenced), (vec![], 1));
    assert_eq!(schedule.holder(&source()), Some("other"));
}

#[test]
fn replica_that_is_not_preferred_waits_again_after_an_outage() {
    // `other` comes back as a replica that is preferred.
    let name = (0..)
        .map(|number| format!("other-{number}"))
        .find(|name| preferred([name.as_str(), "me"].into_iter(), &source(), 0) == Some(name))
        .unwrap();
    let mut schedule = replica(90, 90);
    let look = |schedule: &mut Schedule, at: u64| {
        schedule.looked(&[sighted(&name, &at.to_string())], &[sighted(&source(), "1")], s(at));
    };
    look(&mut schedule, 100);
    assert_eq!(schedule.next(s(105), || 7), [], "due, but another one is preferred");
    schedule.look_failed(s(108), s(116));
    schedule.look_failed(s(118), s(126));
    for at in [130, 140, 150] {
        look(&mut schedule, at);
        assert_eq!(schedule.next(s(at), || 7), []);
        assert_eq!(schedule.next(s(at + 9), || 7), [], "{at}");
    }
    look(&mut schedule, 160);
    claim(&mut schedule, 160, Finish::Stopped);
}
