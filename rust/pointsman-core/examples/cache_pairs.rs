//! Reads `[stored, asked, same?, ...]` JSON lines, prints what the cache makes of each pair, tab-separated:
//! same, layer, veto, similarity, features. For `tools/cache/fit.py`.

use std::io::{self, BufRead, Write};

use pointsman_core::cache::{Reading, pair_features, veto};
use pointsman_core::embed::{DIM, Embedding};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let embedding = Embedding::builtin()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let row: serde_json::Value = serde_json::from_str(&line?)?;
        let text = |index: usize| row[index].as_str().unwrap_or_default();
        let (stored, asked) = (Reading::new(text(0)), Reading::new(text(1)));
        let mut vectors = [[0.0; DIM]; 2];
        embedding.embed_window_into(stored.normalised(), &mut vectors[0]);
        embedding.embed_window_into(asked.normalised(), &mut vectors[1]);
        let similarity: f32 = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum();
        let layer = match () {
            () if stored.normalised() == asked.normalised() => "normalised",
            () if stored.canonical().is_some() && stored.canonical() == asked.canonical() => {
                "canonical"
            }
            () => "semantic",
        };
        let reason = veto(&stored, &asked).map_or("-", |veto| veto.name());
        let features = pair_features(&stored, &asked, similarity);
        let features = features.map_or(String::new(), |row| {
            row.map(|x| format!("{x:.5}")).join(",")
        });
        writeln!(
            out,
            "{}\t{layer}\t{reason}\t{similarity:.4}\t{features}",
            row[2]
        )?;
    }
    Ok(())
}
