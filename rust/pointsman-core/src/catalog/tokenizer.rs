//! Names of tokenizer families, and the family that a model's name suggests.

use crate::error::nearest;
use crate::tokens::TokenFamily;

/// Names in documents, in the order of [`TokenFamily`].
const FAMILIES: [(&str, TokenFamily); 9] = [
    ("o200k", TokenFamily::O200k),
    ("cl100k", TokenFamily::Cl100k),
    ("llama3", TokenFamily::Llama3),
    ("qwen", TokenFamily::Qwen),
    ("deepseek", TokenFamily::DeepSeek),
    ("mistral", TokenFamily::Mistral),
    ("claude3", TokenFamily::Claude3),
    ("claude47", TokenFamily::Claude47),
    ("other", TokenFamily::Other),
];
/// First Claude with the tokenizer that gives a third more.
const CLAUDE_47: (u32, u32) = (4, 7);
/// Words that tell a family at once; a distilled model has its student's tokenizer, so the teacher comes last.
const WORDS: [(&[&str], TokenFamily); 4] = [
    (&["llama3", "llama-3", "llama_3"], TokenFamily::Llama3),
    (&["qwen", "qwq"], TokenFamily::Qwen),
    (
        &[
            "mistral",
            "mixtral",
            "ministral",
            "codestral",
            "devstral",
            "pixtral",
            "magistral",
        ],
        TokenFamily::Mistral,
    ),
    (&["deepseek"], TokenFamily::DeepSeek),
];

/// The family of that name, or what is wrong with the name.
pub(super) fn family_of_name(name: &str) -> Result<TokenFamily, String> {
    let names = || FAMILIES.iter().map(|(known, _)| *known);
    let found = FAMILIES.iter().find(|(known, _)| *known == name);
    found.map(|(_, family)| *family).ok_or_else(|| {
        let hint = nearest(name, names())
            .map_or(String::new(), |known| format!("; did you mean {known:?}?"));
        let known: Vec<&str> = names().collect();
        format!(
            "is {name:?}: give one of {}, or null to guess from the model's name{hint}",
            known.join(", ")
        )
    })
}

/// The family that a model's name suggests, whatever provider's prefix or date it carries.
pub(super) fn guess_family(model: &str) -> TokenFamily {
    let name = model.to_ascii_lowercase();
    if let Some((_, rest)) = name.split_once("claude") {
        let is_new = version_in(rest) >= CLAUDE_47;
        return if is_new {
            TokenFamily::Claude47
        } else {
            TokenFamily::Claude3
        };
    }
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if let Some((_, family)) = WORDS.iter().find(|(words, _)| says(words)) {
        return *family;
    }
    if is_older_gpt(&name) {
        return TokenFamily::Cl100k;
    }
    let mut parts = name.split(|one: char| !one.is_ascii_alphanumeric());
    let is_openai =
        parts.any(|part| matches!(part, "gpt" | "chatgpt" | "o1" | "o3" | "o4" | "codex"));
    if is_openai {
        TokenFamily::O200k
    } else {
        TokenFamily::Other
    }
}

/// GPT-4 and before, GPT-4o not among them.
fn is_older_gpt(name: &str) -> bool {
    let rest = name.split_once("gpt-").map_or("", |(_, rest)| rest);
    let has_version = rest.starts_with(|one: char| one.is_ascii_digit());
    // "gpt-35-turbo" is Azure's spelling of 3.5.
    has_version && !rest.starts_with("4o") && (rest.starts_with("35") || version_in(rest) < (4, 1))
}

/// The first number and the one right behind it, (0, 0) without; a date and a size are no version.
fn version_in(text: &str) -> (u32, u32) {
    let mut parts = text
        .split(|one: char| !one.is_ascii_alphanumeric())
        .skip_while(|part| !part.starts_with(|one: char| one.is_ascii_digit()));
    let mut number = || {
        let part = parts.next().unwrap_or("");
        part.parse()
            .ok()
            .filter(|number| *number < 100)
            .unwrap_or(0)
    };
    (number(), number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_suggest_their_family() {
        use TokenFamily::{
            Cl100k, Claude3, Claude47, DeepSeek, Llama3, Mistral, O200k, Other, Qwen,
        };
        let cases = [
            ("gpt-4o-mini", O200k),
            ("openai/gpt-4.1-nano", O200k),
            ("gpt-5.4-2026-03-05", O200k),
            ("chatgpt-4o-latest", O200k),
            ("azure/o3-mini", O200k),
            ("openai.gpt-oss-120b-1:0", O200k),
            ("gpt-audio-1.5", O200k),
            ("gpt-4", Cl100k),
            ("gpt-4-0613", Cl100k),
            ("gpt-4-32k", Cl100k),
            ("gpt-4-turbo", Cl100k),
            ("gpt-3.5-turbo-0125", Cl100k),
            ("azure/gpt-35-turbo", Cl100k),
            ("claude-3-5-sonnet-20241022", Claude3),
            ("claude-opus-4-20250514", Claude3),
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", Claude3),
            ("claude-opus-4-7", Claude47),
            ("openrouter/anthropic/claude-opus-4.7", Claude47),
            ("claude-sonnet-5", Claude47),
            ("meta-llama/Llama-3.3-70B-Instruct", Llama3),
            ("deepseek-r1-distill-llama-3-70b", Llama3),
            ("deepseek-r1-distill-qwen-32b", Qwen),
            ("deepseek-chat", DeepSeek),
            ("Qwen/Qwen3-32B", Qwen),
            ("codestral-latest", Mistral),
            ("gemini-2.5-pro", Other),
            ("solo1", Other),
            ("", Other),
        ];
        for (name, family) in cases {
            assert_eq!(guess_family(name), family, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        assert_eq!(family_of_name("claude47"), Ok(TokenFamily::Claude47));
        let problem = family_of_name("o200").unwrap_err();
        assert!(
            problem.contains("is \"o200\": give one of o200k, cl100k, llama3"),
            "{problem}"
        );
        assert!(problem.ends_with("did you mean \"o200k\"?"), "{problem}");
    }
}
