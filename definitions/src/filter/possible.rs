//! Whether conditions can have given values on one and the same valid event. `false` is certain, `true` is not: what is not
//! analysed counts as possible, and so does what would take too long.

use super::domain::{Codes, Name, Range, Texts, against_number};
use super::expression::{Comparison, Expression, Field, Function, NoFacts, Value};

/// Maximum steps of a search.
const STEPS: usize = 2_000;

/// Which values a condition may have: a set of true, false and unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truths(u8);

pub(super) const TRUE: Truths = Truths(1);
const FALSE: Truths = Truths(2);
const UNKNOWN: Truths = Truths(4);
/// False or unknown.
pub(super) const NOT_TRUE: Truths = Truths(6);
const NOT_FALSE: Truths = Truths(5);
const ANY: Truths = Truths(7);

/// A condition and its required values.
pub(super) type Goal<'e> = (&'e Expression, Truths);

/// Whether an event may exist on which every goal is met.
pub(super) fn possible(goals: &[Goal<'_>]) -> bool {
    let mut states = vec![State::new(goals)];
    let mut steps = STEPS;
    while let Some(state) = states.pop() {
        match state.explore(&mut steps) {
            Outcome::Possible => return true,
            Outcome::Never => {}
            Outcome::Either(ways) => states.extend(ways.into_iter().rev()),
        }
    }
    false
}

impl Truths {
    fn has(self, value: Option<bool>) -> bool {
        let bit = match value {
            Some(true) => TRUE,
            Some(false) => FALSE,
            None => UNKNOWN,
        };
        self.0 & bit.0 != 0
    }

    fn without(self, other: Truths) -> Truths {
        Truths(self.0 & !other.0)
    }

    /// The values of the negation.
    fn negated(self) -> Truths {
        Truths(self.0 & 4 | (self.0 & 1) << 1 | (self.0 & 2) >> 1)
    }

    fn each(self) -> impl Iterator<Item = Truths> {
        [TRUE, FALSE, UNKNOWN].into_iter().filter(move |one| self.0 & one.0 != 0)
    }
}

/// The result of following a state.
enum Outcome<'e> {
    Possible,
    Never,
    Either(Vec<State<'e>>),
}

/// The result of a goal.
enum Step<'e> {
    /// The state was narrowed.
    On,
    /// It cannot be met.
    Never,
    /// It is met if all goals of one of these are.
    Either(Vec<Vec<Goal<'e>>>),
}

/// What the event can still be, and what is still required.
#[derive(Debug, Clone)]
struct State<'e> {
    plain: Vec<Goal<'e>>,
    /// Those with alternatives come last, because the others narrow them.
    branching: Vec<Goal<'e>>,
    codes: Codes,
    latency: Range,
    measured: Option<bool>,
    texts: Vec<Texts<'e>>,
    attributes: Vec<(&'e str, bool)>,
    /// Functions that are compared with numbers.
    terms: Vec<(&'e Expression, Range)>,
    /// Other conditions and what they are to be.
    taken: Vec<(&'e Expression, bool)>,
}

impl<'e> State<'e> {
    fn new(goals: &[Goal<'e>]) -> State<'e> {
        let mut state = State {
            plain: Vec::new(),
            branching: Vec::new(),
            codes: Codes::all(),
            latency: Range::latency(),
            measured: None,
            texts: Vec::new(),
            attributes: Vec::new(),
            terms: Vec::new(),
            taken: Vec::new(),
        };
        state.ask(goals);
        state
    }

    fn ask(&mut self, goals: &[Goal<'e>]) {
        for goal in goals {
            let list = if branches(goal.0) { &mut self.branching } else { &mut self.plain };
            list.push(*goal);
        }
    }

    fn explore(mut self, steps: &mut usize) -> Outcome<'e> {
        while let Some(goal) = self.plain.pop().or_else(|| self.branching.pop()) {
            if *steps == 0 {
                return Outcome::Possible;
            }
            *steps -= 1;
            match self.step(goal) {
                Step::On => {}
                Step::Never => return Outcome::Never,
                Step::Either(mut ways) if ways.len() == 1 => self.ask(&ways.remove(0)),
                Step::Either(ways) => {
                    let follow = |way: Vec<Goal<'e>>| {
                        let mut state = self.clone();
                        state.ask(&way);
                        state
                    };
                    return Outcome::Either(ways.into_iter().map(follow).collect());
                }
            }
        }
        Outcome::Possible
    }

    fn step(&mut self, (condition, wanted): Goal<'e>) -> Step<'e> {
        match condition {
            _ if wanted == ANY => Step::On,
            Expression::And(parts) => join(parts, wanted, false),
            Expression::Or(parts) => join(parts, wanted.negated(), true),
            Expression::Not(part) => Step::Either(vec![vec![(part, wanted.negated())]]),
            Expression::If(parts) => {
                let [condition, then, other] = parts.as_ref();
                let mut ways = vec![vec![(condition, TRUE), (then, wanted)], vec![(condition, FALSE), (other, wanted)]];
                if wanted.has(None) {
                    ways.push(vec![(condition, UNKNOWN)]);
                }
                Step::Either(ways)
            }
            Expression::Measured => presence(&mut self.measured, wanted),
            Expression::HasAttribute(key) => self.attribute(key, wanted),
            _ => self.atom(condition, wanted),
        }
    }

    fn attribute(&mut self, key: &'e str, wanted: Truths) -> Step<'e> {
        let at = self.attributes.iter().position(|(known, _)| *known == key);
        let mut known = at.map(|at| self.attributes[at].1);
        // Longer keys are refused with their event.
        if key.len() > 64 {
            known = Some(false);
        }
        let step = presence(&mut known, wanted);
        if let (None, Some(present)) = (at, known) {
            self.attributes.push((key, present));
        }
        step
    }

    /// An atomic condition.
    fn atom(&mut self, condition: &'e Expression, wanted: Truths) -> Step<'e> {
        let mut read = Vec::new();
        leaves(condition, &mut read);
        match read.as_slice() {
            [] => return on(wanted.has(condition.truth(&NoFacts))),
            [Leaf::Code] => return on(self.codes.keep(|value| wanted.has(value), condition)),
            _ => {}
        }
        let wanted = if can_fail(condition) { wanted } else { wanted.without(UNKNOWN) };
        let truth = match wanted {
            Truths(0) => return Step::Never,
            TRUE => true,
            FALSE => false,
            UNKNOWN => return self.unknown(condition, &read),
            several => return Step::Either(several.each().map(|one| vec![(condition, one)]).collect()),
        };
        if !strict(condition) {
            return on(self.agrees(condition, truth));
        }
        let mut fits = self.agrees(condition, truth);
        for leaf in &read {
            fits = fits
                && match leaf {
                    Leaf::Latency => matches!(presence(&mut self.measured, TRUE), Step::On),
                    Leaf::Text(Name::Attribute(key)) => matches!(self.attribute(key, TRUE), Step::On),
                    _ => true,
                };
        }
        on(fits
            && match read.as_slice() {
                [Leaf::Latency] => self.narrow_latency(condition, truth),
                [Leaf::Text(name)] => self.narrow_term(condition, truth) && self.narrow_text(*name, condition, truth),
                _ => true,
            })
    }

    /// A condition is unknown: certainly because the one field it reads is missing, if nothing else can fail.
    fn unknown(&mut self, condition: &'e Expression, read: &[Leaf<'e>]) -> Step<'e> {
        match read {
            [Leaf::Latency] if fails_by_null(condition) => presence(&mut self.measured, FALSE),
            [Leaf::Text(Name::Attribute(key))] if fails_by_null(condition) => self.attribute(key, FALSE),
            _ => Step::On,
        }
    }

    fn narrow_latency(&mut self, condition: &Expression, truth: bool) -> bool {
        if let Some((Expression::Field(Field::LatencyMs), comparison, bound)) = against_number(condition) {
            return self.latency.keep(comparison, bound, truth);
        }
        let Expression::In(term, constants) = condition else { return true };
        if !matches!(**term, Expression::Field(Field::LatencyMs)) {
            return true;
        }
        let mut numbers = constants.iter().filter_map(Value::number);
        if truth {
            return numbers.any(|number| self.latency.clone().keep(Comparison::Equal, number, true));
        }
        numbers.all(|number| self.latency.keep(Comparison::Equal, number, false))
    }

    /// Conditions such as `int(attributes.retries) > 3`.
    fn narrow_term(&mut self, condition: &'e Expression, truth: bool) -> bool {
        let Some((term, comparison, bound)) = against_number(condition) else { return true };
        if !matches!(term, Expression::Call(Function::Int | Function::Double | Function::Size, _)) {
            return true;
        }
        if let Some((_, range)) = self.terms.iter_mut().find(|(known, _)| same(known, term)) {
            return range.keep(comparison, bound, truth);
        }
        let mut range = Range::any(matches!(term, Expression::Call(Function::Double, _)));
        let sized = matches!(term, Expression::Call(Function::Size, _));
        let fits = !sized || range.keep(Comparison::GreaterOrEqual, 0.0, true);
        let fits = range.keep(comparison, bound, truth) && fits;
        self.terms.push((term, range));
        fits
    }

    fn narrow_text(&mut self, name: Name<'e>, condition: &'e Expression, truth: bool) -> bool {
        let known = self.texts.iter().position(|texts| texts.name() == name);
        let at = known.unwrap_or_else(|| {
            self.texts.push(Texts::new(name));
            self.texts.len() - 1
        });
        self.texts[at].keep(condition, truth)
    }

    /// Whether the same condition is not required to be the opposite.
    fn agrees(&mut self, condition: &'e Expression, truth: bool) -> bool {
        let contradicts = self.taken.iter().any(|(known, taken)| *taken != truth && same(known, condition));
        self.taken.push((condition, truth));
        !contradicts
    }
}

fn on(fits: bool) -> Step<'static> {
    if fits { Step::On } else { Step::Never }
}

/// A test of presence is never unknown.
fn presence(known: &mut Option<bool>, wanted: Truths) -> Step<'static> {
    match known {
        Some(present) => on(wanted.has(Some(*present))),
        None => {
            let wanted = wanted.without(UNKNOWN);
            match wanted {
                TRUE => *known = Some(true),
                FALSE => *known = Some(false),
                _ => {}
            }
            on(wanted != Truths(0))
        }
    }
}

/// `&&` over the parts, or over their negations. False wins over unknown, unknown over true.
fn join<'e>(parts: &'e [Expression], wanted: Truths, negated: bool) -> Step<'e> {
    let goal = |part: &'e Expression, of: Truths| (part, if negated { of.negated() } else { of });
    let all = |of: Truths| vec![parts.iter().map(|part| goal(part, of)).collect::<Vec<Goal<'e>>>()];
    let any = |of: Truths| parts.iter().map(|part| vec![goal(part, of)]).collect::<Vec<Vec<Goal<'e>>>>();
    Step::Either(match wanted {
        TRUE => all(TRUE),
        NOT_FALSE => all(NOT_FALSE),
        FALSE => any(FALSE),
        NOT_TRUE => any(NOT_TRUE),
        UNKNOWN => {
            let others = || parts.iter().map(|part| goal(part, NOT_FALSE));
            parts.iter().map(|part| others().chain([goal(part, UNKNOWN)]).collect()).collect()
        }
        // True or false.
        _ => all(TRUE).into_iter().chain(any(FALSE)).collect(),
    })
}

fn branches(condition: &Expression) -> bool {
    matches!(condition, Expression::And(_) | Expression::Or(_) | Expression::Not(_) | Expression::If(_))
}

/// What a condition reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf<'e> {
    Code,
    Latency,
    Text(Name<'e>),
}

fn leaves<'e>(expression: &'e Expression, found: &mut Vec<Leaf<'e>>) {
    let leaf = match expression {
        Expression::Field(Field::StatusCode) => Some(Leaf::Code),
        Expression::Field(Field::LatencyMs) | Expression::Measured => Some(Leaf::Latency),
        Expression::Field(field) => Some(Leaf::Text(Name::Field(*field))),
        Expression::Attribute(key) | Expression::HasAttribute(key) => Some(Leaf::Text(Name::Attribute(key))),
        _ => None,
    };
    found.extend(leaf.filter(|leaf| !found.contains(leaf)));
    expression.each_child(&mut |child| leaves(child, found));
}

/// Whether it may be unknown.
fn can_fail(expression: &Expression) -> bool {
    expression.reads(&|part| {
        let reads = matches!(part, Expression::Field(Field::LatencyMs) | Expression::Attribute(_));
        reads || computes(part)
    })
}

/// Whether it is unknown only if what it reads is null or missing, and then always.
fn fails_by_null(expression: &Expression) -> bool {
    strict(expression) && !expression.reads(&computes)
}

/// Conversions and arithmetic may also fail.
fn computes(part: &Expression) -> bool {
    let converts = matches!(part, Expression::Call(Function::Int | Function::Double | Function::Negate, _));
    converts || matches!(part, Expression::Calculate(..) | Expression::Unknown)
}

/// Whether it is unknown wherever something that it reads is.
fn strict(expression: &Expression) -> bool {
    let lenient = |part: &Expression| {
        let tests = matches!(part, Expression::HasAttribute(_) | Expression::Measured);
        tests || matches!(part, Expression::And(_) | Expression::Or(_) | Expression::If(_))
    };
    !expression.reads(&lenient)
}

/// Whether both are written the same.
fn same(left: &Expression, right: &Expression) -> bool {
    std::ptr::eq(left, right) || format!("{left:?}") == format!("{right:?}")
}
