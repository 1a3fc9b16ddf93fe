//! Patterns of Redis: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`, and `\` before a literal character.

/// Returns `true` if the whole `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to continue, one byte further, if the rest after the last star does not match.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        match (one(pattern, text.first()), text) {
            (Some(rest), [_, after @ ..]) => (pattern, text) = (rest, after),
            _ if pattern.is_empty() && text.is_empty() => return true,
            _ => match retry {
                Some((rest, [_, after @ ..])) => {
                    retry = Some((rest, after));
                    (pattern, text) = (rest, after);
                }
                _ => return false,
            },
        }
    }
}

/// Returns the rest of the pattern if its first item matches the byte.
fn one<'a>(pattern: &'a [u8], byte: Option<&u8>) -> Option<&'a [u8]> {
    let byte = *byte?;
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
    }
}

/// The same inside brackets. An unclosed bracket ends with the pattern.
fn class(mut items: &[u8], byte: u8) -> Option<&[u8]> {
    let negated = items.first() == Some(&b'^');
    if negated {
        items = &items[1..];
    }
    let mut found = false;
    loop {
        items = match items {
            [] => break,
            [b']', rest @ ..] => {
                items = rest;
                break;
            }
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [from, b'-', to, rest @ ..] if *to != b']' => {
                found |= (*from.min(to)..=*from.max(to)).contains(&byte);
                rest
            }
            [literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
        };
    }
    (found != negated).then_some(items)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_those_of_redis() {
        for (pattern, yes, no) in [
            ("news", &["news"][..], &["new", "newss", ""][..]),
            ("news.*", &["news.", "news.a.b"], &["news", "xnews."]),
            ("*", &["", "a"], &[]),
            ("*a*b", &["ab", "xaxbxb"], &["a", "ba", "abc"]),
            ("h?llo", &["hello", "hallo"], &["hllo", "heello"]),
            ("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]),
            ("h[^e]llo", &["hallo"], &["hello", "hllo"]),
            ("h[a-c]llo", &["hbllo"], &["hdllo", "h-llo"]),
            (r"a\*", &["a*"], &["ab"]),
            (r"[\]]", &["]"], &["\\"]),
            ("[a", &["a"], &["b"]),
        ] {
            for text in yes {
                assert!(
                    matches(pattern.as_bytes(), text.as_bytes()),
                    "{pattern} {text}"
                );
            }
            for text in no {
                assert!(
                    !matches(pattern.as_bytes(), text.as_bytes()),
                    "{pattern} {text}"
                );
            }
        }
    }

    #[test]
    fn many_stars_take_no_more_than_quadratic_time() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(10_000).as_bytes()));
    }
}
