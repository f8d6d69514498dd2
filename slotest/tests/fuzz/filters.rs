//! Filters: most of them have the right types, so that they are taken; some are changed after.

use crate::chance::Chance;
use crate::mutate::cut;

/// A filter that may be right.
pub fn source(chance: &mut Chance) -> String {
    let levels = chance.below(5);
    let mut source = truth(chance, levels);
    if chance.once_in(3) {
        for _ in 0..=chance.below(3) {
            source = cut(chance, &source);
        }
    }
    if chance.once_in(40) {
        source = repeated(chance, &source);
    }
    source
}

/// Something that is written many times over.
fn repeated(chance: &mut Chance, source: &str) -> String {
    let times = 1 << chance.below(14);
    let pair =
        [("(", ")"), ("!", ""), ("-", ""), ("[", "]"), ("true ? ", " : true"), ("{1: ", "}"), ("", ".a"), ("", "[0]")];
    let (open, close) = pair[chance.below(pair.len())];
    match chance.below(3) {
        0 => vec![source; times.min(600)].join(chance.of_these(&[" && ", " || ", " == ", " + "])),
        1 => format!("endpoint in [{}]", vec!["\"/a\""; times].join(", ")),
        _ => format!("{}{source}{}", open.repeat(times), close.repeat(times)),
    }
}

fn truth(chance: &mut Chance, levels: usize) -> String {
    if levels == 0 {
        return chance
            .of_these(&["true", "false", "has(attributes.tier)", "\"tier\" in attributes", "latency_ms != null"])
            .to_owned();
    }
    let below = levels - 1;
    match chance.below(11) {
        0 | 1 => format!("{} && {}", truth(chance, below), truth(chance, below)),
        2 | 3 => format!("({} || {})", truth(chance, below), truth(chance, below)),
        4 => format!("!({})", truth(chance, below)),
        5 => format!("({} ? {} : {})", truth(chance, below), truth(chance, below), truth(chance, below)),
        6 => format!("{} {} {}", text(chance, below), comparison(chance), text(chance, below)),
        7 => format!("{} in [{}, {}]", text(chance, below), text(chance, 0), text(chance, 0)),
        8 => {
            let test = chance.of_these(&["startsWith", "endsWith", "contains"]);
            format!("{}.{test}({})", text(chance, below), text(chance, 0))
        }
        9 => {
            let pattern = chance.of_these(&["^/pay", "(a|b)*c", "[", "(x{9}){9}", "\\\\d+$", "(?i)GOLD", ""]);
            format!("{}.matches(\"{pattern}\")", text(chance, below))
        }
        _ => {
            let (left, right) = if chance.once_in(2) {
                (whole(chance, below), whole(chance, below))
            } else {
                (decimal(chance, below), decimal(chance, below))
            };
            format!("{left} {} {right}", comparison(chance))
        }
    }
}

fn comparison(chance: &mut Chance) -> &'static str {
    ["==", "!=", "<", "<=", ">", ">="][chance.below(6)]
}

fn text(chance: &mut Chance, levels: usize) -> String {
    const PLAIN: [&str; 14] = [
        "service",
        "environment",
        "endpoint",
        "method",
        "attributes.tier",
        "attributes[\"tier\"]",
        "attributes.missing",
        "\"checkout\"",
        "'cart'",
        "\"\"",
        "\"/pay\"",
        "\"GET\"",
        "\"gold\"",
        "r'\\d\u{e9}'",
    ];
    if levels == 0 || chance.once_in(2) {
        return chance.of_these(&PLAIN).to_owned();
    }
    match chance.below(4) {
        0 => format!("{}.lowerAscii()", text(chance, levels - 1)),
        1 => format!("{}.upperAscii()", text(chance, levels - 1)),
        2 => format!("string({})", whole(chance, levels - 1)),
        _ => format!("({} + {})", text(chance, levels - 1), text(chance, levels - 1)),
    }
}

fn whole(chance: &mut Chance, levels: usize) -> String {
    const PLAIN: [&str; 11] = [
        "status_code",
        "200",
        "500",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "0x10",
        "7u",
        "599",
        "100",
    ];
    if levels == 0 || chance.once_in(2) {
        return chance.of_these(&PLAIN).to_owned();
    }
    match chance.below(4) {
        0 => format!("size({})", text(chance, levels - 1)),
        1 => format!("int({})", text(chance, levels - 1)),
        2 => format!("-({})", whole(chance, levels - 1)),
        _ => {
            let operator = chance.of_these(&["+", "-", "*", "/", "%"]);
            format!("({} {operator} {})", whole(chance, levels - 1), whole(chance, levels - 1))
        }
    }
}

fn decimal(chance: &mut Chance, levels: usize) -> String {
    const PLAIN: [&str; 8] = ["latency_ms", "300.0", "0.0", "-0.5", "1e308", "120.5", "86400000.0", "1e-320"];
    if levels == 0 || chance.once_in(2) {
        return chance.of_these(&PLAIN).to_owned();
    }
    match chance.below(3) {
        0 => format!("double({})", text(chance, levels - 1)),
        1 => format!("double({})", whole(chance, levels - 1)),
        _ => {
            let operator = chance.of_these(&["+", "-", "*", "/"]);
            format!("({} {operator} {})", decimal(chance, levels - 1), decimal(chance, levels - 1))
        }
    }
}
