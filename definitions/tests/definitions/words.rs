//! What is said of wrong filters, word for word: kinds of values, how functions are called, and no help where none is
//! known.

use slipstream_definitions::filter::Filter;

/// Message and help of the only error.
fn said(source: &str) -> (String, Option<String>) {
    let errors = Filter::compile(source).expect_err(source);
    let [error] = errors.as_slice() else { panic!("{source}: {errors:?}") };
    (error.message.clone(), error.help.clone())
}

#[test]
fn values_are_called_by_their_kinds() {
    for (source, message) in [
        ("service == 5", "cannot compare service (a string) with 5 (a whole number)"),
        ("latency_ms == \"5\"", "cannot compare latency_ms (a decimal number) with \"5\" (a string)"),
        ("(status_code > 1) == 5", "cannot compare this condition (a boolean) with 5 (a whole number)"),
        ("service + 5 == \"a\"", "`+` does not take service (a string) and 5 (a whole number)"),
        ("-service == 5", "`-` takes a number, not service (a string)"),
    ] {
        assert_eq!(said(source).0, message, "{source}");
    }
}

#[test]
fn each_function_says_how_it_is_called() {
    for (source, name, help) in [
        ("startsWith(endpoint, \"/\")", "startsWith", "write `endpoint.startsWith(\"/api\")`"),
        ("endsWith(endpoint, \"/\")", "endsWith", "write `endpoint.endsWith(\"/health\")`"),
        ("contains(endpoint, \"/\")", "contains", "write `endpoint.contains(\"admin\")`"),
        ("matches(endpoint)", "matches", "write `endpoint.matches(\"^/api/v[0-9]+/\")`"),
        ("size(endpoint, method) > 1", "size", "write `size(endpoint)`"),
        ("lowerAscii(method) == \"get\"", "lowerAscii", "write `method.lowerAscii()`"),
        ("upperAscii(method) == \"GET\"", "upperAscii", "write `method.upperAscii()`"),
        ("attributes.retries.int() > 3", "int", "write `int(attributes.retries) > 3`"),
        ("attributes.amount.double() > 9.5", "double", "write `double(attributes.amount) > 9.5`"),
        ("status_code.string() == \"5\"", "string", "write `string(status_code).startsWith(\"5\")`"),
    ] {
        assert_eq!(said(source), (format!("`{name}` is used incorrectly"), Some(help.to_owned())), "{source}");
    }
}

#[test]
fn what_other_languages_write_is_led_to_what_filters_write() {
    for (source, help) in [
        ("endpoint.startsWith(\"/api\"", "close the `(` at column 20 of the filter"),
        ("(method == \"GET\" && (status_code < 500)", "close the `(` at column 1 of the filter"),
        ("method == \"GET\"\n&& (status_code < 500", "close the `(` at column 4 of line 2 of the filter"),
        ("attributes.\"a b\" == \"x\"", "write `attributes[\"a b\"]`"),
        ("attributes.in == \"x\"", "write `attributes[\"in\"]`"),
        ("attributes.2xx == \"x\"", "write `attributes[\"2xx\"]`"),
        ("method in [\"GET\" \"POST\"]", "the elements of a list are separated by `,`"),
        ("service == f\"shop\"", "a string is written `\"...\"`, or `r\"...\"`"),
        ("attributes?.region == \"eu\"", "there are no optional values"),
        ("status_code in 200..299", "write `status_code >= 200 && status_code <= 299`"),
        ("status_code between 200 and 299", "write `status_code >= 200 && status_code <= 299`"),
        ("status_code == 200 # right", "a comment begins with `//`"),
        ("/* right */ status_code == 200", "a comment begins with `//`"),
        ("status_code // 100 == 5", "`//` begins a comment"),
        ("(status_code // 100) == 5", "`//` begins a comment"),
        ("latency_ms is null", "write `== null`"),
        ("latency_ms is not null", "write `!= null`"),
        ("status_code ≤ 499", "write `<=`"),
        ("status_code ≥ 500", "write `>=`"),
        ("status_code ≠ 500", "write `!=`"),
        ("latency_ms < 500.", "write `500.0`"),
        ("latency_ms < 500. && true", "write `500.0`"),
        ("latency_ms < +300", "write `300` without the `+`"),
        ("latency_ms < 1,000", "numbers have no separators: write `1000`"),
        ("$status_code == 500", "write `status_code`, without `$`"),
        ("status_code\u{a0}== 500", "replace it with a plain space"),
        ("status_code in (500,502)", "a list is written in square brackets"),
    ] {
        let errors = Filter::compile(source).expect_err(source);
        let found = errors[0].help.as_deref().unwrap_or_default();
        assert!(found.contains(help), "{source}: {errors:?}");
    }
    let space = &Filter::compile("status_code\u{a0}== 500").unwrap_err()[0];
    assert_eq!(space.message, "CEL syntax: cannot read a no-break space (U+00A0)");
}

#[test]
fn a_mistyped_operator_is_guessed_and_anything_else_is_not() {
    let regular = Some("a regular expression is matched with `service.matches(\"^check\")`".to_owned());
    for (source, help) in [
        ("service =~ \"a\"", regular.clone()),
        ("service ==~ \"a\"", regular.clone()),
        ("service ~ \"a\"", regular.clone()),
        ("service == ", None),
        ("5", None),
        ("service == )", None),
    ] {
        assert_eq!(said(source).1, help, "{source}");
    }
}
