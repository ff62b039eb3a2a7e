//! A discrete-event simulation of science.md 2.14: servers with heavy tails that stall now and then.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use pointsman_core::explore::uniform;
use pointsman_core::health::{CallEnd, Ticket};
use pointsman_core::{Catalog, Conversation, Request, Router};
use serde_json::json;

const N_SERVERS: usize = 5;
const N_REQUESTS: usize = 6000;
const N_SLOTS: usize = 8;

fn router() -> Router {
    let deployment = |i: usize| {
        json!({"name": format!("d{i}"), "model": "m", "provider": "p",
               "price_nano_usd_per_mtok": {"input": 1_000_000_000, "output": 1_000_000_000},
               "latency": {"ttft_p50_ms": 200, "ttft_p95_ms": 900, "tokens_per_s": 80}})
    };
    let document = json!({
        "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
        "providers": [{"name": "p"}],
        "deployments": (0..N_SERVERS).map(deployment).collect::<Vec<_>>(),
    });
    Router::new(Arc::new(
        Catalog::from_json(document.to_string().as_bytes()).unwrap(),
    ))
    .unwrap()
}

/// Log-normal of median 200 ms and a heavy tail; five times as long while the server stalls.
fn service_us(request: usize, server: usize, now_us: u64, seed: u64) -> u64 {
    let (a, b) = (
        uniform(seed, 10 * request as u64),
        uniform(seed, 10 * request as u64 + 1),
    );
    let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    // Of every 50 s each server stalls for 8, one after the other.
    let phase_s = (now_us as f64 / 1e6 - 10.0 * server as f64).rem_euclid(50.0);
    let stall = if phase_s < 8.0 { 5.0 } else { 1.0 };
    (200_000.0 * (0.8 * normal).exp() * stall) as u64
}

#[derive(Default)]
struct Server {
    n_busy: usize,
    queue: VecDeque<usize>,
}

/// Latencies of all requests, milliseconds; `choose` gives a server and, if it is asked back, a ticket.
fn simulate(
    seed: u64,
    mut choose: impl FnMut(usize, f64) -> (usize, Option<Ticket>),
    mut ended: impl FnMut(&Ticket, f64, f64),
) -> Vec<f64> {
    let mut servers: Vec<Server> = (0..N_SERVERS).map(|_| Server::default()).collect();
    let mut events = BinaryHeap::new();
    let mut arrival_us = 0.0;
    let mut arrivals = Vec::new();
    for request in 0..N_REQUESTS {
        // 60 requests a second for servers that take 110: calm, but for the stalls.
        arrival_us -= (1.0 - uniform(seed ^ 1, request as u64)).ln() / 60.0 * 1e6;
        arrivals.push(arrival_us as u64);
        events.push(Reverse((arrival_us as u64, 1, request)));
    }
    let mut at: Vec<(usize, Option<Ticket>)> = vec![(0, None); N_REQUESTS];
    let mut latencies = Vec::new();
    while let Some(Reverse((now_us, kind, request))) = events.pop() {
        let now_s = now_us as f64 / 1e6;
        if kind == 1 {
            at[request] = choose(request, now_s);
            servers[at[request].0].queue.push_back(request);
        } else {
            let (server, ticket) = at[request];
            servers[server].n_busy -= 1;
            let latency_ms = (now_us - arrivals[request]) as f64 / 1e3;
            if let Some(ticket) = ticket {
                ended(&ticket, latency_ms, now_s);
            }
            latencies.push(latency_ms);
        }
        let index = at[request].0;
        let server = &mut servers[index];
        while server.n_busy < N_SLOTS {
            let Some(next) = server.queue.pop_front() else {
                break;
            };
            server.n_busy += 1;
            events.push(Reverse((
                now_us + service_us(next, index, now_us, seed),
                0,
                next,
            )));
        }
    }
    latencies.sort_unstable_by(f64::total_cmp);
    latencies
}

fn p99(latencies: &[f64]) -> f64 {
    latencies[latencies.len() * 99 / 100]
}

#[test]
fn two_choices_by_peak_latency_cut_the_p99_of_choosing_at_random() {
    for seed in [1, 2] {
        let random = simulate(
            seed,
            |request, _| {
                (
                    (uniform(seed ^ 2, request as u64) * N_SERVERS as f64) as usize,
                    None,
                )
            },
            |_, _, _| {},
        );
        let router = router();
        let question = Request::new(Conversation::user("What is the capital of France?"));
        let chosen = simulate(
            seed,
            |request, now_s| {
                let verdict = router.decide(&question, now_s, request as u64).unwrap();
                let name = verdict.decision().unwrap().deployment().name.clone();
                let ticket = router.begin(&name, 100, now_s).unwrap().unwrap();
                (name[1..].parse().unwrap(), Some(ticket))
            },
            |ticket, latency_ms, now_s| {
                let end = CallEnd::Answered {
                    ttft_ms: Some(latency_ms),
                    n_tokens: None,
                };
                router.end(ticket, &end, now_s).unwrap();
            },
        );
        assert!(
            p99(&chosen) <= 0.7 * p99(&random),
            "{:.0} ms, at random {:.0} ms",
            p99(&chosen),
            p99(&random)
        );
    }
}
