//! Filters: what they mean on an event, and what is said of wrong ones.

use std::borrow::Cow;

use proptest::prelude::*;
use slipstream_definitions::filter::{Filter, FilterError};
use slipstream_schemas::event::EventView;

use slipstream_schemas::fixtures::{any_event, event};

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const UNKNOWN: Option<bool> = None;

fn eval(source: &str, event: &EventView<'_>) -> Option<bool> {
    Filter::compile(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}")).eval(event)
}

#[test]
fn what_the_supported_part_of_cel_means() {
    let event = event();
    for (source, expected) in [
        ("true", YES),
        ("service == \"checkout\" && status_code < 500", YES),
        ("service == 'cart' || method != \"GET\"", NO),
        ("!(status_code >= 500)", YES),
        ("latency_ms <= 120.5", YES),
        ("latency_ms < 120", NO),
        ("300 >= latency_ms", YES),
        ("status_code == 200.0", YES),
        ("environment < \"test\"", YES),
        ("method in [\"GET\", \"HEAD\"]", YES),
        ("status_code in [500, 502.0]", NO),
        ("endpoint in [service, \"/pay/{id}\"]", YES),
        ("endpoint in [service, \"/cart\"]", NO),
        (".service == \"checkout\" && .attributes.tier == \"gold\"", YES),
        ("attributes.`tier` == \"gold\" && has(attributes.`tier`) && !has(attributes.`a.b`)", YES),
        ("double(\"0x1p4\") == 16.0 && double(\"1_0.5\") == 10.5 && double(\"inf\") > 1e308", YES),
        ("endpoint.matches(\"^/pay/{id}$\")", YES),
        ("\"größe\".matches(\"^\\\\w+$\")", NO),
        ("\"&\".matches(\"[a&&b]\")", YES),
        ("!(method in [])", YES),
        ("endpoint.startsWith(\"/pay\") && endpoint.endsWith(\"}\") && endpoint.contains(\"{\")", YES),
        ("endpoint.matches(\"^/pay/[{]\")", YES),
        ("matches(endpoint, r\"pay\\d\")", NO),
        ("size(endpoint) == 9 && service.size() > 3", YES),
        ("service.upperAscii() == \"CHECKOUT\" && method.lowerAscii() == \"get\"", YES),
        ("string(status_code).startsWith(\"2\")", YES),
        ("status_code / 100 == 2 && status_code % 7 == 4", YES),
        ("latency_ms * 2.0 - 1.0 == 240.0", YES),
        ("-status_code < -100", YES),
        ("service + \"/\" + method == \"checkout/GET\"", YES),
        ("attributes.tier == \"gold\"", YES),
        ("attributes[\"tier\"] != \"gold\"", NO),
        ("has(attributes.tier) && !has(attributes.other)", YES),
        ("\"tier\" in attributes && !(\"other\" in attributes)", YES),
        ("int(attributes.retries) > 1 && double(attributes.retries) == 2.0", YES),
        ("(status_code < 400) == (latency_ms < 200)", YES),
        ("(status_code >= 500) < (latency_ms < 200)", YES),
        ("(method == \"GET\" ? latency_ms < 200 : latency_ms < 50)", YES),
        ("latency_ms != null && null != latency_ms", YES),
        ("latency_ms == null", NO),
    ] {
        assert_eq!(eval(source, &event), expected, "{source}");
    }
}

#[test]
fn null_missing_and_run_time_errors_are_unknown() {
    let event = EventView { latency_ms: None, ..event() };
    for (source, expected) in [
        ("latency_ms < 300", UNKNOWN),
        ("latency_ms != 300", UNKNOWN),
        ("!(latency_ms < 300)", UNKNOWN),
        ("latency_ms in [1, 2]", UNKNOWN),
        ("latency_ms == null", YES),
        ("latency_ms != null", NO),
        ("attributes.other == \"x\"", UNKNOWN),
        ("attributes.other != \"x\"", UNKNOWN),
        ("attributes.other.startsWith(\"x\")", UNKNOWN),
        ("attributes.other.matches(\"x\")", UNKNOWN),
        ("int(attributes.tier) > 1", UNKNOWN),
        ("double(attributes.tier) > 1.0", UNKNOWN),
        ("status_code / 0 == 1", UNKNOWN),
        ("status_code % 0 == 1", UNKNOWN),
        ("1.0 / 0.0 > 1.0", YES),
        ("status_code * 9223372036854775807 == 1", UNKNOWN),
        ("latency_ms < 300 ? true : true", UNKNOWN),
        ("service in [\"checkout\", attributes.other]", UNKNOWN),
        ("service in [attributes.other, \"checkout\"]", UNKNOWN),
        ("status_code in [200, status_code / 0]", UNKNOWN),
        ("service in [attributes.other] || true", YES),
        ("status_code == 200 ? true : latency_ms < 300", YES),
    ] {
        assert_eq!(eval(source, &event), expected, "{source}");
    }
}

