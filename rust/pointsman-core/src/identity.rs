//! Decision ids: the time, then a hash of what the decision depends on.

use xxhash_rust::xxh3::Xxh3;

use crate::error::Error;
use crate::request::Request;

/// `dec_` + 12 hex digits of the time in ms + 20 hex digits of the inputs' hash; sorts by time.
pub(crate) fn decision_id<S: AsRef<str>>(
    catalog_version: &str,
    request: &Request<S>,
    now_s: f64,
    seed: u64,
) -> Result<String, Error> {
    let millis = (now_s * 1000.0).floor();
    // 48 bits of milliseconds last until the year 10889.
    if !(millis >= 0.0 && millis < (1u64 << 48) as f64) {
        return Err(Error::invalid(
            "now_s",
            now_s,
            "give Unix time in seconds, finite and >= 0",
        ));
    }
    let mut hash = Hash(Xxh3::new());
    hash.text(catalog_version);
    hash.number(seed);
    hash.request(request);
    let digest = hash.0.digest128() >> 48;
    let mut id = String::with_capacity("dec_".len() + 32);
    id.push_str("dec_");
    push_hex(&mut id, u128::from(millis as u64) << 80 | digest);
    Ok(id)
}

/// All 32 hex digits; the formatting of the standard library takes ten times as long.
fn push_hex(text: &mut String, number: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in number.to_be_bytes() {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Feeds values with their lengths, so that no two inputs run together.
struct Hash(Xxh3);

impl Hash {
    fn number(&mut self, value: u64) {
        self.0.update(&value.to_le_bytes());
    }

    /// Of a long text its length and both ends, which are more than a decision reads of it.
    fn text(&mut self, text: &str) {
        const END_BYTES: usize = 16 * 1024;
        let bytes = text.as_bytes();
        self.number(bytes.len() as u64);
        if bytes.len() <= 2 * END_BYTES {
            self.0.update(bytes);
        } else {
            self.0.update(&bytes[..END_BYTES]);
            self.0.update(&bytes[bytes.len() - END_BYTES..]);
        }
    }

    fn texts<S: AsRef<str>>(&mut self, texts: &[S]) {
        self.number(texts.len() as u64);
        texts.iter().for_each(|text| self.text(text.as_ref()));
    }

    fn list<S: AsRef<str>>(&mut self, texts: Option<&Vec<S>>) {
        self.number(u64::from(texts.is_some()));
        self.texts(texts.map_or(&[][..], |texts| &texts[..]));
    }

    fn option<S: AsRef<str>>(&mut self, text: Option<&S>) {
        self.number(u64::from(text.is_some()));
        self.text(text.map_or("", AsRef::as_ref));
    }

    fn limit(&mut self, limit: Option<f64>) {
        self.number(u64::from(limit.is_some()));
        self.number(limit.map_or(0, f64::to_bits));
    }

    fn request<S: AsRef<str>>(&mut self, request: &Request<S>) {
        let conversation = &request.conversation;
        for message in &conversation.messages {
            self.number(message.role as u64);
            self.number(message.texts.end as u64);
            self.number(message.calls.end as u64);
        }
        self.texts(&conversation.texts);
        self.texts(&conversation.calls);
        self.number(conversation.n_elided_bytes);
        conversation
            .attachments
            .iter()
            .for_each(|count| self.number(u64::from(*count)));
        self.texts(&request.schema_texts);
        self.number(u64::from(request.n_tools));
        self.number(request.response_format as u64);
        self.number(request.max_output_tokens.unwrap_or(0));
        self.number(u64::from(request.n_choices));
        self.number(u64::from(request.is_stream));
        self.option(request.service_tier.as_ref());
        self.texts(&request.parameters);
        self.list(request.allowed_models.as_ref());
        self.option(request.tenant.as_ref());
        self.option(request.session_id.as_ref());
        self.constraints(request);
        self.preferences(request);
        let vector = request.vector.as_deref();
        self.number(vector.map_or(0, |vector| vector.len() as u64 + 1));
        let values = vector.unwrap_or_default().iter();
        values.for_each(|value| self.0.update(&value.to_le_bytes()));
    }

    fn constraints<S: AsRef<str>>(&mut self, request: &Request<S>) {
        let constraints = &request.constraints;
        self.option(constraints.task.as_ref());
        self.option(constraints.quality_like.as_ref());
        let limits = [
            constraints.max_cost_usd,
            constraints.max_latency_ms,
            constraints.max_ttft_ms,
            constraints.min_quality,
            constraints.deadline_s,
            constraints.within_best,
            constraints.quality_value_usd,
            constraints.budget_price,
            Some(constraints.latency_value_usd_per_s),
            Some(constraints.min_propensity),
        ];
        limits.iter().for_each(|limit| self.limit(*limit));
        let tolerance = constraints
            .quality_tolerance
            .map_or([None; 3], |tolerance| tolerance.map(Some));
        tolerance.iter().for_each(|limit| self.limit(*limit));
        self.number(u64::from(constraints.exploration));
    }

    fn preferences<S: AsRef<str>>(&mut self, request: &Request<S>) {
        let preferences = &request.preferences;
        self.texts(&preferences.order);
        self.list(preferences.only.as_ref());
        self.texts(&preferences.ignore);
        let flags = [
            preferences.allow_fallbacks,
            preferences.require_parameters,
            preferences.deny_data_collection,
        ];
        flags.iter().for_each(|flag| self.number(u64::from(*flag)));
        self.number(preferences.sort.map_or(0, |sort| sort as u64 + 1));
        self.limit(preferences.max_input_price_usd_per_mtok);
        self.limit(preferences.max_output_price_usd_per_mtok);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hex_is_what_the_standard_library_writes(number in any::<u128>()) {
            let mut text = String::new();
            push_hex(&mut text, number);
            prop_assert_eq!(text, format!("{number:032x}"));
        }
    }
}
