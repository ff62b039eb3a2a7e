//! Scores what is served on tables of outcomes: a [`Router`] learns the graded prompts of one part and is asked
//! about those of the other.
//!
//! `python tools/routing_table.py FOLDER table.jsonl`, then
//! `cargo run --release --example routing_data -- table.jsonl PROTOCOL [SEEDS]` with the protocol `shuffle:1500`
//! (that many prompts graded, the rest scored), `folds:5`, `split` (the table's own) or `leave-task-out`.

mod metrics;
mod table;

use std::sync::Arc;

use metrics::{Scores, print};
use pointsman_core::explore::uniform;
use pointsman_core::{Catalog, Conversation, Outcome, Request, Router};
use serde_json::json;
use table::{Failure, Table};

const NOW_S: f64 = 1_700_000_000.0;

/// A prior worth nothing: every model the same.
const PRIOR: f64 = 0.6;

fn router(table: &Table) -> Result<Router, Failure> {
    let models = table.models.iter();
    let models = models.map(
        |name| json!({"name": name, "context_window": 1_000_000, "quality": {"default": PRIOR}}),
    );
    let deployment = |name: &String| {
        json!({"name": name, "model": name, "provider": "p",
               "price_nano_usd_per_mtok": {"input": 1, "output": 1},
               "latency": {"ttft_p50_ms": 100, "ttft_p95_ms": 200, "tokens_per_s": 100}})
    };
    let document = json!({
        "models": models.collect::<Vec<_>>(),
        "providers": [{"name": "p"}],
        "deployments": table.models.iter().map(deployment).collect::<Vec<_>>(),
    });
    let catalog = Catalog::from_json(document.to_string().as_bytes())?;
    Ok(Router::new(Arc::new(catalog))?)
}

/// Asks about a prompt, and tells the router every model's grade of it if `learns`.
fn ask(router: &Router, table: &Table, index: usize, learns: bool) -> Result<Vec<f64>, Failure> {
    let row = &table.rows[index];
    let request = Request::new(Conversation::user(row.prompt.as_str()));
    let verdict = router.decide(&request, NOW_S, 1)?;
    let decision = verdict.decision().ok_or("no deployment may answer")?;
    let profile = decision.profile();
    for (model, reward) in table.models.iter().zip(&row.quality).filter(|_| learns) {
        let (domain, complexity) = (profile.domain.label, profile.complexity.label);
        let outcome = Outcome {
            features: Some(decision.features().clone()),
            n_input_tokens: profile.n_input_tokens,
            reward: Some(*reward),
            ..Outcome::new(model.as_str(), domain, complexity, profile.structure.label)
        };
        router.observe(&outcome, NOW_S)?;
    }
    let candidates = decision.candidates().iter();
    Ok(candidates.map(|candidate| candidate.quality.mean).collect())
}

type Part = (Vec<usize>, Vec<usize>);

/// Pairs of prompts to learn from and to be scored on.
fn parts(table: &Table, protocol: &str, seed: u64) -> Result<Vec<Part>, Failure> {
    let mut order: Vec<usize> = (0..table.rows.len()).collect();
    order.sort_by(|a, b| uniform(seed, *a as u64).total_cmp(&uniform(seed, *b as u64)));
    let apart = |is_test: &dyn Fn(usize, usize) -> bool| {
        let (test, train): (Vec<(usize, usize)>, _) = order
            .iter()
            .copied()
            .enumerate()
            .partition(|(place, index)| is_test(*place, *index));
        let indices = |pairs: Vec<(usize, usize)>| pairs.into_iter().map(|pair| pair.1).collect();
        (indices(train), indices(test))
    };
    let (name, number) = protocol.split_once(':').unwrap_or((protocol, "0"));
    let n: usize = number.parse()?;
    Ok(match name {
        "shuffle" => vec![apart(&|place, _| place >= n)],
        "folds" => (0..n)
            .map(|fold| apart(&|place, _| place % n == fold))
            .collect(),
        "split" => vec![apart(&|_, index| table.rows[index].is_test)],
        "leave-task-out" => table
            .tasks()
            .iter()
            .map(|task| apart(&|_, index| table.rows[index].task == *task))
            .collect(),
        _ => return Err(format!("{protocol:?} is no protocol").into()),
    })
}

fn run(table: &Table, protocol: &str, seed: u64) -> Result<Scores, Failure> {
    let mut scores = Scores::new(table.models.len());
    for (train, test) in parts(table, protocol, seed)? {
        let router = router(table)?;
        for index in &train {
            ask(&router, table, *index, true)?;
        }
        let known = table.summary(&train);
        scores.begin(&known, protocol == "leave-task-out");
        for index in test {
            let predicted = ask(&router, table, index, false)?;
            scores.push(&table.rows[index], predicted, &known);
        }
    }
    Ok(scores)
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, protocol, rest @ ..] = &arguments[..] else {
        return Err("give a table and a protocol".into());
    };
    let table = Table::read(path)?;
    let n_seeds: u64 = rest.first().map_or(Ok(1), |text| text.parse())?;
    let runs: Vec<Scores> = (0..n_seeds)
        .map(|seed| run(&table, protocol, seed))
        .collect::<Result<_, _>>()?;
    print(&runs);
    Ok(())
}
