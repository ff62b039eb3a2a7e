//! The crates and the core's modules import what `design.md` allows, and nothing else.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

use std::fs;
use std::path::{Path, PathBuf};

fn rust_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn sources(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((
                path.to_string_lossy().replace('\\', "/"),
                fs::read_to_string(&path).unwrap(),
            ));
        }
    }
    found
}

/// The module a file belongs to: `policy` for `src/policy/choice.rs`, `text` for `src/text.rs`.
fn module_of(path: &str) -> String {
    let inside = path.rsplit_once("/src/").unwrap().1;
    inside
        .split('/')
        .next()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned()
}

/// Modules of the crate a source names, tests and docs left out.
fn imports(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| {
        line.match_indices("crate::")
            .map(|(at, _)| line[at + 7..].to_owned())
            .collect::<Vec<_>>()
    });
    names
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

/// Who may know whom, inside the core. `lib.rs` and `router.rs` see all; error is for everyone.
fn may_import(module: &str) -> Option<&'static [&'static str]> {
    Some(match module {
        "lib" | "router" => return None,
        "simd" | "scaffold" | "text" | "lexicon" | "request" | "plan" | "learn_error"
        | "logistic" | "splitmix" => &[],
        "byte_map" | "bytes" => &["simd"],
        "belief" => &["catalog", "latency_model", "length", "quality", "session"],
        "cascade" => &["codec", "decision", "learn_error", "plan"],
        "stems" => &["lexicon"],
        "memo" => &["byte_map"],
        "plain_words" => &["byte_map", "bytes", "simd"],
        "grams" => &["byte_map", "bytes", "memo", "plain_words", "stems"],
        "markers" => &[
            "byte_map",
            "bytes",
            "lexicon",
            "memo",
            "plain_words",
            "text",
        ],
        "tokens" => &["byte_map", "bytes", "memo", "plain_words"],
        "embed" => &["byte_map", "bytes", "memo", "plain_words", "simd"],
        "features" => &[
            "byte_map",
            "catalog",
            "embed",
            "grams",
            "lexicon",
            "markers",
            "plain_words",
            "request",
            "scaffold",
            "stems",
            "text",
            "tokens",
        ],
        "profile" => &["features"],
        "heads" => &["features", "grams", "profile", "simd"],
        "refine" => &["features", "heads", "simd"],
        "classify" => &["features", "heads", "profile", "refine", "request"],
        "cache" => &["bytes", "codec", "embed", "learn_error", "logistic", "simd"],
        "codec" | "error" | "ope" | "pacer" | "shrink" => &["learn_error"],
        "canary" | "floor" | "prompt_cache" | "sketch" => &["codec", "learn_error"],
        "window" => &["codec", "learn_error", "sketch"],
        "latency_model" => &["catalog", "codec", "learn_error", "window"],
        "length_model" => &["codec", "learn_error", "length", "quality"],
        "quality" => &[
            "codec",
            "learn_error",
            "logistic",
            "profile",
            "shrink",
            "simd",
        ],
        "length" => &["profile"],
        "learned" => &[
            "belief",
            "catalog",
            "codec",
            "features",
            "floor",
            "latency_model",
            "learn_error",
            "length",
            "length_model",
            "lexicon",
            "profile",
            "prompt_cache",
            "quality",
            "session",
            "tokens",
        ],
        "latency" => &["latency_model"],
        "cost" => &["catalog"],
        "catalog" => &["quality", "tokens"],
        "identity" | "session" => &["request"],
        "health" => &["catalog", "learn_error", "splitmix"],
        "policy" => &[
            "belief",
            "catalog",
            "cost",
            "floor",
            "health",
            "latency",
            "learn_error",
            "length",
            "profile",
            "quality",
            "request",
            "splitmix",
        ],
        "decision" => &[
            "catalog", "error", "learned", "length", "plan", "policy", "profile", "session",
        ],
        "record" => &["decision", "floor", "plan", "policy", "profile"],
        other => panic!("module {other} is not in the table of who may know whom: add it"),
    })
}

#[test]
fn modules_of_the_core_know_only_whom_they_may() {
    let files = sources(&rust_dir().join("pointsman-core/src"));
    assert!(files.len() >= 20, "found only {} files", files.len());
    for (path, source) in files {
        let module = module_of(&path);
        let Some(allowed) = may_import(&module) else {
            continue;
        };
        for import in imports(&source) {
            let is_fine =
                import == module || import == "error" || allowed.contains(&import.as_str());
            assert!(
                is_fine,
                "{path} imports {import}; {module} may know {allowed:?}"
            );
        }
    }
}

#[test]
fn the_core_has_no_clock_network_thread_or_randomness() {
    let forbidden = [
        "pyo3",
        "tokio",
        "std::net",
        "std::time",
        "std::thread",
        "std::fs",
        "std::env",
        "rand::",
        "SystemTime",
        "Instant",
    ];
    for (path, source) in sources(&rust_dir().join("pointsman-core/src")) {
        for word in forbidden {
            assert!(!source.contains(word), "{path} mentions {word}");
        }
    }
    let manifest = fs::read_to_string(rust_dir().join("pointsman-core/Cargo.toml")).unwrap();
    let dependencies = manifest
        .split("[dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    let names: Vec<&str> = dependencies
        .lines()
        .filter_map(|line| line.split_once(" ="))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "aho-corasick",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "thiserror",
            "unicode-general-category",
            "unicode-normalization",
            "xxhash-rust"
        ]
    );
    let root = fs::read_to_string(rust_dir().join("pointsman-core/src/lib.rs")).unwrap();
    assert!(root.contains("#![deny(unsafe_code)]"));
    let allows = |source: &str| source.contains("allow(unsafe_code)");
    for (path, source) in sources(&rust_dir().join("pointsman-core/src")) {
        assert!(
            !allows(&source) || path.contains("/simd/"),
            "{path} allows unsafe code"
        );
    }
}

#[test]
fn the_binding_is_thin() {
    let lines = |name: &str| {
        let files = sources(&rust_dir().join(name).join("src"));
        files
            .iter()
            .map(|(_, source)| source.lines().count())
            .sum::<usize>()
    };
    let (core, binding) = (lines("pointsman-core"), lines("pointsman-py"));
    assert!(
        binding * 5 <= core,
        "{binding} lines of binding for {core} of core"
    );
}
