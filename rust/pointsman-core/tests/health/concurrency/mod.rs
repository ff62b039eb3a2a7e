//! The limit of calls under way, in simulated worlds whose truth is known; each check also runs on wrong twins, which
//! must fail it.

mod limiters;
mod world;

use std::collections::BTreeSet;

use limiters::{Limiter, Ours, aimd, following, gradient2};
use world::{CALM, Seen, Tail, World, run};

const TAILS: [Tail; 2] = [Tail::LogNormal(1.0), Tail::Pareto(1.5)];
/// Answers that take much longer than their first token, and answers in one piece.
const GENERATIONS_S: [f64; 2] = [4.0, 0.0];

type Checked = Result<(), String>;

fn ours(initial: f64) -> Ours {
    Ours::new(initial, 4.0)
}

fn check(holds: bool, said: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(said()) }
}

fn median_limit(seen: &[Seen]) -> f64 {
    let mut limits: Vec<f64> = seen.iter().map(|one| one.limit).collect();
    limits.sort_unstable_by(f64::total_cmp);
    limits[limits.len() / 2]
}

fn share_refused(seen: &[Seen]) -> f64 {
    seen.iter().filter(|one| one.is_refused).count() as f64 / seen.len() as f64
}

fn between(seen: &[Seen], from_s: f64, until_s: f64) -> &[Seen] {
    let start = seen.partition_point(|one| one.now_s < from_s);
    &seen[start..seen.partition_point(|one| one.now_s < until_s)]
}

/// A provider without a queue: once the limit has grown, no call is refused, however heavy the tail.
fn leaves_heavy_tails_alone<L: Limiter>(make: impl Fn(f64) -> L) -> Checked {
    for tail in TAILS {
        for generation_s in GENERATIONS_S {
            for (initial, n_offered, n_free) in
                [(200.0, 150, 0), (200.0, 400, 10_000), (20.0, 100, 10_000)]
            {
                let world = World {
                    tail,
                    generation_s,
                    ..CALM
                }
                .offered(1.0, n_offered);
                let seen = run(world, &mut make(initial));
                let refused = share_refused(&seen[n_free..]);
                check(refused == 0.0, || {
                    format!(
                        "{world:?} from {initial}: {refused} refused, limit {}",
                        median_limit(&seen)
                    )
                })?;
            }
        }
    }
    Ok(())
}

/// A provider of 50 servers: the limit is little more than they are, nothing drifts, and they have work.
fn finds_the_servers<L: Limiter>(make: impl Fn(f64) -> L) -> Checked {
    for (seed, load) in [(1, 0.5), (2, 1.2), (3, 1.5), (4, 3.0), (5, 1.2), (6, 3.0)] {
        for tail in TAILS {
            for generation_s in GENERATIONS_S {
                for initial in [20.0, 200.0] {
                    let world = World {
                        n_servers: |_| 50,
                        tail,
                        generation_s,
                        seed,
                        ..CALM
                    };
                    let seen = run(world.offered(load, 50), &mut make(initial));
                    settles_near(50.0, load, &seen[10_000..])
                        .map_err(|said| format!("{world:?} from {initial}, load {load}: {said}"))?;
                }
            }
        }
    }
    Ok(())
}

fn settles_near(n_servers: f64, load: f64, seen: &[Seen]) -> Checked {
    let served = (1.0 - share_refused(seen)) / (1.0 / load).min(1.0);
    check(served > 0.8, || {
        format!("{served} of what is possible served")
    })?;
    for part in seen.chunks(seen.len() / 4) {
        // A limit that does not bind may be any above.
        let is_binding = share_refused(part) > 0.01;
        let most = if is_binding {
            1.6 * n_servers
        } else {
            f64::MAX
        };
        let median = median_limit(part);
        check((0.7 * n_servers..=most).contains(&median), || {
            format!("limit {median}")
        })?;
    }
    Ok(())
}

/// A provider of ten servers at 1.5 times their load: answers until a limit that began at 200 is near them.
fn answers_until_found(generation_s: f64, seed: u64) -> usize {
    let world = World {
        n_servers: |_| 10,
        generation_s,
        seed,
        ..CALM
    };
    let calls = run(world.offered(1.5, 10), &mut ours(200.0));
    let found = calls.iter().position(|one| one.limit <= 16.0);
    let before = &calls[..found.unwrap_or(calls.len())];
    before.iter().filter(|one| !one.is_refused).count()
}

