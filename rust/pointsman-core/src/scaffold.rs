//! Agent scaffolding: blocks that tools paste into a message and that say nothing about the task.

use std::borrow::Cow;

/// Longer texts are left as they are: no tool pastes so much around a question.
const MAX_BYTES: usize = 32 * 1024;

/// Tags whose blocks are dropped.
const TAGS: [&str; 4] = [
    "system-reminder",
    "environment_details",
    "environment_context",
    "tool_result",
];

/// The text without its scaffolding; borrowed if there is none. `O(n)` up to 32 KiB, then nothing.
pub(crate) fn strip(text: &str) -> Cow<'_, str> {
    if text.len() > MAX_BYTES || next_block(text).is_none() {
        return Cow::Borrowed(text);
    }
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((start, end)) = next_block(rest) {
        kept.push_str(&rest[..start]);
        kept.push('\n');
        rest = &rest[end..];
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// Where the next block begins and ends; one that is never closed ends with the text.
fn next_block(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    loop {
        let start = at + text[at..].find('<')?;
        let inside = &text[start + 1..];
        let tag = TAGS.iter().find(|tag| {
            inside.starts_with(**tag) && inside.as_bytes().get(tag.len()) == Some(&b'>')
        });
        if let Some(tag) = tag {
            let close = format!("</{tag}>");
            let end = inside.find(&close).map(|n| start + 1 + n + close.len());
            return Some((start, end.unwrap_or(text.len())));
        }
        at = start + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_dropped_and_the_rest_is_kept() {
        let text = "<system-reminder>be quick</system-reminder>a < b?<environment_details>cwd";
        assert_eq!(strip(text), "\na < b?\n");
        assert!(matches!(strip("1 < 2 <b>x</b>"), Cow::Borrowed(_)));
    }
}
