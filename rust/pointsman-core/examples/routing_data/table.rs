//! Reading the table, and what a router that knows only averages would know of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub type Failure = Box<dyn std::error::Error>;

/// One prompt with every model's grade and cost.
pub struct Row {
    pub prompt: String,
    pub task: String,
    pub is_test: bool,
    pub quality: Vec<f64>,
    pub cost_usd: Vec<f64>,
}

pub struct Table {
    pub models: Vec<String>,
    pub rows: Vec<Row>,
}

/// Averages of the prompts learned from.
pub struct Summary {
    pub quality: Vec<f64>,
    pub cost_usd: Vec<f64>,
    by_task: BTreeMap<String, Vec<f64>>,
}

impl Summary {
    /// Mean qualities of the task; of all tasks for one never seen.
    pub fn of_task(&self, task: &str) -> &[f64] {
        self.by_task.get(task).unwrap_or(&self.quality)
    }
}

impl Table {
    pub fn read(path: &str) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)?;
        let lines: Vec<Value> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        let first = lines.first().ok_or("the table is empty")?;
        let models = items(first, "models")?;
        let models = models
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned));
        Ok(Self {
            models: models.collect(),
            rows: lines.iter().map(row).collect::<Result<_, _>>()?,
        })
    }

    pub fn tasks(&self) -> BTreeSet<String> {
        self.rows.iter().map(|row| row.task.clone()).collect()
    }

    pub fn summary(&self, indices: &[usize]) -> Summary {
        let mean = |of: &dyn Fn(&Row) -> &[f64], is_in: &dyn Fn(&Row) -> bool| {
            let mut sums = vec![0.0; self.models.len()];
            let mut n: f64 = 0.0;
            let rows = indices.iter().map(|index| &self.rows[*index]);
            for row in rows.filter(|row| is_in(row)) {
                n += 1.0;
                sums.iter_mut()
                    .zip(of(row))
                    .for_each(|(sum, value)| *sum += value);
            }
            sums.iter().map(|sum| sum / n.max(1.0)).collect::<Vec<_>>()
        };
        let seen: BTreeSet<&String> = indices.iter().map(|i| &self.rows[*i].task).collect();
        let task = |task: &String| {
            (
                task.clone(),
                mean(&|row| &row.quality, &|row| row.task == *task),
            )
        };
        Summary {
            quality: mean(&|row| &row.quality, &|_| true),
            cost_usd: mean(&|row| &row.cost_usd, &|_| true),
            by_task: seen.into_iter().map(task).collect(),
        }
    }
}

fn items<'a>(line: &'a Value, name: &str) -> Result<&'a Vec<Value>, Failure> {
    Ok(line[name]
        .as_array()
        .ok_or_else(|| format!("a line lacks {name}"))?)
}

fn row(line: &Value) -> Result<Row, Failure> {
    let numbers = |name| -> Result<Vec<f64>, Failure> {
        Ok(items(line, name)?
            .iter()
            .filter_map(Value::as_f64)
            .collect())
    };
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    Ok(Row {
        prompt: text("prompt"),
        task: text("task"),
        is_test: line["is_test"].as_bool().unwrap_or(false),
        quality: numbers("quality")?,
        cost_usd: numbers("cost_usd")?,
    })
}
