//! Any JSON is refused as a catalog, or makes a router that decides.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pointsman_core::{Catalog, Router};

fuzz_target!(|document: &[u8]| {
    let Ok(catalog) = Catalog::from_json(document) else {
        return;
    };
    if let Ok(router) = Router::new(Arc::new(catalog)) {
        pointsman_fuzz::decide(&router, "Write a function that sorts.");
    }
});