/// Half of 100 servers are gone for ten minutes.
fn follows_the_servers<L: Limiter>(make: impl Fn(f64) -> L) -> Checked {
    for tail in TAILS {
        let n_servers = |now_s| {
            if (600.0..1200.0).contains(&now_s) {
                50
            } else {
                100
            }
        };
        let world = World {
            n_servers,
            tail,
            n_calls: 60_000,
            ..CALM
        }
        .offered(1.5, 100);
        let seen = run(world, &mut make(100.0));
        for (from_s, until_s, n_servers) in [
            (300.0, 600.0, 100.0),
            (900.0, 1200.0, 50.0),
            (1500.0, 1800.0, 100.0),
        ] {
            let median = median_limit(between(&seen, from_s, until_s));
            check((0.8 * n_servers..1.5 * n_servers).contains(&median), || {
                format!("{world:?}: limit {median} for {n_servers} servers at {from_s} s")
            })?;
        }
    }
    Ok(())
}

#[test]
fn heavy_tails_are_no_queue() {
    assert_eq!(leaves_heavy_tails_alone(ours), Ok(()));
    assert!(leaves_heavy_tails_alone(aimd).is_err());
    assert!(leaves_heavy_tails_alone(gradient2).is_err());
}

#[test]
fn a_queue_is_found_and_the_limit_does_not_drift() {
    assert_eq!(finds_the_servers(ours), Ok(()));
    assert!(finds_the_servers(aimd).is_err());
    assert!(finds_the_servers(gradient2).is_err());
    assert!(finds_the_servers(following).is_err());
}

#[test]
fn a_small_server_is_found_from_a_large_limit() {
    for seed in 1..4 {
        for generation_s in GENERATIONS_S {
            let n_answers = answers_until_found(generation_s, seed);
            assert!(n_answers < 2500, "{n_answers} answers, seed {seed}");
        }
    }
}

#[test]
fn a_server_that_slows_down_under_load_is_not_overrun() {
    for tail in TAILS {
        for generation_s in GENERATIONS_S {
            let world = World {
                n_slots: 50,
                tail,
                generation_s,
                ..CALM
            };
            let seen = run(world.offered(3.0, 50), &mut ours(50.0));
            for part in seen[10_000..].chunks(5000) {
                let median = median_limit(part);
                assert!((40.0..200.0).contains(&median), "{world:?}: limit {median}");
            }
        }
    }
}

#[test]
fn capacity_that_goes_and_comes_back_is_followed() {
    assert_eq!(follows_the_servers(ours), Ok(()));
    assert!(follows_the_servers(gradient2).is_err());
    assert!(follows_the_servers(following).is_err());
}

#[test]
fn idle_times_and_little_traffic_leave_the_limit() {
    // Full for ten minutes, then a fifth of it with hours of silence between.
    let surge = |now_s: f64| match now_s {
        ..600.0 => 1.0,
        _ if now_s % 7200.0 < 3600.0 => 0.2,
        _ => 1e-3,
    };
    for tail in TAILS {
        let world = World {
            surge,
            tail,
            n_calls: 60_000,
            ..CALM
        };
        let seen = run(world.offered(1.0, 100), &mut ours(20.0));
        let quiet = between(&seen, 700.0, f64::MAX);
        assert!(quiet.last().unwrap().now_s > 4.0 * 3600.0);
        let limits: BTreeSet<u64> = quiet.iter().map(|one| one.limit as u64).collect();
        assert!(
            limits.len() == 1 && limits.first() > Some(&100),
            "{limits:?}"
        );
    }
}

#[test]
fn a_provider_that_is_slower_for_all_is_no_queue() {
    let slowness = |now_s| if now_s < 100.0 { 1.0 } else { 3.0 };
    for tail in TAILS {
        let world = World {
            slowness,
            tail,
            generation_s: 0.0,
            n_calls: 60_000,
            ..CALM
        }
        .offered(1.0, 150);
        let seen = run(world, &mut ours(200.0));
        let refused = share_refused(&seen[40_000..]);
        assert!(refused < 0.01, "{refused} refused");
    }
}

#[test]
fn longer_prompts_are_no_queue() {
    let prompt_tokens = |now_s| if now_s < 100.0 { 1000.0 } else { 8000.0 };
    for tail in TAILS {
        let world = World {
            prompt_tokens,
            tail,
            generation_s: 0.0,
            n_calls: 60_000,
            ..CALM
        }
        .offered(1.0, 100);
        let seen = run(world, &mut ours(200.0));
        let refused = share_refused(&seen[40_000..]);
        assert!(refused < 0.01, "{refused} refused");
    }
}
