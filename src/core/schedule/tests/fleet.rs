//! What a fleet guarantees, whatever happens to its replicas and to the store.

use std::time::Duration;

use proptest::prelude::*;

use super::model::{Event, Fault, INTERVAL, TICK, World};
use crate::core::schedule::Times;

/// The longest collection and a few ticks of latency.
const SLACK: Duration = Duration::from_secs(13);

fn longest_interval() -> Duration {
    INTERVAL.mul_f64(1.1) + SLACK
}

/// No source is requested before it is due again.
fn assert_none_early(world: &World) {
    for (source, requests) in world.by_source() {
        for pair in requests.windows(2) {
            let gap = pair[1].at - pair[0].at;
            assert!(gap >= INTERVAL.mul_f64(0.9) - 2 * TICK, "{source} is early: {gap:?} {pair:?}");
        }
    }
}

/// No source waits for longer than this, during the whole simulation.
fn assert_none_late(world: &World, limit: Duration) {
    for (source, requests) in world.by_source() {
        let times = requests.iter().map(|request| request.at).chain([world.now]);
        let mut last = Duration::ZERO;
        for at in times {
            assert!(at - last <= limit, "{source} is late: {last:?} to {at:?} of {requests:?}");
            last = at;
        }
    }
}

fn assert_all_serve_the_same(world: &World) {
    let mut served = world.alive().map(|replica| &replica.serves);
    let first = served.next().unwrap();
    assert_eq!(first.len(), world.by_source().len(), "every source is served");
    for other in served {
        assert_eq!(other, first);
    }
}

fn event(at: u64, replica: usize, fault: Fault) -> Event {
    Event { at, replica, fault }
}

fn faults() -> impl Strategy<Value = Vec<Event>> {
    let fault = prop_oneof![
        Just(Fault::Kill),
        Just(Fault::Stop),
        Just(Fault::Start),
        (1_u64..150).prop_map(Fault::Pause),
        (1_u64..150).prop_map(Fault::CutOff),
        (1_u64..150).prop_map(Fault::Outage),
    ];
    let event = (0_u64..600, 0_usize..4, fault).prop_map(|(at, replica, fault)| event(at, replica, fault));
    prop::collection::vec(event, 0..8)
}

