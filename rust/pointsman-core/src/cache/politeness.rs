//! What stands at the edges of a text and asks nothing: greetings, politeness, final punctuation.

/// Openers that ask nothing: `(phrase, needs punctuation behind it)`. Lower case, longest first where one begins another.
/// Where a phrase ends in a space, a comma and other ends of a clause may stand for it.
const OPENERS: &[(&str, bool)] = &[
    ("could you please ", false),
    ("can you please ", false),
    ("would you please ", false),
    ("will you please ", false),
    ("please ", false),
    ("pls ", false),
    ("plz ", false),
    ("kindly ", false),
    ("hello there", true),
    ("hi there", true),
    ("hey there", true),
    ("hello", true),
    ("hi", true),
    ("hey", true),
    ("good morning", true),
    ("good afternoon", true),
    ("good evening", true),
    ("greetings", true),
    ("dear assistant", true),
    ("thanks", true),
    ("thank you", true),
    ("por favor", true),
    ("hola", true),
    ("buenos días", true),
    ("buenas tardes", true),
    ("buenas", true),
    ("s'il vous plaît", true),
    ("s'il te plaît", true),
    ("stp", true),
    ("svp", true),
    ("bonjour", true),
    ("bonsoir", true),
    ("salut", true),
    ("bitte ", false),
    ("hallo", true),
    ("guten tag", true),
    ("guten morgen", true),
    ("olá", true),
    ("oi", true),
    ("bom dia", true),
    ("boa tarde", true),
    ("per favore", true),
    ("ciao", true),
    ("buongiorno", true),
    ("buonasera", true),
    ("salve", true),
    ("пожалуйста", true),
    ("привет", true),
    ("здравствуйте", true),
    ("добрый день", true),
    ("कृपया ", false),
    ("नमस्ते", true),
    ("من فضلك", true),
    ("لو سمحت", true),
    ("مرحبا", true),
    ("السلام عليكم", true),
    ("请问", false),
    ("你好", true),
    ("您好", true),
    ("请", false),
    ("こんにちは", true),
    ("すみません", true),
];

/// Closers that ask nothing, behind a comma or the end of a sentence.
const CLOSERS: &[&str] = &[
    "thank you very much",
    "thank you so much",
    "thanks so much",
    "merci beaucoup",
    "grazie mille",
    "mille grazie",
    "muito obrigado",
    "muito obrigada",
    "большое спасибо",
    "非常感谢",
    "thanks in advance",
    "thank you in advance",
    "many thanks",
    "thank you",
    "thanks a lot",
    "thanks",
    "thx",
    "please",
    "pls",
    "plz",
    "cheers",
    "por favor",
    "gracias",
    "muchas gracias",
    "s'il vous plaît",
    "s'il te plaît",
    "svp",
    "stp",
    "merci",
    "merci d'avance",
    "bitte",
    "danke",
    "vielen dank",
    "danke schön",
    "obrigado",
    "obrigada",
    "per favore",
    "grazie",
    "пожалуйста",
    "спасибо",
    "धन्यवाद",
    "कृपया",
    "من فضلك",
    "شكرا",
    "谢谢",
    "谢谢您",
    "ありがとう",
    "ありがとうございます",
    "お願いします",
];

/// Without politeness at both ends and without final punctuation.
pub(super) fn strip_edges(text: &str) -> &str {
    let mut core = strip_final(text);
    while let Some(shorter) = strip_closer(core) {
        core = strip_final(shorter);
    }
    while let Some(shorter) = strip_opener(core) {
        core = shorter;
    }
    core
}

/// Without the punctuation that ends a sentence; an exclamation mark behind a number or a letter is a factorial.
fn strip_final(text: &str) -> &str {
    let ends = |c: char| {
        matches!(
            c,
            '?' | '.' | '!' | '。' | '؟' | '।' | '…' | ' ' | '¿' | '¡'
        )
    };
    let core = text
        .trim_end_matches(ends)
        .trim_start_matches(['¿', '¡', ' ']);
    let tail = &text[text.len().min(text.trim_end_matches(ends).len())..];
    let last = core
        .rsplit(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or("");
    let is_formula = last.chars().count() <= 1 || last.bytes().all(|byte| byte.is_ascii_digit());
    if tail.contains('!') && is_formula {
        text
    } else {
        core
    }
}

fn strip_opener(text: &str) -> Option<&str> {
    let is_break = |c: char| {
        matches!(
            c,
            ',' | '.' | '!' | ':' | ';' | '-' | '，' | '。' | '、' | '！'
        )
    };
    OPENERS.iter().find_map(|(opener, needs_break)| {
        let rest = text.strip_prefix(opener.trim_end())?;
        // A hyphen may join the phrase to a word: "kindly-worded".
        let is_apart = |rest: &str| rest.starts_with(|c| c == ' ' || is_break(c) && c != '-');
        if opener.ends_with(' ') && !is_apart(rest) {
            return None;
        }
        let core = rest.trim_start_matches(|c: char| is_break(c) || c == ' ');
        let is_broken = rest.trim_start().starts_with(is_break);
        ((is_broken || !needs_break) && says_enough(core)).then_some(core)
    })
}

fn strip_closer(text: &str) -> Option<&str> {
    let is_break = |c: char| {
        matches!(
            c,
            ',' | '.' | '!' | '?' | ';' | '，' | '。' | '、' | '！' | '？'
        )
    };
    CLOSERS.iter().find_map(|closer| {
        let rest = text.strip_suffix(closer)?.trim_end();
        let core = rest.trim_end_matches(is_break).trim_end();
        (rest.len() > core.len() && says_enough(core)).then_some(if rest.ends_with(',') {
            core
        } else {
            rest
        })
    })
}

/// Whether what is left can be the question itself.
fn says_enough(core: &str) -> bool {
    core.split(' ').filter(|word| !word.is_empty()).count() >= 2
        || core.chars().count() >= 4 && !core.is_ascii()
}
