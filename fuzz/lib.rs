//! What the fuzz targets share: a small catalog, and one decision whose numbers must make sense.

use std::sync::Arc;

use pointsman_core::{Catalog, Conversation, Request, Router};
use xxhash_rust::xxh3::xxh3_64;

/// Magic, version and checksum stand before what they seal.
pub const HEADER: usize = 16;

/// Makes the checksum right, so that what it guards is reached.
pub fn seal(document: &mut [u8]) {
    if document.len() >= HEADER {
        let sum = xxh3_64(&document[HEADER..]);
        document[8..HEADER].copy_from_slice(&sum.to_le_bytes());
    }
}

/// A saved document with bytes behind its header changed; not sealed.
pub fn changed(saved: &[u8], edits: &[(u16, u8)]) -> Vec<u8> {
    let mut document = saved.to_vec();
    for (at, byte) in edits {
        let at = HEADER + usize::from(*at) % (document.len() - HEADER);
        document[at] = *byte;
    }
    document
}

/// Any bytes behind the header of a saved document, sealed.
pub fn made(saved: &[u8], raw: &[u8]) -> Vec<u8> {
    let mut document = [&saved[..HEADER], raw].concat();
    seal(&mut document);
    document
}

/// Two deployments of two models.
pub const CATALOG: &[u8] = br#"{
    "models": [{"name": "a", "context_window": 8000, "quality": {"default": 0.7, "code": 0.6}},
               {"name": "b", "context_window": 128000, "quality": {"default": 0.9}}],
    "providers": [{"name": "p"}],
    "deployments": [
        {"name": "p/a", "model": "a", "provider": "p",
         "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}},
        {"name": "p/b", "model": "b", "provider": "p",
         "price_nano_usd_per_mtok": {"input": 1150000000, "output": 4600000000},
         "latency": {"ttft_p50_ms": 500, "ttft_p95_ms": 1900, "tokens_per_s": 60}}]}"#;

/// A router over [`CATALOG`].
pub fn router() -> Router {
    let catalog = Catalog::from_json(CATALOG).expect("the catalog is valid");
    Router::new(Arc::new(catalog)).expect("the catalog is valid")
}

/// Decides a prompt; what is predicted must be finite and in range.
pub fn decide(router: &Router, text: &str) {
    let request = Request::new(Conversation::user(text));
    let verdict = router
        .decide(&request, 1.7e9, 7)
        .expect("the request is valid");
    if let Some(decision) = verdict.decision() {
        let predicted = decision.predicted();
        assert!(
            (0.0..=1.0).contains(&predicted.quality.mean),
            "{predicted:?}"
        );
        assert!(
            predicted.cost_usd.is_finite() && predicted.cost_usd >= 0.0,
            "{predicted:?}"
        );
        assert!(predicted.latency.p95_ms.is_finite(), "{predicted:?}");
        assert!((0.0..=1.0).contains(&decision.propensity()));
        decision.to_json(None);
    }
}
