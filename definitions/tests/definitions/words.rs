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
fn a_mistyped_operator_is_guessed_and_anything_else_is_not() {
    let regular = Some("a regular expression is matched with `service.matches(\"^check\")`".to_owned());
    for (source, help) in [
        ("service =~ \"a\"", regular.clone()),
        ("service ==~ \"a\"", regular),
        ("service ~ \"a\"", None),
        ("service == ", None),
        ("5", None),
        ("service == )", None),
    ] {
        assert_eq!(said(source).1, help, "{source}");
    }
}