#[test]
fn and_or_not_are_three_valued_in_any_order() {
    let event = EventView { latency_ms: None, ..event() };
    let (yes, no, unknown) = ("status_code == 200", "status_code == 500", "latency_ms < 1");
    for (left, operator, right, expected) in [
        (yes, "&&", yes, YES),
        (yes, "&&", no, NO),
        (no, "&&", unknown, NO),
        (unknown, "&&", no, NO),
        (yes, "&&", unknown, UNKNOWN),
        (unknown, "&&", yes, UNKNOWN),
        (unknown, "&&", unknown, UNKNOWN),
        (no, "||", no, NO),
        (no, "||", yes, YES),
        (yes, "||", unknown, YES),
        (unknown, "||", yes, YES),
        (no, "||", unknown, UNKNOWN),
        (unknown, "||", no, UNKNOWN),
        (unknown, "||", unknown, UNKNOWN),
    ] {
        assert_eq!(eval(&format!("{left} {operator} {right}"), &event), expected, "{left} {operator} {right}");
    }
}

/// Code, the text that is marked, and a word of message or help.
fn refused(source: &str) -> Vec<(&'static str, String, String)> {
    let errors = Filter::compile(source).expect_err(source);
    let marked = |error: &FilterError| source.chars().skip(error.start).take(error.width).collect();
    errors.iter().map(|e| (e.code, marked(e), format!("{} {}", e.message, e.help.as_deref().unwrap_or("")))).collect()
}

