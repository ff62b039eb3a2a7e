//! A provider simulated event by event: Poisson arrivals, servers, heavy-tailed times to first token.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use pointsman_core::explore::uniform;

use super::limiters::Limiter;

/// How times to first token vary around what their size lets expect.
#[derive(Clone, Copy, Debug)]
pub enum Tail {
    /// Log-normal of this sigma.
    LogNormal(f64),
    /// Pareto of this exponent; below 2 the variance is infinite.
    Pareto(f64),
}

/// Calls to a provider, and how it answers them; times in seconds.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Calls it answers at once at a time; the others wait their turn. `usize::MAX`: nobody waits.
    pub n_servers: fn(f64) -> usize,
    /// Calls it answers without slowing down; with twice as many each takes twice as long. `usize::MAX`: nobody does.
    pub n_slots: usize,
    /// Calls that arrive a second.
    pub arrivals_per_s: f64,
    /// How many times that arrive, at a time.
    pub surge: fn(f64) -> f64,
    pub tail: Tail,
    /// Mean time from the first token to the last; 0: an answer's time is its time to first token.
    pub generation_s: f64,
    /// How many times the usual its times to first token are, at a time, whatever its load.
    pub slowness: fn(f64) -> f64,
    /// Tokens of the median prompt, at a time.
    pub prompt_tokens: fn(f64) -> f64,
    pub n_calls: usize,
    pub seed: u64,
}

/// A world without surges or changes, of 1,000-token prompts.
pub const CALM: World = World {
    n_servers: |_| usize::MAX,
    n_slots: usize::MAX,
    arrivals_per_s: 1.0,
    surge: |_| 1.0,
    tail: Tail::LogNormal(1.0),
    generation_s: 4.0,
    slowness: |_| 1.0,
    prompt_tokens: |_| 1000.0,
    n_calls: 30_000,
    seed: 1,
};

impl World {
    /// Mean time to first token without a queue, by simulation of the draws.
    fn mean_prefill_s(&self) -> f64 {
        let n = 20_000;
        (0..n).map(|call| self.prefill_s(call, 0.0)).sum::<f64>() / n as f64
    }

    /// The same world, offered so many times what `n_servers` can answer.
    pub fn offered(self, load: f64, n_servers: usize) -> World {
        let busy_s = self.mean_prefill_s() + self.generation_s;
        World {
            arrivals_per_s: load * n_servers as f64 / busy_s,
            ..self
        }
    }

    fn draw(&self, call: usize, which: u64) -> f64 {
        uniform(self.seed, 16 * call as u64 + which)
    }

    fn normal(&self, call: usize, which: u64) -> f64 {
        let radius = (-2.0 * (1.0 - self.draw(call, which)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.draw(call, which + 1)).cos()
    }

    fn gap_s(&self, call: usize, now_s: f64) -> f64 {
        -(1.0 - self.draw(call, 0)).ln() / (self.arrivals_per_s * (self.surge)(now_s)).max(1e-9)
    }

    pub fn n_tokens(&self, call: usize, now_s: f64) -> u64 {
        ((self.prompt_tokens)(now_s) * self.normal(call, 1).exp()).ceil() as u64
    }

    /// Time to first token without a queue: 150 ms and 0.2 ms a token, times the noise.
    fn prefill_s(&self, call: usize, now_s: f64) -> f64 {
        let noise = match self.tail {
            Tail::LogNormal(sigma) => (sigma * self.normal(call, 3)).exp(),
            Tail::Pareto(exponent) => (1.0 - self.draw(call, 3)).powf(-1.0 / exponent),
        };
        (0.15 + 0.0002 * self.n_tokens(call, now_s) as f64) * noise * (self.slowness)(now_s)
    }

    fn generation_s(&self, call: usize) -> f64 {
        -(1.0 - self.draw(call, 5)).ln() * self.generation_s
    }
}

/// How it stood when a call arrived.
#[derive(Clone, Copy)]
pub struct Seen {
    pub now_s: f64,
    pub limit: f64,
    pub is_refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ended(usize),
    FirstToken(usize),
    Arrived(usize),
}

struct Simulation<'a, L> {
    world: World,
    limiter: &'a mut L,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    arrived_s: Vec<f64>,
    waiting: VecDeque<usize>,
    n_busy: usize,
}

/// Runs a world; what was seen at each arrival. A refused call goes elsewhere.
pub fn run<L: Limiter>(world: World, limiter: &mut L) -> Vec<Seen> {
    let mut simulation = Simulation {
        world,
        limiter,
        events: BinaryHeap::new(),
        arrived_s: vec![0.0; world.n_calls],
        waiting: VecDeque::new(),
        n_busy: 0,
    };
    simulation.after(0, 0.0, Event::Arrived(0));
    let mut seen = Vec::with_capacity(world.n_calls);
    while let Some(Reverse((clock_us, event))) = simulation.events.pop() {
        simulation.handle(event, clock_us, &mut seen);
        simulation.serve(clock_us);
    }
    seen
}

impl<L: Limiter> Simulation<'_, L> {
    fn after(&mut self, clock_us: u64, wait_s: f64, event: Event) {
        let at_us = clock_us + (wait_s * 1e6) as u64;
        self.events.push(Reverse((at_us, event)));
    }

    fn handle(&mut self, event: Event, clock_us: u64, seen: &mut Vec<Seen>) {
        let now_s = clock_us as f64 / 1e6;
        match event {
            Event::Arrived(call) => {
                seen.push(self.arrive(call, now_s));
                if call + 1 < self.world.n_calls {
                    let gap_s = self.world.gap_s(call + 1, now_s);
                    self.after(clock_us, gap_s, Event::Arrived(call + 1));
                }
            }
            Event::FirstToken(call) => {
                let ttft_ms = 1000.0 * (now_s - self.arrived_s[call]);
                self.limiter.first_token(call, ttft_ms, now_s);
                let rest_s = self.slowdown() * self.world.generation_s(call);
                self.after(clock_us, rest_s, Event::Ended(call));
            }
            Event::Ended(call) => {
                self.n_busy -= 1;
                self.limiter.end(call, now_s);
            }
        }
    }

    fn slowdown(&self) -> f64 {
        (self.n_busy as f64 / self.world.n_slots as f64).max(1.0)
    }

    fn arrive(&mut self, call: usize, now_s: f64) -> Seen {
        let n_tokens = self.world.n_tokens(call, now_s);
        let is_admitted = self.limiter.admit(call, n_tokens, now_s);
        if is_admitted {
            self.arrived_s[call] = now_s;
            self.waiting.push_back(call);
        }
        Seen {
            now_s,
            limit: self.limiter.limit(now_s),
            is_refused: !is_admitted,
        }
    }

    fn serve(&mut self, clock_us: u64) {
        let now_s = clock_us as f64 / 1e6;
        while self.n_busy < (self.world.n_servers)(now_s) {
            let Some(call) = self.waiting.pop_front() else {
                return;
            };
            self.n_busy += 1;
            let prefill_s = self.world.prefill_s(call, now_s);
            self.after(
                clock_us,
                self.slowdown() * prefill_s,
                Event::FirstToken(call),
            );
        }
    }
}
