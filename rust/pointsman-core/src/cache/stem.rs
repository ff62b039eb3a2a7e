//! Light stemming: number and `-ing` of English, number of the Romance languages; never what changes the meaning.

use super::lexicon::Tongue;

/// Longest word that is stemmed, in bytes; a longer one has no stem (0) and is its own key.
const MOST: usize = 48;

/// Writes the stem of a word of the normalised text and returns its length in bytes; 0: it is its own stem.
pub(crate) fn stem(tongue: Tongue, word: &[u8], out: &mut [u8; MOST]) -> usize {
    let n = word.len();
    let may_change = matches!(word.last(), Some(b's' | b'g' | b'e' | b'y'));
    if !may_change || !(4..=MOST).contains(&n) {
        return 0;
    }
    out[..n].copy_from_slice(word);
    let stem = match tongue {
        Tongue::En if word.is_ascii() => english(out, n),
        Tongue::Es | Tongue::Pt | Tongue::Fr => romance(out, n),
        _ => n,
    };
    let is_own = stem == n && out[n - 1] == word[n - 1];
    if is_own { 0 } else { stem }
}

/// Plurals, third persons and `-ing`. The past tense, comparatives and affixes stay: "faster" is not "fast".
fn english(word: &mut [u8; MOST], n: usize) -> usize {
    let n = plural(word, n);
    participle(word, n)
}

fn plural(word: &mut [u8; MOST], n: usize) -> usize {
    if n > 4 && word[..n].ends_with(b"ies") {
        return n - 2;
    }
    let sibilants = [&b"sses"[..], b"shes", b"ches", b"xes", b"zes"];
    if sibilants.iter().any(|end| word[..n].ends_with(end)) {
        return n - 2;
    }
    let stays = [&b"ss"[..], b"us", b"is", b"as", b"ews"];
    if word[..n].ends_with(b"s") && !stays.iter().any(|end| word[..n].ends_with(end)) {
        return n - 1;
    }
    n
}

fn participle(word: &mut [u8; MOST], n: usize) -> usize {
    if n <= 5 || !word[..n].ends_with(b"ing") {
        return final_e(word, n);
    }
    let stem = n - 3;
    if !word[..stem].iter().any(|letter| is_vowel(*letter)) {
        return n;
    }
    let is_doubled = stem > 3 && word[stem - 1] == word[stem - 2];
    let keeps_double = matches!(word[stem - 1], b'l' | b's' | b'z') || is_vowel(word[stem - 1]);
    if is_doubled && !keeps_double {
        stem - 1
    } else {
        final_e(word, stem)
    }
}

/// "making" and "make" meet at "mak", "city" and "cities" at "citi".
fn final_e(word: &mut [u8; MOST], n: usize) -> usize {
    if n > 3 && word[n - 1] == b'y' && !is_vowel(word[n - 2]) {
        word[n - 1] = b'i';
    }
    if n > 3 && word[n - 1] == b'e' && (!is_vowel(word[n - 2]) || word[n - 2] == b'i') {
        n - 1
    } else {
        n
    }
}

/// The plural `-s` behind a vowel.
fn romance(word: &[u8; MOST], n: usize) -> usize {
    if n > 4 && word[n - 1] == b's' && matches!(word[n - 2], b'a' | b'e' | b'o') {
        n - 1
    } else {
        n
    }
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

#[cfg(test)]
mod tests {
    use super::{Tongue, stem};

    fn english(word: &str) -> Vec<u8> {
        let mut out = [0; 48];
        match stem(Tongue::En, word.as_bytes(), &mut out) {
            0 => word.into(),
            n => out[..n].to_vec(),
        }
    }

    #[test]
    fn inflections_meet_and_other_words_do_not() {
        for (a, b) in [
            ("cities", "city"),
            ("cookies", "cookie"),
            ("making", "make"),
            ("running", "runs"),
            ("stopping", "stop"),
            ("classes", "class"),
            ("boxes", "boxing"),
            ("stories", "story"),
        ] {
            assert_eq!(english(a), english(b), "{a} {b}");
        }
        for (a, b) in [
            ("faster", "fast"),
            ("organ", "organization"),
            ("unhappy", "happy"),
            ("careless", "careful"),
            ("won", "wins"),
            ("happened", "happens"),
        ] {
            assert_ne!(english(a), english(b), "{a} {b}");
        }
    }
}
