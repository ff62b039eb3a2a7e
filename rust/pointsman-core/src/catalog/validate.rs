//! From the document to the [`Catalog`]: every check, each error with its path.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::document::{DeploymentEntry, Document, LatencyPrior, ModelEntry, ProviderEntry};
use super::{Capabilities, Catalog, Deployment, Model, Provider, price, tokenizer};
use crate::error::{Error, nearest};
use crate::quality::QualityPrior;

/// 1e12 tokens: beyond it a count was mistaken.
const MAX_TOKENS: u64 = 1_000_000_000_000;

pub(super) fn compile(document: Document) -> Result<Catalog, Error> {
    let canonical =
        serde_json::to_vec(&document).map_err(|error| Error::catalog("", error.to_string()))?;
    unique(
        "models",
        document.models.iter().map(|entry| entry.name.as_str()),
    )?;
    unique(
        "providers",
        document.providers.iter().map(|entry| entry.name.as_str()),
    )?;
    unique(
        "deployments",
        document.deployments.iter().map(|entry| entry.name.as_str()),
    )?;
    if document.deployments.is_empty() {
        return Err(Error::catalog(
            "deployments",
            "is empty: give at least one deployment",
        ));
    }
    let models = collect(document.models, compile_model)?;
    let providers = collect(document.providers, compile_provider)?;
    let deployments = collect(document.deployments, |index, entry| {
        compile_deployment(index, entry, &models, &providers)
    })?;
    let baseline_model = baseline(document.baseline_model.as_deref(), &models, &deployments)?;
    let version = format!("{:016x}", xxh3_64(&canonical));
    Ok(Catalog {
        version,
        models,
        providers,
        deployments,
        baseline_model,
    })
}

fn collect<E, T>(
    entries: Vec<E>,
    compile: impl Fn(usize, E) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| compile(index, entry))
        .collect()
}

fn unique<'a>(list: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen = std::collections::HashMap::new();
    for (index, name) in names.enumerate() {
        let path = format!("{list}[{index}].name");
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Error::catalog(
                path,
                format!("is {name:?}: give a name without control characters"),
            ));
        }
        if let Some(first) = seen.insert(name, index) {
            return Err(Error::catalog(
                path,
                format!("{name:?} is already {list}[{first}]: rename one"),
            ));
        }
    }
    Ok(())
}

fn compile_model(index: usize, entry: ModelEntry) -> Result<Model, Error> {
    let path = format!("models[{index}]");
    count(&path, "context_window", entry.context_window)?;
    if let Some(limit) = entry.max_output_tokens {
        count(&path, "max_output_tokens", limit)?;
    }
    let capabilities = entry
        .capabilities
        .iter()
        .fold(Capabilities::default(), |set, one| set.with(*one));
    let quality = QualityPrior::new(&entry.quality)
        .map_err(|(key, problem)| Error::catalog(format!("{path}.quality.{key}"), problem))?;
    let tokenizer = match &entry.tokenizer {
        None => tokenizer::guess_family(&entry.name),
        Some(name) => tokenizer::family_of_name(name)
            .map_err(|problem| Error::catalog(format!("{path}.tokenizer"), problem))?,
    };
    Ok(Model {
        name: entry.name,
        context_window: entry.context_window,
        max_output_tokens: entry.max_output_tokens,
        capabilities,
        quality,
        quality_source: entry.quality_source,
        tokenizer,
    })
}

fn compile_provider(index: usize, entry: ProviderEntry) -> Result<Provider, Error> {
    let path = format!("providers[{index}].prompt_cache");
    count(&path, "min_tokens", entry.prompt_cache.min_tokens)?;
    let ttl_s = entry.prompt_cache.ttl_s;
    if !(ttl_s.is_finite() && ttl_s >= 0.0) {
        let problem = format!("is {ttl_s}: give a finite number of seconds >= 0, 0 for no cache");
        return Err(Error::catalog(format!("{path}.ttl_s"), problem));
    }
    Ok(Provider {
        name: entry.name,
        data_collection: entry.data_collection,
        prompt_cache: entry.prompt_cache,
    })
}

