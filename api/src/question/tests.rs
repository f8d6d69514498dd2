//! What is read is what is documented, whatever was sent.

use super::*;

const COLOUR: Param<Name> = Param::new("colour", "Which", "red");
const SIZES: Param<Limit> = Param::new("sizes", "How large", "3");
const ID: Param<Name> = Param::new("id", "Of what", "x");
const EXTRA: Param<Text> = Param::new("extra.NAME", "What else", "y");

#[derive(Debug, PartialEq)]
struct Asked {
    id: String,
    colour: Option<String>,
    sizes: Vec<usize>,
    extra: Vec<(String, String)>,
}

impl Question for Asked {
    fn read(asking: &mut Asking) -> Self {
        Asked {
            id: asking.path(&ID).0,
            colour: asking.one(&COLOUR).map(|Name(name)| name),
            sizes: asking.all(&SIZES).into_iter().map(|Limit(limit)| limit).collect(),
            extra: asking.named("extra.", &EXTRA).into_iter().collect(),
        }
    }
}

fn asked(query: &str) -> Result<Asked, Vec<String>> {
    let told =
        |mistakes: Vec<Mistake>| mistakes.into_iter().map(|m| format!("{}: {}", m.parameter, m.message)).collect();
    read(vec![("id".to_owned(), "a b".to_owned())], query).map_err(told)
}

fn with(colour: Option<&str>, sizes: &[usize], extra: &[(&str, &str)]) -> Result<Asked, Vec<String>> {
    let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Asked { id: "a b".to_owned(), colour: colour.map(str::to_owned), sizes: sizes.to_vec(), extra })
}

#[test]
fn a_query_string_is_read_as_forms_write_it() {
    for (query, expected) in [
        ("", with(None, &[], &[])),
        ("&&", with(None, &[], &[])),
        ("colour=dark+red%2Bblue%26", with(Some("dark red+blue&"), &[], &[])),
        ("colour=a=b", with(Some("a=b"), &[], &[])),
        ("sizes=1,2&sizes=3", with(None, &[1, 2, 3], &[])),
        ("extra.b=1&extra.a=", with(None, &[], &[("a", ""), ("b", "1")])),
        ("col%6Fur=%C3%BC", with(Some("ü"), &[], &[])),
    ] {
        assert_eq!(asked(query), expected, "{query}");
    }
}

#[test]
fn mistakes_are_told_in_the_order_of_parameters_and_unknown_ones_last() {
    let names = "expected 1 to 256 characters without control characters";
    for (query, expected) in [
        ("size=1", vec!["size: unknown parameter; did you mean `sizes`?".to_owned()]),
        ("weight=1", vec!["weight: unknown parameter; known: colour, sizes, extra.NAME".to_owned()]),
        ("colour", vec![format!("colour: {names}, found ``")]),
        (
            "x=1&sizes=0&colour=%00&colour=b",
            vec![
                "colour: given 2 times; give it once".to_owned(),
                format!("colour: {names}, found `\\u{{0}}`"),
                "sizes: expected a whole number from 1 to 10000, found `0`".to_owned(),
                "x: unknown parameter; known: colour, sizes, extra.NAME".to_owned(),
            ],
        ),
        ("extra.a=1&extra.a=2", vec!["extra.a: given twice; give it once".to_owned()]),
        (
            "colour=%ff",
            vec!["colour: its bytes are not UTF-8; encode text as UTF-8, then percent-encode it".to_owned()],
        ),
    ] {
        assert_eq!(asked(query), Err(expected), "{query}");
    }
}

#[test]
fn the_parameters_that_are_documented_are_those_that_are_read() {
    let found: Vec<(&str, Place)> = documented::<Asked>().iter().map(|p| (p.name, p.place)).collect();
    let expected =
        [("id", Place::Path), ("colour", Place::Query), ("sizes", Place::Repeated), ("extra.NAME", Place::Query)];
    assert_eq!(found, expected);
}

#[test]
fn values_are_what_they_are_said_to_be() {
    fn accepts<T: Value>(text: &str) -> bool {
        T::read(text).is_ok()
    }
    type Row = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
    let table: [Row; 8] = [
        (
            accepts::<Time>,
            &["2026-11-29", "2026-11-29T10:00:00Z", "2026-11-29T10:00:00.123456789+01:00", "2026-11-29T10:00:00-08:00"],
            &[
                "",
                "now",
                "2026-11-31",
                "2026-11-29T10:00",
                "2026-11-29T10:00:00Z[UTC]",
                "2026-11-29 10:00:00Z",
                "1796031000",
            ],
        ),
        (accepts::<Length>, &["1s", "90s", "5m", "1h30m", "366d"], &["0s", "", "5", "367d", "1500ms", "-5m", "1month"]),
        (accepts::<Limit>, &["1", "10000", "0007"], &["0", "10001", "+1", "1e3", " 1", "", "1.0"]),
        (accepts::<StatusClass>, &["1", "5", "2xx"], &["0", "6", "xx", "55", "2x", "5XX"]),
        (accepts::<Millis>, &["0", "0.5", "86400000"], &["-1", "inf", "nan", "+1", "", "86400001", ".5"]),
        (accepts::<TraceId>, &["0123456789abcdef0123456789abcdef"], &["", "0123", "0123456789ABCDEF0123456789ABCDEF"]),
        (accepts::<Yes>, &["true", "false"], &["True", "1", ""]),
        (accepts::<Text>, &["", "ü"], &["a\u{0}b", "a\nb"]),
    ];
    for (accepts, good, bad) in table {
        for text in good {
            assert!(accepts(text), "{text:?}");
        }
        for text in bad {
            assert!(!accepts(text), "{text:?}");
        }
    }
}
