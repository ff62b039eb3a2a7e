//! Any conversation is measured and classified, and all that comes of it is finite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointsman_core::{Conversation, Facts, Features, Request, Role, classify};

fuzz_target!(|texts: Vec<(u8, String)>| {
    let mut conversation = Conversation::new();
    for (role, text) in &texts {
        let roles = [Role::User, Role::System, Role::Assistant, Role::Tool];
        conversation.begin(roles[usize::from(role % 4)]);
        conversation.text(text.as_str());
    }
    let features = Features::extract(&Request::new(conversation));
    assert!(features.dense().iter().all(|value| value.is_finite()));
    let squares: f32 = features.grams().map(|(_, weight)| weight * weight).sum();
    // Of unit length at most: the last message, the turns before, the system prompts.
    assert!(squares < 3.01, "{squares}");
    let profile = classify(&features, &Facts::default());
    assert!((0.0..=1.0).contains(&profile.domain.p));
});
