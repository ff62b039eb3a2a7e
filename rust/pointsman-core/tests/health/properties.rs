//! Whatever happens to calls: what is counted, kept within bounds and never gets better by failing.

use std::sync::Arc;

use pointsman_core::health::{CallEnd, Ticket};
use pointsman_core::{Catalog, Router, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::{NOW_S, document, limits, request, text};
use crate::{ANSWERED, FAILED, begin, call, catalog, deployment, siblings};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn calls_that_all_went_well_leave_every_decision_as_it_was(
        document in document(), text in text(), limits in limits(), seed in any::<u64>()
    ) {
        let catalog = Arc::new(Catalog::from_json(document.to_string().as_bytes()).unwrap());
        let (untouched, used) = (Router::new(Arc::clone(&catalog)).unwrap(), Router::new(catalog).unwrap());
        for deployment in used.catalog().deployments() {
            for _ in 0..5 {
                call(&used, &deployment.name, &ANSWERED, NOW_S);
            }
        }
        let request = request(&text, limits);
        let json = |router: &Router| match router.decide(&request, NOW_S, seed).unwrap() {
            Verdict::Chosen(decision) => decision.to_json(None),
            Verdict::Infeasible(infeasible) => infeasible.to_json(None),
        };
        prop_assert_eq!(json(&untouched), json(&used));
    }

    #[test]
    fn whatever_happens_calls_are_counted_limits_hold_and_pressure_is_finite(
        steps in prop::collection::vec((0_usize..3, 0_u8..7, 0.0..20.0_f64), 1..200)
    ) {
        let limits = json!({"requests_per_min": 30});
        let deployments: Vec<Value> = (0..3).map(|i| deployment(&format!("d{i}"), "m", 1, &limits)).collect();
        let router = Router::new(catalog(&deployments)).unwrap();
        let mut under_way: Vec<Vec<Ticket>> = vec![Vec::new(); 3];
        let (mut now_s, mut begun) = (0.0, vec![0.0; 3]);
        for (index, kind, amount) in steps {
            now_s += amount / 10.0;
            let name = format!("d{index}");
            match kind {
                0..=2 => if let Ok(ticket) = begin(&router, &name, now_s) {
                    under_way[index].push(ticket);
                    begun[index] += 1.0;
                },
                _ => if let Some(ticket) = under_way[index].pop() {
                    let end = match kind {
                        3 => ANSWERED,
                        4 => FAILED,
                        5 => CallEnd::RateLimited { retry_after_s: Some(amount) },
                        _ => CallEnd::Abandoned,
                    };
                    router.end(&ticket, &end, now_s).unwrap();
                },
            }
            for (index, one) in router.health(now_s).iter().enumerate() {
                prop_assert_eq!(one.n_pending as usize, under_way[index].len());
                prop_assert!(one.pressure >= 0.0 && one.pressure.is_finite());
                prop_assert!((0.0..1.0).contains(&one.failure_rate));
                prop_assert!(begun[index] <= 30.0 + now_s / 2.0 + 1e-9);
                prop_assert!((4.0..=2000.0).contains(&one.concurrency_limit.unwrap()));
            }
        }
    }

    #[test]
    fn more_failures_and_more_calls_under_way_never_lower_the_pressure(
        ends in prop::collection::vec(any::<bool>(), 0..40), worse in 0_usize..40, n_pending in 0_usize..90
    ) {
        let pressure = |ends: &[bool], n_pending: usize| {
            let router = siblings(4);
            for is_failure in ends {
                if let Ok(ticket) = begin(&router, "d0", 0.0) {
                    router.end(&ticket, if *is_failure { &FAILED } else { &ANSWERED }, 0.0).unwrap();
                }
            }
            (0..n_pending).for_each(|_| assert!(begin(&router, "d0", 0.0).is_ok()));
            router.health(0.0)[0].pressure
        };
        let mut failing = ends.clone();
        if let Some(end) = failing.get_mut(worse) {
            *end = true;
        }
        // Only where both are still called: an open breaker sees no further call.
        let has_streak = |ends: &[bool]| ends.windows(5).any(|five| five.iter().all(|end| *end));
        prop_assume!(!has_streak(&failing) && failing.len() < 20);
        prop_assert!(pressure(&failing, 0) >= pressure(&ends, 0) - 1e-12);
        prop_assert!(pressure(&ends, n_pending) >= pressure(&ends, 0) - 1e-12);
    }
}