#[test]
fn wrong_filters_are_refused_where_they_are_wrong() {
    for (source, code, marked, says) in [
        ("status == 200", "filter-unknown-name", "status", "`status_code`"),
        ("sevrice == \"a\"", "filter-unknown-name", "sevrice", "`service`"),
        ("path == \"/\"", "filter-unknown-name", "path", "`endpoint`"),
        ("method == GET", "filter-unknown-name", "GET", "in quotes: `\"GET\"`"),
        ("service =~ \"a.*\"", "filter-syntax", "", "service.matches"),
        ("latency_ms <= 300ms", "filter-syntax", "", "milliseconds"),
        ("user_ref == \"u\"", "filter-unknown-name", "user_ref", "filters see"),
        ("region == \"eu\"", "filter-unknown-name", "region", "attributes.region"),
        ("status_code == \"500\"", "filter-type", "status_code == \"500\"", "without quotes: `500`"),
        ("attributes.retries > 3", "filter-type", "attributes.retries > 3", "double(attributes"),
        ("service == 5", "filter-type", "service == 5", "in quotes: `\"5\"`"),
        ("status_code", "filter-type", "status_code", "true or false"),
        ("status_code && true", "filter-type", "status_code", "compare it"),
        ("latency_ms / 1000 > 1.0", "filter-type", "latency_ms / 1000", "`1000.0`"),
        ("attributes.http.route == \"/\"", "filter-type", "attributes.http.route", "attributes[\"http.route\"]"),
        ("has(attributes.http.route)", "filter-type", "attributes.http.route", "\"http.route\" in attributes"),
        ("attributes == \"x\"", "filter-type", "attributes", "map"),
        ("service == null", "filter-type", "null", "has(attributes.key)"),
        ("service.name == \"x\"", "filter-type", "service.name", "no field `name`"),
        ("endpoint.matches(\"[\")", "filter-regex", "\"[\"", "regular expression"),
        ("endpoint.matches(\"a**\")", "filter-regex", "\"a**\"", "a repetition follows a repetition"),
        ("endpoint.matches(\"(?x)a\")", "filter-regex", "\"(?x)a\"", "i, m, s and U"),
        ("endpoint.matches(\"a{1001}\")", "filter-regex", "\"a{1001}\"", "1000 times"),
        ("endpoint.matches(\"(a{40}){30}\")", "filter-regex", "\"(a{40}){30}\"", "nested repetitions exceed 1000"),
        ("endpoint.matches(\"\\\\p{Lowercase}\")", "filter-regex", "", "did you mean `\\\\p{Ll}`?"),
        ("endpoint.matches(\"\\\\p{Script=greek}\")", "filter-regex", "", "did you mean `\\\\p{Greek}`?"),
        ("endpoint.matches(\"(a)\\\\1\")", "filter-regex", "", "no back references"),
        ("endpoint.matches(\"(?=x)\")", "filter-regex", "\"(?=x)\"", "look-around"),
        ("endpoint.matches(service)", "unsupported-cel", "service", "computed"),
        ("endpoint.startswith(\"/\")", "unsupported-cel", "endpoint.startswith(\"/\")", "`startsWith`"),
        ("startsWith(endpoint, \"/\")", "filter-type", "startsWith(endpoint, \"/\")", "endpoint.startsWith"),
        ("[\"a\"].exists(x, x == service)", "unsupported-cel", "", "loop"),
        ("attributes[service] == \"x\"", "unsupported-cel", "service", "write the key out"),
        ("status_code == 503u", "unsupported-cel", "503u", "without the u"),
        ("attributes.x-cache == \"HIT\"", "filter-type", "attributes.x-cache", "`attributes[\"x-cache\"]`"),
        ("attributes.a-b-c.d == \"x\"", "filter-type", "attributes.a-b-c.d", "`attributes[\"a-b-c.d\"]`"),
        ("string(latency_ms) == \"250\"", "filter-type", "latency_ms", "compare the number"),
        ("string(0.1 + 0.2) == \"0.3\"", "filter-type", "0.1 + 0.2", "compare the number"),
        ("sets.contains([1], [1])", "unsupported-cel", "", "no function `sets.contains`"),
        ("duration(\"1s\") > duration(\"2s\")", "unsupported-cel", "", "latency_ms > 1500.0"),
        ("1 in attributes", "filter-type", "1", "keys of attributes are strings"),
        ("service in attributes", "unsupported-cel", "service", "write the key out"),
        ("status_code == 0X1F7", "filter-syntax", "X", "`0x`, in lower case"),
        ("status_code == 0o17", "filter-syntax", "o", "no octal"),
        ("status_code == 1_000", "filter-syntax", "_", "no `_`"),
        ("has(attributes[\"a\"])", "filter-syntax", "", "has(attributes.key)"),
        ("attributes.?tier == \"x\"", "filter-syntax", "", "no optional values"),
        ("service = \"a\"", "filter-syntax", "=", "`==`"),
        ("service == \"a\" and true", "filter-syntax", "a", "`&&`"),
        ("service == \"a", "filter-syntax", "\"", "quote"),
        ("service == \"a\" # don't count", "filter-syntax", "#", "cannot read '#'"),
        ("service == \"a\"; it's", "filter-syntax", ";", "cannot read ';'"),
        ("service = \"a\" || method == 'it's'", "filter-syntax", "=", "`==`"),
        ("(true", "filter-syntax", "e", "the end of the filter"),
        ("  ", "filter-syntax", "  ", "empty"),
        ("endpoint.matches(\"\\\\p{Letter}\")", "filter-regex", "", "did you mean `\\\\p{L}`?"),
        ("endpoint.matches(r\"\\p{Letter}\")", "filter-regex", "", "did you mean `\\p{L}`?"),
        ("endpoint.matches(R'\\p{IsGreek}')", "filter-regex", "", "did you mean `\\p{Greek}`?"),
        (
            "endpoint.matches(r\"\\p{Emoji}\")",
            "filter-regex",
            "",
            "such as `\\p{Lu}`, or a script such as `\\p{Greek}`",
        ),
        ("endpoint.matches(r\"[a-\\d]\")", "filter-regex", "", "ends with the class `\\d` write `-` first or last"),
        ("service == \"\\q\"", "filter-syntax", "\\q", "write `\\\\q`, or use a raw string"),
        ("status_code < 99999999999999999999", "filter-syntax", "99999999999999999999", "from -9223372036854775808 to"),
        ("len(endpoint) > 3", "unsupported-cel", "len(endpoint)", "did you mean `size`? write `size(endpoint)`"),
        ("endpoint.length() > 3", "unsupported-cel", "", "did you mean `size`?"),
        ("endpoint.length > 3", "filter-type", "endpoint.length", "did you mean the function `size`?"),
        ("status_code.length > 2", "filter-type", "status_code.length", "no field `length` filters see service"),
        ("status_code.toString == \"200\"", "filter-type", "status_code.toString", "write `string(status_code)"),
        ("latency_ms.toString == \"0.5\"", "filter-type", "latency_ms.toString", "`toString` filters see service"),
        ("method.toLowerCase() == \"get\"", "unsupported-cel", "", "method.lowerAscii()"),
        ("method.to_upper() == \"GET\"", "unsupported-cel", "", "method.upperAscii()"),
        ("lower(method) == \"get\"", "unsupported-cel", "lower(method)", "did you mean `lowerAscii`?"),
        ("endpoint.hasPrefix(\"/\")", "unsupported-cel", "", "did you mean `startsWith`?"),
        ("status_code <> 200", "filter-syntax", "<>", "`!=`"),
        ("service == “checkout”", "filter-syntax", "“checkout”", "use plain quotes: `\"checkout\"`"),
        ("service == ‘checkout’", "filter-syntax", "‘checkout’", "use plain quotes: `\"checkout\"`"),
        ("status_code == 200 OR true", "filter-syntax", "O", "`||`"),
        ("not (status_code == 200)", "unsupported-cel", "", "`!`"),
        ("service not in [\"a\"]", "filter-syntax", "n", "`!(x in [...])`"),
        ("service !~ \"a\"", "filter-syntax", "", "!service.matches"),
        ("service == 100.0", "filter-type", "service == 100.0", "100.0 (a decimal number)"),
        ("service == 0x1F7", "filter-type", "service == 0x1F7", "0x1F7 (a whole number)"),
        ("latency_ms / 0x10 > 1.0", "filter-type", "latency_ms / 0x10", "write `16.0`"),
        ("endpoint.substring(0, 4) == \"/api\"", "unsupported-cel", "", "did you mean `startsWith`?"),
        ("event.status_code == 500", "filter-unknown-name", "event", "write `status_code` without `event.`"),
        ("request.method == \"GET\"", "filter-unknown-name", "request", "write `method` without `request.`"),
        ("latency_ms == nil", "filter-unknown-name", "nil", "write `null`"),
        ("latency_ms == None", "filter-unknown-name", "None", "write `null`"),
        ("latency_ms == undefined", "filter-unknown-name", "undefined", "write `null`"),
        ("latency_ms == NULL", "filter-unknown-name", "NULL", "write `null`"),
        ("TRUE", "filter-unknown-name", "TRUE", "write `true`, in lower case"),
        ("method == \"GET\" || \"POST\"", "filter-type", "\"POST\"", "`method in [\"GET\", \"POST\"]`"),
        ("status_code == 500 || 503", "filter-type", "503", "write `status_code == 503`"),
        ("!method in [\"GET\"]", "filter-type", "!method in [\"GET\"]", "write `!(method in [\"GET\"])`"),
        ("!attributes.a == \"b\"", "filter-type", "!attributes.a == \"b\"", "write `!(attributes.a == \"b\")`"),
        ("endpoint.split(\"/\")[1] == \"a\"", "unsupported-cel", "", "`endpoint.startsWith(\"/api\")`"),
        ("endpoint[0] == \"/\"", "unsupported-cel", "", "`endpoint.matches(\"^/api/\")`"),
        ("service[\"name\"] == \"/\"", "unsupported-cel", "", "write `attributes[\"name\"]`"),
        ("endpoint.matches(r\"\\h+\")", "filter-regex", "", "a space or tab `[ \\t]`"),
        ("200 <= status_code <= 299", "filter-type", "", "write `200 <= status_code && status_code <= 299`"),
        ("latency_ms < \"300ms\"", "filter-type", "", "write `300.0`"),
        ("latency_ms < \"1.5s\"", "filter-type", "", "write `1500.0`"),
    ] {
        let found = refused(source);
        assert!(
            found.iter().any(|(c, m, s)| *c == code && (m == marked || marked.is_empty()) && s.contains(says)),
            "{source}: expected {code} at {marked:?} saying {says:?}, found {found:?}"
        );
    }
}

