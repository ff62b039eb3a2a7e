//! [`Limits`]: the request's constraints, checked and resolved against a catalog.

use super::candidate::Candidate;
use super::score::{Dial, Weights};
use crate::catalog::{Catalog, Tier};
use crate::error::Error;
use crate::profile::TaskProfile;
use crate::request::{Constraints, Request, SortBy};

/// Which list of providers a rejection refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderList {
    Order,
    Only,
    Ignore,
}

/// Constraints and preferences with names resolved to indices of the catalog.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) task: Option<String>,
    pub(crate) max_cost_usd: Option<f64>,
    pub(crate) max_latency_ms: Option<f64>,
    pub(crate) max_ttft_ms: Option<f64>,
    pub(crate) deadline_s: Option<f64>,
    pub(crate) min_quality: Option<f64>,
    pub(crate) quality_like: Option<usize>,
    pub(crate) dial: Dial,
    pub(crate) weights: Weights,
    pub(crate) allowed_models: Option<Vec<usize>>,
    pub(crate) permitted_models: Option<Vec<usize>>,
    pub(crate) order: Vec<usize>,
    pub(crate) only: Option<Vec<usize>>,
    pub(crate) ignore: Vec<usize>,
    pub(crate) allow_fallbacks: bool,
    pub(crate) deny_data_collection: bool,
    pub(crate) sort: Option<SortBy>,
    pub(crate) max_input_price_usd_per_mtok: Option<f64>,
    pub(crate) max_output_price_usd_per_mtok: Option<f64>,
    /// Parameters a deployment must support; empty unless the caller requires that.
    pub(crate) required_parameters: Vec<String>,
    pub(crate) tier: Tier,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) n_choices: u32,
    pub(crate) explores: bool,
    pub(crate) min_propensity: f64,
}

impl Limits {
    /// Checks every number and resolves every name.
    pub(crate) fn resolve<S: AsRef<str>>(
        catalog: &Catalog,
        request: &Request<S>,
    ) -> Result<Self, Error> {
        let constraints = &request.constraints;
        let preferences = &request.preferences;
        check_numbers(request)?;
        let model = |field: &str, name: &S| catalog.model_index(field, name.as_ref());
        let providers = |field: &str, names: &[S]| -> Result<Vec<usize>, Error> {
            names
                .iter()
                .map(|name| catalog.provider_index(field, name.as_ref()))
                .collect()
        };
        let allowed_models = request.allowed_models.as_deref();
        let allowed_models = allowed_models.map(|names| {
            names
                .iter()
                .map(|name| model("allowed_models", name))
                .collect()
        });
        // A permission may outlive the model it names, and no caller can mend that.
        let permitted_models = request.permitted_models.as_deref().map(|names| {
            let known = names.iter().map(|name| model("permitted_models", name));
            known.filter_map(Result::ok).collect()
        });
        let required = if preferences.require_parameters {
            &request.parameters[..]
        } else {
            &[]
        };
        Ok(Self {
            task: constraints
                .task
                .as_ref()
                .map(|task| task.as_ref().to_owned()),
            max_cost_usd: constraints.max_cost_usd,
            max_latency_ms: constraints.max_latency_ms,
            max_ttft_ms: constraints.max_ttft_ms,
            deadline_s: constraints.deadline_s,
            min_quality: constraints.min_quality,
            quality_like: constraints
                .quality_like
                .as_ref()
                .map(|name| model("quality_like", name))
                .transpose()?,
            dial: dial(constraints)?,
            weights: Weights {
                budget_price: constraints.budget_price.unwrap_or(0.0),
                latency_value_usd_per_s: constraints.latency_value_usd_per_s,
            },
            allowed_models: allowed_models.transpose()?,
            permitted_models,
            order: providers("provider.order", &preferences.order)?,
            only: preferences
                .only
                .as_deref()
                .map(|names| providers("provider.only", names))
                .transpose()?,
            ignore: providers("provider.ignore", &preferences.ignore)?,
            allow_fallbacks: preferences.allow_fallbacks,
            deny_data_collection: preferences.deny_data_collection,
            sort: preferences.sort,
            max_input_price_usd_per_mtok: preferences.max_input_price_usd_per_mtok,
            max_output_price_usd_per_mtok: preferences.max_output_price_usd_per_mtok,
            required_parameters: required
                .iter()
                .map(|name| name.as_ref().to_owned())
                .collect(),
            tier: match request.service_tier.as_ref().map(AsRef::as_ref) {
                Some("flex") => Tier::Flex,
                Some("priority") => Tier::Priority,
                _ => Tier::Default,
            },
            max_output_tokens: request.max_output_tokens,
            n_choices: request.n_choices,
            explores: constraints.exploration,
            min_propensity: constraints.min_propensity,
        })
    }

    /// The quality of the model named in `quality_like` on this task: of its least deployment, so that any of
    /// them is as good as the model; its prior, if it has none.
    pub(crate) fn floor_like(
        &self,
        catalog: &Catalog,
        profile: &TaskProfile,
        candidates: &[Candidate],
    ) -> Option<f64> {
        let model = self.quality_like?;
        let places = catalog.deployments().iter().zip(candidates);
        let of_model = places.filter(|(deployment, _)| deployment.model == model);
        let qualities = of_model.map(|(_, candidate)| candidate.quality.mean);
        Some(qualities.min_by(f64::total_cmp).unwrap_or_else(|| {
            let prior = &catalog.models()[model].quality;
            let (domain, complexity) = (profile.domain.label, profile.complexity.label);
            prior.predict(domain, complexity, self.task.as_deref()).mean
        }))
    }