/// 96 cases by default: three eighths of `PROPTEST_CASES`, with which anyone can search for longer.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases * 3 / 8, failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(config())]

    /// The world asserts at each put that a revision has one winner and that no data goes back.
    #[test]
    fn fleet_recovers_from_any_faults(seed: u64, faults in faults(), lossy in 0_u64..6, longest in 2_u64..90) {
        let mut world = World::new(3, 6, seed);
        (world.lossy, world.longest) = (lossy, longest);
        world.run(600, &faults);
        // The last fault is over 150 s later. At least one replica lives.
        world.lossy = 0;
        world.run(900, &[event(600, 0, Fault::Start)]);
        let before = world.requests.len();
        let (end, times) = (Duration::from_secs(900), Times::default());
        let recovered = INTERVAL.mul_f64(1.1) + times.ttl + 2 * times.poll + Duration::from_secs(longest);
        world.run((end + recovered).as_secs(), &[]);
        for (source, requests) in world.by_source() {
            let again = requests.iter().filter(|request| request.at >= end).count();
            prop_assert!(again > 0, "{} is not collected after the faults", source);
        }
        prop_assert!(world.requests[before..].iter().all(|request| request.is_claimed));
        world.run((end + 2 * recovered).as_secs(), &[]);
    }

    #[test]
    fn fleet_requests_no_source_early_while_replicas_come_and_go(seed: u64, starts in prop::collection::vec((0_u64..500, 0_usize..3), 0..5)) {
        // A rolling restart: a replica joins, then one leaves.
        let restarts = starts.iter().flat_map(|&(at, replica)| {
            [event(at, 0, Fault::Start), event(at + 15, replica, Fault::Stop)]
        });
        let mut world = World::new(4, 8, seed);
        world.run(900, &restarts.collect::<Vec<_>>());
        prop_assert!(world.requests.iter().all(|request| request.is_claimed));
        for (source, requests) in world.by_source() {
            for pair in requests.windows(2) {
                // Only a collection that a stop has released is made again.
                let gap = pair[1].at - pair[0].at;
                let is_released = starts.iter().any(|&(_, replica)| replica == pair[0].replica);
                prop_assert!(is_released || gap >= INTERVAL.mul_f64(0.9) - 2 * TICK, "{}: {:?}", source, pair);
            }
        }
        let Times { fallback, poll, .. } = Times::default();
        assert_none_late(&world, longest_interval() + fallback + poll);
        world.run(920, &[]);
    }

    #[test]
    fn fleet_in_steady_state_requests_each_source_once_per_interval(seed: u64, lossy in prop_oneof![Just(0_u64), 5_u64..10], latency in 1_u64..12) {
        let mut world = World::new(3, 8, seed);
        world.latency = latency;
        world.lossy = lossy;
        world.run(700, &[]);
        assert_none_early(&world);
        // A claim without a response is made again after the next look. With a slow store a look and a claim take its latency each.
        let slow = if latency > 3 { 2 * latency } else { 0 };
        let claim = Duration::from_secs(if lossy > 0 { 120 } else { 20 } + slow);
        assert_none_late(&world, longest_interval() + claim);
        prop_assert!(world.requests.iter().all(|request| request.is_claimed));
        if lossy == 0 {
            let late = world.replicas.iter().map(|replica| replica.schedule.counts().fenced).sum::<u64>();
            prop_assert_eq!(late, 0);
        }
    }

    #[test]
    fn sources_of_a_killed_replica_are_collected_within_interval_ttl_and_poll(seed: u64, at in 100_u64..300, longest in 2_u64..60) {
        let mut world = World::new(3, 8, seed);
        world.longest = longest;
        world.run(600, &[event(at, 0, Fault::Kill)]);
        let Times { poll, ttl, .. } = Times::default();
        let limit = INTERVAL.mul_f64(1.1) + Duration::from_secs(longest + 3) + ttl + poll.mul_f64(1.1);
        assert_none_late(&world, limit);
        for (source, requests) in world.by_source() {
            for pair in requests.windows(2) {
                let is_early = pair[1].at - pair[0].at < INTERVAL.mul_f64(0.9) - 2 * TICK;
                // Within a minute another replica collects what the killed one was collecting.
                let is_taken_over = pair[0].replica == 0 && pair[1].at <= Duration::from_secs(at + 60);
                prop_assert!(!is_early || is_taken_over, "{}: {:?}", source, pair);
            }
        }
    }

    #[test]
    fn outage_of_the_store_makes_no_request_early_and_none_late(seed: u64, at in 100_u64..300, seconds in 1_u64..400, latency in 1_u64..12) {
        let mut world = World::new(3, 8, seed);
        world.latency = latency;
        world.run(1000, &[event(at, 0, Fault::Outage(seconds))]);
        assert_none_early(&world);
        let Times { ttl, poll, fallback, .. } = Times::default();
        // A slow store may apply a claim after the outage: its replica sees it at its next look, waits for the preferred one, and claims.
        let slow = if latency > 3 { poll.mul_f64(1.1) + Duration::from_secs(2 * latency) } else { Duration::ZERO };
        assert_none_late(&world, longest_interval() + ttl + fallback + slow);
        world.run(1015, &[]);
    }

    /// A short one: a replica that others have seen dead before the outage, and that lives, is collected for by both.
    #[test]
    fn outage_after_a_pause_makes_no_request_early(seed: u64, at in 130_u64..260, paused in 1_u64..12, latency in 1_u64..12) {
        let mut world = World::new(3, 8, seed);
        world.latency = latency;
        world.run(at + 100, &[event(at - paused, 0, Fault::Pause(paused)), event(at, 0, Fault::Outage(300))]);
        let (began, outage) = (Duration::from_secs(at - paused), Duration::from_secs(at));
        for (source, requests) in world.by_source() {
            for pair in requests.windows(2).filter(|pair| pair[1].at >= outage) {
                // What it was asking for when it was paused, others have asked for again.
                let was_asking = pair[0].replica == 0 && pair[0].at + SLACK >= began && pair[0].at <= outage;
                let gap = pair[1].at - pair[0].at;
                prop_assert!(was_asking || gap >= INTERVAL.mul_f64(0.9) - 2 * TICK, "{}: {:?} {:?}", source, gap, pair);
            }
        }
    }

    #[test]
    fn paused_replica_overwrites_nothing(seed: u64, at in 100_u64..300, seconds in 1_u64..200) {
        let mut world = World::new(3, 8, seed);
        world.longest = 30;
        world.run(700, &[event(at, 1, Fault::Pause(seconds))]);
        let Times { ttl, poll, .. } = Times::default();
        assert_none_late(&world, INTERVAL.mul_f64(1.1) + Duration::from_secs(33) + ttl + 2 * poll);
        prop_assert!(world.requests.iter().all(|request| request.is_claimed));
    }

    #[test]
    fn emptied_store_is_filled_again_without_early_requests(seed: u64, at in 100_u64..300) {
        let mut world = World::new(3, 8, seed);
        world.run(700, &[event(at, 0, Fault::Empty)]);
        for (source, requests) in world.by_source() {
            for pair in requests.windows(2) {
                let is_early = pair[1].at - pair[0].at < INTERVAL.mul_f64(0.9) - 2 * TICK;
                // Only collections that were running, or whose result the others have not seen, are made again.
                let was_running = pair[0].at + Duration::from_secs(27) >= Duration::from_secs(at);
                prop_assert!(!is_early || was_running, "{}: {:?}", source, pair);
            }
        }
        assert_none_late(&world, 2 * longest_interval());
    }
}

#[test]
fn fleet_serves_the_same_on_every_replica() {
    let mut world = World::new(3, 8, 7);
    world.run(60, &[]);
    assert_eq!(world.requests.len(), 8, "a cold start requests each source once");
    assert_all_serve_the_same(&world);
    // A new replica serves everything after its first look.
    world.run(70, &[event(60, 0, Fault::Start)]);
    assert_all_serve_the_same(&world);
    assert!(world.alive().all(|replica| replica.schedule.is_complete()));
}