#[test]
fn every_error_of_a_filter_is_reported() {
    let codes: Vec<&str> =
        refused("stauts > 1 && service == 5 && endpoint.matches(\"[\")").iter().map(|error| error.0).collect();
    assert_eq!(codes, ["filter-unknown-name", "filter-type", "filter-regex"]);
}

#[test]
fn a_long_chain_of_selections_is_refused_at_once() {
    // Finding where a part stands once took twice as long with each further one.
    let found = refused(&format!("has(attributes.tier){}", ".a".repeat(40)));
    assert_eq!(found[0].0, "filter-type");
}

#[test]
fn reading_attributes_is_known() {
    for (source, reads) in [
        ("status_code < 500 && latency_ms < 1", false),
        ("status_code < 500 || has(attributes.x)", true),
        ("(method == \"GET\" ? attributes[\"x\"] : service) in [\"a\"]", true),
    ] {
        assert_eq!(Filter::compile(source).unwrap().reads_attributes(), reads, "{source}");
    }
}

/// Filters of comparisons joined by && and ||, evaluated here by the plain rule: null, missing or of another kind is
/// unknown; false wins in &&, true in ||.
#[derive(Debug, Clone)]
pub enum Plain {
    Text(&'static str, &'static str, &'static str),
    Number(&'static str, &'static str, f64),
    And(Vec<Plain>),
    Or(Vec<Plain>),
    Not(Box<Plain>),
}

impl Plain {
    pub fn source(&self) -> String {
        let joined =
            |parts: &[Plain], by: &str| format!("({})", parts.iter().map(Plain::source).collect::<Vec<_>>().join(by));
        match self {
            Plain::Text(field, operator, value) => format!("{field} {operator} {value:?}"),
            Plain::Number(field, operator, value) => format!("{field} {operator} {value}"),
            Plain::And(parts) => joined(parts, " && "),
            Plain::Or(parts) => joined(parts, " || "),
            Plain::Not(part) => format!("!{}", Plain::And(vec![(**part).clone()]).source()),
        }
    }

