//! Filters made at random: of the right types mostly, so that most are evaluated.

use proptest::prelude::*;
use proptest::sample::select;

use crate::random_patterns::{pattern, quoted};

type Source = BoxedStrategy<String>;

/// Each kind of expression, up to some depth.
#[derive(Clone)]
struct Kinds {
    truth: Source,
    int: Source,
    double: Source,
    text: Source,
}

pub fn filter() -> impl Strategy<Value = String> {
    let mut kinds = leaves();
    for _ in 0..3 {
        kinds = deeper(&kinds);
    }
    // Now and then a kind that does not fit.
    prop_oneof![40 => kinds.truth.clone(), 1 => mixed(&kinds)]
}

fn leaves() -> Kinds {
    let texts = vec![
        "service",
        "environment",
        "endpoint",
        "method",
        "attributes.tier",
        "attributes.none",
        "attributes[\"http.route\"]",
        "attributes.`x-cache`",
        "attributes.word",
        "attributes.under",
        "attributes.hex",
        "attributes.nan",
        "\"\"",
        "'a'",
        "\"GET\"",
        "\"größe\"",
        "\"\\u212a\"",
        "r\"\\d\"",
        "\"12\"",
        "\"1e3\"",
        "\"0x1p4\"",
        "\"_1\"",
        ".service",
    ];
    let ints = vec![
        "status_code",
        "0",
        "1",
        "-1",
        "2",
        "200",
        "503",
        "0x1F",
        "9223372036854775807",
        "-9223372036854775808",
        "int(attributes.retries)",
        "007",
    ];
    let doubles = vec![
        "latency_ms",
        "0.0",
        "-0.0",
        "1.5",
        "250.0",
        "1e308",
        "5e-324",
        "double(attributes.nan)",
        "double(attributes.inf)",
        ".5",
    ];
    let truths = vec!["true", "false", "has(attributes.tier)", "\"nan\" in attributes", "has(attributes.`x-cache`)"];
    Kinds {
        truth: select(truths).prop_map(String::from).boxed(),
        int: select(ints).prop_map(String::from).boxed(),
        double: select(doubles).prop_map(String::from).boxed(),
        text: select(texts).prop_map(String::from).boxed(),
    }
}

fn deeper(of: &Kinds) -> Kinds {
    Kinds { truth: truth(of), int: int(of), double: double(of), text: text(of) }
}

fn joined(left: &Source, operators: &'static [&'static str], right: &Source) -> Source {
    (left.clone(), select(operators), right.clone())
        .prop_map(|(a, operator, b)| format!("({a}) {operator} ({b})"))
        .boxed()
}

fn chosen(condition: &Source, of: &Source) -> Source {
    (condition.clone(), of.clone(), of.clone()).prop_map(|(c, a, b)| format!("(({c}) ? ({a}) : ({b}))")).boxed()
}

fn within(of: &Source) -> Source {
    let list = prop::collection::vec(of.clone(), 0..4);
    (of.clone(), list).prop_map(|(item, list)| format!("({item}) in [{}]", list.join(", "))).boxed()
}

const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

fn truth(of: &Kinds) -> Source {
    let tests = (of.text.clone(), select(vec!["startsWith", "endsWith", "contains"]), of.text.clone())
        .prop_map(|(text, test, part)| format!("({text}).{test}({part})"));
    let matches =
        (of.text.clone(), pattern()).prop_map(|(text, pattern)| format!("({text}).matches({})", quoted(&pattern)));
    let negated = (select(vec!["!", "!!", "!!!"]), of.truth.clone()).prop_map(|(not, part)| format!("{not}({part})"));
    let loose =
        (of.int.clone(), of.truth.clone()).prop_map(|(int, truth)| format!("{int} == 200 && {truth} || {truth}"));
    prop_oneof![
        1 => of.truth.clone(),
        2 => joined(&of.truth, &["&&", "||"], &of.truth),
        1 => joined(&of.truth, &["==", "!="], &of.truth),
        1 => negated,
        2 => joined(&of.int, COMPARISONS, &of.int),
        2 => joined(&of.double, COMPARISONS, &of.double),
        2 => joined(&of.text, COMPARISONS, &of.text),
        1 => within(&of.int),
        1 => within(&of.double),
        1 => within(&of.text),
        1 => within(&of.truth),
        1 => chosen(&of.truth, &of.truth),
        1 => tests,
        4 => matches,
        1 => loose,
    ]
    .boxed()
}

fn int(of: &Kinds) -> Source {
    prop_oneof![
        3 => of.int.clone(),
        2 => joined(&of.int, &["+", "-", "*", "/", "%"], &of.int),
        1 => (select(vec!["-", "--"]), of.int.clone()).prop_map(|(sign, part)| format!("{sign}({part})")),
        1 => of.text.clone().prop_map(|text| format!("size({text})")),
        1 => of.text.clone().prop_map(|text| format!("int({text})")),
        1 => of.double.clone().prop_map(|double| format!("int({double})")),
        1 => chosen(&of.truth, &of.int),
    ]
    .boxed()
}

fn double(of: &Kinds) -> Source {
    prop_oneof![
        3 => of.double.clone(),
        2 => joined(&of.double, &["+", "-", "*", "/"], &of.double),
        1 => of.double.clone().prop_map(|part| format!("-({part})")),
        1 => of.int.clone().prop_map(|int| format!("double({int})")),
        2 => of.text.clone().prop_map(|text| format!("double({text})")),
        1 => chosen(&of.truth, &of.double),
    ]
    .boxed()
}

fn text(of: &Kinds) -> Source {
    prop_oneof![
        4 => of.text.clone(),
        1 => joined(&of.text, &["+"], &of.text),
        1 => of.int.clone().prop_map(|int| format!("string({int})")),
        1 => of.truth.clone().prop_map(|truth| format!("string({truth})")),
        1 => chosen(&of.truth, &of.text),
    ]
    .boxed()
}

/// Types that no operator takes together.
fn mixed(of: &Kinds) -> Source {
    prop_oneof![
        joined(&of.text, COMPARISONS, &of.int),
        joined(&of.truth, &["&&", "||"], &of.int),
        joined(&of.text, &["+", "-"], &of.double),
        of.text.clone(),
        of.double.clone().prop_map(|part| format!("!({part})")),
        of.truth.clone().prop_map(|part| format!("int({part}) == 1")),
    ]
    .boxed()
}
