//! JSON laid out to be read: the text itself with line breaks and indents, so that the order of the fields and
//! every number stay as they came.

use serde::de::IgnoredAny;

use crate::text;

/// Columns of one step of indentation.
const STEP: usize = 2;

/// The text in lines of at most so many columns that are safe to show: laid out when it is JSON, and otherwise
/// as it came. A line that is too long goes on in the next, a step further in.
pub(super) fn lines(foreign: &str, columns: usize) -> Vec<String> {
    let laid_out = match serde_json::from_str::<IgnoredAny>(foreign) {
        Ok(_) => laid_out(foreign),
        Err(_) => foreign.lines().map(|line| (0, line.to_owned())).collect(),
    };
    let mut lines = Vec::new();
    for (depth, line) in laid_out {
        // However deep it goes, half of the columns are left for what stands there.
        let indent = (depth * STEP).min(columns / 2);
        let line = text::shown(&line);
        for (index, part) in broken(&line, columns.saturating_sub(indent + STEP).max(1)).enumerate() {
            let indent = if index == 0 { indent } else { indent + STEP };
            lines.push(format!("{}{part}", " ".repeat(indent)));
        }
    }
    lines
}

/// Each line of valid JSON with how deep it is.
fn laid_out(json: &str) -> Vec<(usize, String)> {
    let (mut lines, mut line, mut depth) = (Vec::new(), String::new(), 0_usize);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                line.push(letter);
                let mut escaped = false;
                for letter in letters.by_ref() {
                    line.push(letter);
                    if letter == '"' && !escaped {
                        break;
                    }
                    escaped = letter == '\\' && !escaped;
                }
            }
            '{' | '[' => {
                line.push(letter);
                while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
                match letters.next_if(|letter| matches!(letter, '}' | ']')) {
                    Some(end) => line.push(end),
                    None => {
                        lines.push((depth, std::mem::take(&mut line)));
                        depth += 1;
                    }
                }
            }
            '}' | ']' => {
                lines.push((depth, std::mem::take(&mut line)));
                depth = depth.saturating_sub(1);
                line.push(letter);
            }
            ',' => {
                line.push(letter);
                lines.push((depth, std::mem::take(&mut line)));
            }
            ':' => line.push_str(": "),
            letter if letter.is_whitespace() => {}
            letter => line.push(letter),
        }
    }
    lines.push((depth, line));
    lines
}

/// The text in parts of at most so many columns, broken after a space where there is one late enough.
fn broken(text: &str, columns: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut used = 0;
        let fits = text.char_indices().map(|(at, letter)| {
            used += text::width(letter.encode_utf8(&mut [0; 4]));
            (at, letter, used)
        });
        let (mut over, mut space) = (None, None);
        for (at, letter, used) in fits {
            if used > columns && at > 0 {
                over = Some(at);
                break;
            }
            if letter == ' ' && used > columns / 2 {
                space = Some(at + 1);
            }
        }
        let (part, left) = text.split_at(over.map_or(text.len(), |over| space.unwrap_or(over)));
        rest = (!left.is_empty()).then_some(left);
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_is_laid_out_as_it_came() {
        let json = r#"{"b":[1.50, 2e3,{}],"a" : "x, {\"y\\\\\"}","c":[ ],"d":null}"#;
        let expected = [
            "{",
            "  \"b\": [",
            "    1.50,",
            "    2e3,",
            "    {}",
            "  ],",
            r#"  "a": "x, {\"y\\\\\"}","#,
            "  \"c\": [],",
            "  \"d\": null",
            "}",
        ];
        assert_eq!(lines(json, 60), expected);
        assert_eq!(lines("7", 60), ["7"]);
    }

    #[test]
    fn a_long_line_goes_on_a_step_further_in() {
        let json = r#"{"title":"one two three four"}"#;
        assert_eq!(lines(json, 18), ["{", "  \"title\": \"one ", "    two three ", "    four\"", "}"]);
        assert_eq!(lines("[\"abcdefghij\"]", 8), ["[", "  \"abc", "    defg", "    hij\"", "]"]);
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        assert_eq!(lines("{\"cut\": \"of\nnext", 60), ["{\"cut\": \"of", "next"]);
        assert_eq!(lines("", 60), Vec::<String>::new());
    }

    #[test]
    fn foreign_text_is_made_visible() {
        assert_eq!(lines("[\"a\u{202e}\"]", 60)[1], "  \"a\\u{202e}\"");
    }

    /// JSON of any shape.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_layout_is_serde_jsons_own(value in json()) {
            let laid_out: Vec<String> = laid_out(&value.to_string())
                .into_iter()
                .map(|(depth, line)| format!("{}{line}", " ".repeat(depth * STEP)))
                .collect();
            prop_assert_eq!(laid_out.join("\n"), serde_json::to_string_pretty(&value).unwrap_or_default());
        }

        #[test]
        fn no_text_is_wider_than_it_may_be(text in ".{0,200}", value in json(), columns in 8_usize..60) {
            for text in [text, value.to_string()] {
                for line in lines(&text, columns) {
                    prop_assert!(text::width(&line) <= columns, "{:?}", line);
                    prop_assert!(!line.contains(text::is_unsafe));
                }
            }
        }
    }
}
