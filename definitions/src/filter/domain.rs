//! What an event can still be if some conditions hold on it: the status codes that are left, the range of the latency,
//! the strings that a field may have. A condition that is not analysed does not narrow anything. So an empty domain is
//! certain, and one that is not empty promises nothing.
//!
//! The limits are those of the decoder, which refuses any event beyond them.

use std::borrow::Cow;

use super::expression::{Comparison, Expression, Facts, Field, Function, TextTest, Value};

const CODES: std::ops::RangeInclusive<u16> = 100..=599;
/// Longest latency, milliseconds: a day.
const LONGEST_MS: f64 = 86_400_000.0;

/// A part of the event that holds a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'e> {
    Field(Field),
    Attribute(&'e str),
}

/// Whether the second string is a part of the first.
type Part = fn(&str, &str) -> bool;

/// The status codes that are left, one bit each.
#[derive(Debug, Clone)]
pub(super) struct Codes([u64; 8]);

/// Numbers between two bounds, without some of them.
#[derive(Debug, Clone)]
pub(super) struct Range {
    low: (f64, bool),
    high: (f64, bool),
    without: Vec<f64>,
    /// Whether it may also be no number: `double("nan")`, of which only `!=` holds.
    nan: bool,
}

/// The conditions on one string.
#[derive(Debug, Clone)]
pub(super) struct Texts<'e> {
    name: Name<'e>,
    asked: Vec<(&'e Expression, bool)>,
    /// The only strings it can be, if known.
    candidates: Option<Vec<&'e str>>,
}

impl Codes {
    pub(super) fn all() -> Codes {
        let mut codes = Codes([0; 8]);
        CODES.for_each(|code| codes.set(code));
        codes
    }