fn count(path: &str, field: &str, value: u64) -> Result<(), Error> {
    if value == 0 || value > MAX_TOKENS {
        let problem = format!("is {value}: give a number of tokens from 1 to {MAX_TOKENS}");
        return Err(Error::catalog(format!("{path}.{field}"), problem));
    }
    Ok(())
}

fn compile_deployment(
    index: usize,
    entry: DeploymentEntry,
    models: &[Model],
    providers: &[Provider],
) -> Result<Deployment, Error> {
    let path = format!("deployments[{index}]");
    let model = reference(
        &path,
        "model",
        &entry.model,
        models.iter().map(|model| model.name.as_str()),
    )?;
    let provider = reference(
        &path,
        "provider",
        &entry.provider,
        providers.iter().map(|provider| provider.name.as_str()),
    )?;
    let price = price::compile(
        &format!("{path}.price_nano_usd_per_mtok"),
        &entry.price_nano_usd_per_mtok,
    )?;
    check_latency(&path, &entry.latency)?;
    let names = [&entry.name, &entry.model, &entry.provider];
    let key = names
        .iter()
        .fold(0, |key, name| xxh3_64_with_seed(name.as_bytes(), key));
    Ok(Deployment {
        name: entry.name,
        key,
        model,
        provider,
        tier: entry.tier,
        price,
        latency: entry.latency,
        limits: entry.limits,
        parameters: entry.parameters,
    })
}

fn reference<'a>(
    path: &str,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<usize, Error> {
    known
        .clone()
        .position(|entry| entry == name)
        .ok_or_else(|| {
            let remedy = match nearest(name, known) {
                Some(entry) => format!("did you mean {entry:?}?"),
                None => format!("add it to {what}s"),
            };
            Error::catalog(
                format!("{path}.{what}"),
                format!("no {what} named {name:?}: {remedy}"),
            )
        })
}

fn check_latency(path: &str, latency: &LatencyPrior) -> Result<(), Error> {
    let fields = [
        ("ttft_p50_ms", latency.ttft_p50_ms),
        ("ttft_p95_ms", latency.ttft_p95_ms),
        ("tokens_per_s", latency.tokens_per_s),
    ];
    for (field, value) in fields {
        if !(value.is_finite() && value > 0.0) {
            let problem = format!("is {value}: give a finite number > 0");
            return Err(Error::catalog(format!("{path}.latency.{field}"), problem));
        }
    }
    if latency.ttft_p95_ms < latency.ttft_p50_ms {
        let problem = format!(
            "is {}: give at least ttft_p50_ms {}",
            latency.ttft_p95_ms, latency.ttft_p50_ms
        );
        return Err(Error::catalog(
            format!("{path}.latency.ttft_p95_ms"),
            problem,
        ));
    }
    Ok(())
}

/// The named baseline, or the best deployed model by default quality (ties: dearest, then name).
fn baseline(
    name: Option<&str>,
    models: &[Model],
    deployments: &[Deployment],
) -> Result<usize, Error> {
    let dearest = |model: usize| {
        let prices = deployments
            .iter()
            .filter(|one| one.model == model)
            .map(|one| one.price.rates.input + one.price.rates.output);
        prices.max()
    };
    if let Some(name) = name {
        let index = reference(
            "",
            "model",
            name,
            models.iter().map(|model| model.name.as_str()),
        )
        .map_err(|_| {
            Error::catalog(
                "baseline_model",
                format!("no model named {name:?}: add it or give null"),
            )
        })?;
        if dearest(index).is_none() {
            let problem = format!("{name:?} has no deployment: add one or give null");
            return Err(Error::catalog("baseline_model", problem));
        }
        return Ok(index);
    }
    let deployed = (0..models.len()).filter_map(|index| Some((index, dearest(index)?)));
    let best = deployed.max_by(|(a, price_a), (b, price_b)| {
        let (a, b) = (&models[*a], &models[*b]);
        let by_quality = a
            .quality
            .default_quality()
            .total_cmp(&b.quality.default_quality());
        by_quality
            .then(price_a.cmp(price_b))
            .then_with(|| b.name.cmp(&a.name))
    });
    best.map(|(index, _)| index)
        .ok_or_else(|| Error::catalog("deployments", "is empty: give at least one deployment"))
}