    /// The latency beyond which waiting counts, in milliseconds.
    pub(super) fn tolerated_latency_ms(&self) -> f64 {
        let deadline_ms = self.deadline_s.map(|deadline_s| 1000.0 * deadline_s);
        let limits = self.max_latency_ms.into_iter().chain(deadline_ms);
        limits.min_by(f64::total_cmp).unwrap_or(0.0)
    }

    pub(crate) fn providers(&self, list: ProviderList) -> &[usize] {
        match list {
            ProviderList::Order => &self.order,
            ProviderList::Only => self.only.as_deref().unwrap_or_default(),
            ProviderList::Ignore => &self.ignore,
        }
    }
}

/// The one dial the caller turned, or the default.
fn dial<S>(constraints: &Constraints<S>) -> Result<Dial, Error> {
    let turned = [
        (
            "quality_tolerance",
            constraints.quality_tolerance.map(Dial::Tolerance),
        ),
        ("within_best", constraints.within_best.map(Dial::WithinBest)),
        (
            "quality_value_usd",
            constraints.quality_value_usd.map(Dial::Value),
        ),
    ];
    let mut turned = turned
        .into_iter()
        .filter_map(|(field, dial)| Some((field, dial?)));
    let has_budget = constraints.budget_price.is_some();
    let Some((field, dial)) = turned.next() else {
        return Ok(Dial::default_of(has_budget));
    };
    let other = turned.next().map(|(other, _)| other);
    let other = other.or_else(|| {
        let weighs_nothing = has_budget && !matches!(dial, Dial::Value(_));
        weighs_nothing.then_some("budget_price")
    });
    match other {
        None => Ok(dial),
        Some(other) => Err(Error::invalid(
            other,
            format!("given beside {field}"),
            format!("both say how quality trades for money: give {field} or {other}"),
        )),
    }
}

fn check_numbers<S>(request: &Request<S>) -> Result<(), Error> {
    let (constraints, preferences) = (&request.constraints, &request.preferences);
    at_least_zero("max_cost_usd", constraints.max_cost_usd)?;
    at_least_zero(
        "provider.max_price.prompt",
        preferences.max_input_price_usd_per_mtok,
    )?;
    at_least_zero(
        "provider.max_price.completion",
        preferences.max_output_price_usd_per_mtok,
    )?;
    positive("max_latency_ms", constraints.max_latency_ms)?;
    positive("max_ttft_ms", constraints.max_ttft_ms)?;
    positive("deadline_s", constraints.deadline_s)?;
    share("min_quality", constraints.min_quality)?;
    share("within_best", constraints.within_best)?;
    at_most("quality_value_usd", constraints.quality_value_usd, 1e9)?;
    at_most("budget_price", constraints.budget_price, 1e9)?;
    share("min_propensity", Some(constraints.min_propensity))?;
    let latency_value = Some(constraints.latency_value_usd_per_s);
    at_most("latency_value_usd_per_s", latency_value, 1e6)?;
    for tolerance in constraints.quality_tolerance.iter().flatten() {
        share("quality_tolerance", Some(*tolerance))?;
    }
    if request.max_output_tokens == Some(0) {
        return Err(Error::invalid(
            "max_output_tokens",
            0,
            "give at least 1, or None for no limit",
        ));
    }
    if request.n_choices == 0 {
        return Err(Error::invalid("n_choices", 0, "give at least 1"));
    }
    if request.allowed_models.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::invalid(
            "allowed_models",
            "empty",
            "name at least one model, or give None for all",
        ));
    }
    Ok(())
}

fn at_least_zero(field: &str, value: Option<f64>) -> Result<(), Error> {
    check(
        field,
        value,
        |value| value.is_finite() && value >= 0.0,
        "give a finite number >= 0, or None for no limit",
    )
}

fn at_most(field: &str, value: Option<f64>, most: f64) -> Result<(), Error> {
    match value {
        Some(value) if !(0.0..=most).contains(&value) => {
            let remedy = format!("give a number in [0, {most:e}]");
            Err(Error::invalid(field, value, remedy))
        }
        _ => Ok(()),
    }
}

fn positive(field: &str, value: Option<f64>) -> Result<(), Error> {
    check(
        field,
        value,
        |value| value.is_finite() && value > 0.0,
        "give a finite number > 0, or None for no limit",
    )
}

fn share(field: &str, value: Option<f64>) -> Result<(), Error> {
    check(
        field,
        value,
        |value| (0.0..=1.0).contains(&value),
        "give a number in [0, 1], or None for no limit",
    )
}

fn check(
    field: &str,
    value: Option<f64>,
    is_fine: impl Fn(f64) -> bool,
    remedy: &str,
) -> Result<(), Error> {
    match value {
        Some(value) if !is_fine(value) => Err(Error::invalid(field, value, remedy)),
        _ => Ok(()),
    }
}