    fn set(&mut self, code: u16) {
        let bit = usize::from(code - CODES.start());
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    /// Keeps the codes on which a condition that reads nothing else has one of the wanted values. Whether any is left.
    pub(super) fn keep(&mut self, wanted: impl Fn(Option<bool>) -> bool, condition: &Expression) -> bool {
        let direct = direct(condition);
        let mut left = Codes([0; 8]);
        for code in CODES.filter(|code| self.has(*code)) {
            let value = match &direct {
                Some((comparison, bound)) => Some(comparison.holds(f64::from(code), *bound)),
                None => condition.truth(&OnlyCode(code)),
            };
            if wanted(value) {
                left.set(code);
            }
        }
        *self = left;
        self.0 != [0; 8]
    }

    fn has(&self, code: u16) -> bool {
        let bit = usize::from(code - CODES.start());
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// `status_code < 500` without the cost of evaluating an expression for each code.
fn direct(condition: &Expression) -> Option<(Comparison, f64)> {
    let (term, comparison, bound) = against_number(condition)?;
    matches!(term, Expression::Field(Field::StatusCode)).then_some((comparison, bound))
}

/// A comparison of something with a number, either way round.
pub(super) fn against_number(condition: &Expression) -> Option<(&Expression, Comparison, f64)> {
    let Expression::Compare(comparison, sides) = condition else { return None };
    match sides.as_ref() {
        [term, Expression::Literal(bound)] => Some((term, *comparison, exact(bound)?)),
        [Expression::Literal(bound), term] => Some((term, comparison.mirrored(), exact(bound)?)),
        _ => None,
    }
}

/// The number, unless a double cannot hold it: its neighbours would be taken for it.
fn exact(value: &Value<'_>) -> Option<f64> {
    const WHOLE: i64 = 1 << 53;
    match value {
        Value::Int(number) if !(-WHOLE..=WHOLE).contains(number) => None,
        value => value.number(),
    }
}

struct OnlyCode(u16);

impl Facts for OnlyCode {
    fn field(&self, field: Field) -> Option<Value<'_>> {
        (field == Field::StatusCode).then(|| Value::Int(i64::from(self.0)))
    }

    fn attribute(&self, _: &str) -> Option<&str> {
        None
    }
}

impl Range {
    /// Every latency that was measured.
    pub(super) fn latency() -> Range {
        Range { low: (0.0, false), high: (LONGEST_MS, false), without: Vec::new(), nan: false }
    }

    /// Every number, and NaN if that is possible.
    pub(super) fn any(nan: bool) -> Range {
        Range { low: (f64::NEG_INFINITY, false), high: (f64::INFINITY, false), without: Vec::new(), nan }
    }

    /// Keeps the numbers for which the comparison with `bound` is as wanted. Whether any is left.
    pub(super) fn keep(&mut self, comparison: Comparison, bound: f64, wanted: bool) -> bool {
        self.nan &= comparison.holds(f64::NAN, bound) == wanted;
        match if wanted { comparison } else { comparison.opposite() } {
            Comparison::Equal => {
                self.at_least(bound, false);
                self.at_most(bound, false);
            }
            Comparison::NotEqual => self.without.push(bound),
            Comparison::Less => self.at_most(bound, true),
            Comparison::LessOrEqual => self.at_most(bound, false),
            Comparison::Greater => self.at_least(bound, true),
            Comparison::GreaterOrEqual => self.at_least(bound, false),
        }
        let ((low, low_open), (high, high_open)) = (self.low, self.high);
        self.nan || low < high || (low == high && !low_open && !high_open && !self.without.contains(&low))
    }

    fn at_least(&mut self, bound: f64, open: bool) {
        if bound > self.low.0 || (bound == self.low.0 && open) {
            self.low = (bound, open);
        }
    }

    fn at_most(&mut self, bound: f64, open: bool) {
        if bound < self.high.0 || (bound == self.high.0 && open) {
            self.high = (bound, open);
        }
    }
}

impl<'e> Name<'e> {
    /// Whether an event can have this string there.
    pub(super) fn allows(self, text: &str) -> bool {
        let (least, most) = match self {
            Name::Attribute(_) => return text.len() <= 256,
            Name::Field(Field::Environment) => (0, 256),
            Name::Field(Field::Endpoint) => (1, 1_024),
            Name::Field(_) => (1, 256),
        };
        (least..=most).contains(&text.len()) && !text.chars().any(char::is_control)
    }

    fn is(self, expression: &Expression) -> bool {
        match (self, expression) {
            (Name::Field(name), Expression::Field(field)) => name == *field,
            (Name::Attribute(name), Expression::Attribute(key)) => *name == **key,
            _ => false,
        }
    }
}

/// An event of which one string is known.
struct OnlyText<'t>(Name<'t>, &'t str);

impl Facts for OnlyText<'_> {
    fn field(&self, field: Field) -> Option<Value<'_>> {
        (self.0 == Name::Field(field)).then_some(Value::Text(Cow::Borrowed(self.1)))
    }

    fn attribute(&self, key: &str) -> Option<&str> {
        (self.0 == Name::Attribute(key)).then_some(self.1)
    }
}

impl<'e> Texts<'e> {
    pub(super) fn new(name: Name<'e>) -> Texts<'e> {
        Texts { name, asked: Vec::new(), candidates: None }
    }

    pub(super) fn name(&self) -> Name<'e> {
        self.name
    }

    /// Asks that a condition which reads nothing else is true, or false. Whether any string may be left.
    pub(super) fn keep(&mut self, condition: &'e Expression, wanted: bool) -> bool {
        self.asked.push((condition, wanted));
        let name = self.name;
        let fits = |text: &str, (condition, wanted): &(&Expression, bool)| {
            condition.truth(&OnlyText(name, text)) == Some(*wanted)
        };
        match &mut self.candidates {
            Some(candidates) => candidates.retain(|text| fits(text, &(condition, wanted))),
            None => {
                let fits_all = |text: &&str| name.allows(text) && self.asked.iter().all(|asked| fits(text, asked));
                let candidates = self.only(condition, wanted).map(|texts| texts.into_iter().filter(fits_all).collect());
                self.candidates = candidates;
            }
        }
        match &self.candidates {
            Some(candidates) => !candidates.is_empty(),
            None => !wrong_case(condition, wanted) && self.shapes_fit(),
        }
    }