    fn eval(&self, event: &EventView<'_>) -> Option<bool> {
        match self {
            Plain::Text(field, operator, value) => {
                let found: Cow<'_, str> = match *field {
                    "service" => event.service.clone(),
                    "environment" => event.environment.clone(),
                    "endpoint" => event.endpoint.clone(),
                    "method" => event.method.clone(),
                    key => Cow::Borrowed(event.attribute(key.trim_start_matches("attributes."))?),
                };
                Some(compared(operator, found.as_ref().cmp(*value)))
            }
            Plain::Number(field, operator, value) => {
                let found = if *field == "latency_ms" { event.latency_ms? } else { f64::from(event.status_code) };
                Some(compared(operator, found.partial_cmp(value)?))
            }
            Plain::And(parts) => {
                let values: Vec<Option<bool>> = parts.iter().map(|part| part.eval(event)).collect();
                if values.contains(&NO) { NO } else { values.into_iter().collect::<Option<Vec<_>>>().map(|_| true) }
            }
            Plain::Or(parts) => {
                let values: Vec<Option<bool>> = parts.iter().map(|part| part.eval(event)).collect();
                if values.contains(&YES) { YES } else { values.into_iter().collect::<Option<Vec<_>>>().map(|_| false) }
            }
            Plain::Not(part) => part.eval(event).map(|value| !value),
        }
    }
}

fn compared(operator: &str, order: std::cmp::Ordering) -> bool {
    match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

pub fn plain() -> impl Strategy<Value = Plain> {
    let operator = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let text = prop::sample::select(vec![
        ("service", "cart"),
        ("environment", ""),
        ("endpoint", "/pay"),
        ("method", "POST"),
        ("attributes.tier", "gold"),
        ("attributes.missing", "x"),
    ]);
    let number = prop::sample::select(vec![
        ("status_code", 404.0),
        ("status_code", 500.0),
        ("latency_ms", 300.0),
        ("latency_ms", 0.5),
    ]);
    let leaf = prop_oneof![
        (text, operator()).prop_map(|((field, value), operator)| Plain::Text(field, operator, value)),
        (number, operator()).prop_map(|((field, value), operator)| Plain::Number(field, operator, value)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Plain::And),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Plain::Or),
            inner.prop_map(|part| Plain::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_the_plain_rule(filter in plain(), events in prop::collection::vec(any_event(), 1..8)) {
        let source = filter.source();
        let compiled = Filter::compile(&source).unwrap();
        for event in &events {
            prop_assert_eq!(compiled.eval(event), filter.eval(event), "{} on {:?}", source, event);
        }
    }
}
