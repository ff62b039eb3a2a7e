//! The guard and the keys on pairs of our own: whatever asks something else is vetoed, and paraphrases pass.

use pointsman_core::cache::{Reading, Unservable, unservable, veto};
use proptest::prelude::*;

const PAIRS: &str = include_str!("cache_pairs.tsv");
/// Share of the paraphrases that may be refused: a miss costs money, a false hit costs trust.
const MOST_REFUSED: f64 = 0.10;

fn pairs() -> impl Iterator<Item = (bool, &'static str, Reading, Reading)> {
    PAIRS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let [same, family, stored, asked] = cells[..] else {
                panic!("four cells a line: {line}");
            };
            (
                same == "1",
                family,
                Reading::new(stored),
                Reading::new(asked),
            )
        })
}

fn share_key(a: &Reading, b: &Reading) -> bool {
    a.normalised() == b.normalised() || a.canonical().is_some() && a.canonical() == b.canonical()
}

#[test]
fn every_other_question_is_vetoed_and_shares_no_key() {
    for (_, family, stored, asked) in pairs().filter(|pair| !pair.0) {
        let texts = (stored.normalised(), asked.normalised());
        assert!(veto(&stored, &asked).is_some(), "{family}: {texts:?}");
        assert!(!share_key(&stored, &asked), "{family}: {texts:?}");
    }
}

#[test]
fn most_paraphrases_pass() {
    let same: Vec<_> = pairs().filter(|pair| pair.0).collect();
    let refused: Vec<_> = same
        .iter()
        .filter(|(_, _, stored, asked)| veto(stored, asked).is_some())
        .map(|(_, family, stored, asked)| (family, stored.normalised(), asked.normalised()))
        .collect();
    assert!(
        refused.len() as f64 <= MOST_REFUSED * same.len() as f64,
        "{refused:#?}"
    );
}

#[test]
fn a_veto_is_symmetric_and_equal_keys_are_never_vetoed() {
    for (_, family, stored, asked) in pairs() {
        let texts = (family, stored.normalised(), asked.normalised());
        let (there, back) = (veto(&stored, &asked), veto(&asked, &stored));
        assert_eq!(there.is_some(), back.is_some(), "{texts:?}");
        assert!(!share_key(&stored, &asked) || there.is_none(), "{texts:?}");
    }
}

/// Rewordings that share a key, and near misses that must not: one block a rule.
#[test]
fn frames_compounds_and_comparisons_are_folded_and_their_neighbours_are_not() {
    for (stored, asked) in [
        (
            "What should I do to improve English?",
            "How can one improve English?",
        ),
        ("How may I cook rice?", "How do I cook rice?"),
        (
            "What are some of the oldest trees?",
            "What are the oldest trees?",
        ),
        ("Why do porn stars retire?", "Why do pornstars retire?"),
        ("Which keyboard is quiet?", "Which key board is quiet?"),
        (
            "Who wrote the oldest dialogue?",
            "Who wrote the oldest dialog?",
        ),
        (
            "What is the difference between red foxes and grey wolves?",
            "What's the difference between grey wolves and red foxes?",
        ),
        ("Must I sign a lease?", "Do I have to sign a lease?"),
        (
            "Can you translate \"hund\" to English?",
            "Translate \"hund\" to English.",
        ),
        ("Où est Lyon ? Merci beaucoup.", "Où est Lyon ?"),
    ] {
        let (a, b) = (Reading::new(stored), Reading::new(asked));
        assert!(share_key(&a, &b), "{stored} | {asked}: {:?}", veto(&a, &b));
    }
    for (stored, asked) in [
        ("How do I repair my car?", "How do I repair your car?"),
        ("How do I repair my car?", "How do I repair his car?"),
        ("Why is my car loud?", "Why is your car loud?"),
        (
            "What are some of the oldest trees?",
            "What are the oldest cities?",
        ),
        ("Which keyboard is quiet?", "Which board is quiet?"),
        (
            "What is the difference between foxes and wolves?",
            "What is the difference between foxes and dogs?",
        ),
        (
            "What is the difference between red foxes and grey wolves?",
            "What is the difference between grey foxes and red wolves?",
        ),
        ("Must I sign a lease?", "May I sign a lease?"),
        ("Must I sign a lease?", "Must he sign a lease?"),
        (
            "Can you translate \"hund\" to English?",
            "Can you translate \"hund\" to French?",
        ),
    ] {
        let (a, b) = (Reading::new(stored), Reading::new(asked));
        assert!(
            !share_key(&a, &b) && veto(&a, &b).is_some(),
            "{stored} | {asked}"
        );
    }
}

#[test]
fn what_changes_by_the_hour_by_the_asker_or_by_wish_is_not_served() {
    for (text, name) in [
        ("What is the weather today?", "time_sensitive"),
        ("What are the latest scores?", "time_sensitive"),
        ("¿Qué tiempo hace hoy?", "time_sensitive"),
        ("今天天气怎么样", "time_sensitive"),
        ("Tell me another one", "diverse"),
        ("Surprise me", "diverse"),
        ("Where is my order?", "personal"),
        ("¿Cuál es mi saldo?", "personal"),
    ] {
        assert_eq!(unservable(text).map(Unservable::name), Some(name), "{text}");
    }
    for text in [
        "What is the capital of Oman?",
        "How are random numbers made?",
        "What was yesterday's news called?",
    ] {
        let why = unservable(text).map(Unservable::name);
        assert!(
            why.is_none() || text.contains("yesterday"),
            "{text}: {why:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_is_itself(text in "\\PC{0,80}", tail in "[ -~]{0,40}") {
        let text = text + &tail;
        let (a, b) = (Reading::new(&text), Reading::new(&text));
        prop_assert!(veto(&a, &b).is_none());
        prop_assert_eq!(a.canonical(), b.canonical());
        let again = Reading::new(a.normalised());
        prop_assert_eq!(again.normalised(), a.normalised(), "normalising twice changes nothing");
    }

    #[test]
    fn another_number_is_always_vetoed(a in 0u32..100_000, b in 0u32..100_000, at in 0usize..4) {
        prop_assume!(a != b);
        let frames = ["List {} tips", "What is {} times 3?", "¿Qué pasó en {}?", "列出{}个方法"];
        let make = |n: u32| Reading::new(&frames[at].replace("{}", &n.to_string()));
        prop_assert!(veto(&make(a), &make(b)).is_some());
        prop_assert!(!share_key(&make(a), &make(b)));
    }

    #[test]
    fn a_word_in_one_text_only_is_vetoed(word in "[a-z]{3,9}x[a-z]{2,4}") {
        let (plain, more) = (Reading::new("How do I cook rice?"), Reading::new(&format!("How do I cook {word} rice?")));
        prop_assert!(veto(&plain, &more).is_some());
    }
}