    /// The strings that remain if a condition lists them.
    fn only(&self, condition: &'e Expression, wanted: bool) -> Option<Vec<&'e str>> {
        match condition {
            Expression::Compare(comparison, sides) => {
                let equal = if wanted { Comparison::Equal } else { Comparison::NotEqual };
                let text = match sides.as_ref() {
                    [term, Expression::Literal(Value::Text(text))] if self.name.is(term) => text,
                    [Expression::Literal(Value::Text(text)), term] if self.name.is(term) => text,
                    _ => return None,
                };
                (*comparison == equal).then(|| vec![text.as_ref()])
            }
            Expression::In(term, constants) if wanted && self.name.is(term) => Some(texts(constants)),
            _ => None,
        }
    }

    /// Whether required and forbidden prefixes, suffixes and contents are possible for one string.
    fn shapes_fit(&self) -> bool {
        let of = |test: TextTest, wanted: bool| {
            self.asked.iter().filter_map(move |(condition, asked)| match condition {
                Expression::Test(found, sides) if *found == test && *asked == wanted => match sides.as_ref() {
                    [term, Expression::Literal(Value::Text(part))] if self.name.is(term) => Some(part.as_ref()),
                    _ => None,
                },
                _ => None,
            })
        };
        let (begins, ends, has) =
            (of(TextTest::StartsWith, true), of(TextTest::EndsWith, true), of(TextTest::Contains, true));
        let (begins, ends, has): (Vec<&str>, Vec<&str>, Vec<&str>) = (begins.collect(), ends.collect(), has.collect());
        let one_end =
            |parts: &[&str], within: Part| parts.iter().all(|a| parts.iter().all(|b| within(a, b) || within(b, a)));
        let none = |test: TextTest, parts: &[&Vec<&str>], within: Part| {
            let met =
                |part: &str| part.is_empty() || parts.iter().any(|parts| parts.iter().any(|long| within(long, part)));
            of(test, false).all(|part| !met(part))
        };
        let (beginning, ending, within): (Part, Part, Part) =
            (|long, part| long.starts_with(part), |long, part| long.ends_with(part), |long, part| long.contains(part));
        one_end(&begins, beginning)
            && one_end(&ends, ending)
            && none(TextTest::StartsWith, &[&begins], beginning)
            && none(TextTest::EndsWith, &[&ends], ending)
            && none(TextTest::Contains, &[&begins, &ends, &has], within)
    }
}

fn texts<'e>(constants: &'e [Value<'static>]) -> Vec<&'e str> {
    let text = |value: &'e Value<'static>| match value {
        Value::Text(text) => Some(text.as_ref()),
        _ => None,
    };
    constants.iter().filter_map(text).collect()
}

/// `method.lowerAscii() == "GET"`: such a string is never the result.
fn wrong_case(condition: &Expression, wanted: bool) -> bool {
    let (term, constants) = match condition {
        Expression::Compare(Comparison::Equal, sides) | Expression::Test(_, sides) if wanted => match sides.as_ref() {
            [term, Expression::Literal(Value::Text(text))] => (term, vec![text.as_ref()]),
            _ => return false,
        },
        Expression::In(term, constants) if wanted => (term.as_ref(), texts(constants)),
        _ => return false,
    };
    match term {
        Expression::Call(Function::LowerAscii, _) => {
            constants.iter().all(|text| text.bytes().any(|byte| byte.is_ascii_uppercase()))
        }
        Expression::Call(Function::UpperAscii, _) => {
            constants.iter().all(|text| text.bytes().any(|byte| byte.is_ascii_lowercase()))
        }
        _ => false,
    }
}
