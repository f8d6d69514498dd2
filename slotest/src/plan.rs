//! From lines of traffic and single events to what comes at which second.
//!
//! Time falls into segments in which the same lines are at work. In a segment a second is worked out by flows that make
//! requests, and by changes, each of which takes its share out of every part that it is on and adds it to another. What
//! a flow or a change has done is a function of how many it has met, so many seconds at once give the sum of them one by
//! one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::event::{Pattern, Shape};
use crate::file;
use crate::single::EventDraft;
use crate::sketch::{self, Line, What};
use crate::span;
use slipstream_definitions::definition::Ratio;
use slipstream_definitions::document::report::{Place, Report};

/// Most comparisons of a part with a change while a plan is made.
const MAX_EFFORT: usize = 5_000_000;
/// Most kinds of requests at a time.
const MAX_PARTS: usize = 2_000;

/// What a plan is made from.
pub(crate) struct Sketch {
    pub place: Place,
    /// Unix seconds.
    pub start: i64,
    pub lasts: Option<i64>,
    /// The last time that the expectations name.
    pub named: i64,
    pub lines: Vec<Line>,
    pub events: Vec<EventDraft>,
    /// All lines and events could be read.
    pub whole: bool,
    /// Defaults of a request; `None` if its service must be given.
    pub basis: Option<Shape>,
}

/// What comes when. Times are seconds since the start.
pub(crate) struct TrafficPlan {
    /// Unix seconds.
    pub start: i64,
    pub end: i64,
    pub shapes: Vec<Shape>,
    flows: Vec<Flow>,
    /// Without gaps, from 0 to the end.
    pub segments: Vec<Segment>,
    counters: usize,
    /// By tick.
    pub single: Vec<Single>,
}

struct Flow {
    count: Ratio,
    per: i64,
    from: i64,
}

/// A stretch of time with the same lines at work.
#[derive(Default)]
pub(crate) struct Segment {
    pub from: i64,
    pub to: i64,
    /// Flow and part.
    flows: Vec<(usize, usize)>,
    changes: Vec<Vec<Split>>,
    pub parts: Vec<Part>,
}

/// Requests that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub shape: usize,
    /// Seconds until the log hears of them.
    pub late: i64,
}

struct Split {
    counter: usize,
    share: Ratio,
    from: usize,
    /// `None` if it is lost.
    to: Option<usize>,
}

/// An event of `events`, or several that are alike and of one second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Single {
    pub tick: i64,
    pub slot: i64,
    pub shape: usize,
    pub weight: u64,
    pub id: Option<String>,
}

/// Makes the plan of a test. `None` if it cannot run, which is reported.
pub(crate) fn compile(report: &mut Report<'_>, sketch: Sketch) -> Option<TrafficPlan> {
    let errors = report.errors();
    let spans: Vec<(i64, Option<i64>)> = sketch.lines.iter().map(|line| span_of(report, line, sketch.start)).collect();
    let end = end(report, &sketch, &spans)?;
    let mut maker = Maker {
        plan: TrafficPlan {
            start: sketch.start,
            end,
            shapes: Vec::new(),
            flows: Vec::new(),
            segments: Vec::new(),
            counters: 0,
            single: Vec::new(),
        },
        known: HashMap::new(),
        becomes: HashMap::new(),
        counters: HashMap::new(),
        flows: HashMap::new(),
        effort: 0,
        met: BTreeSet::new(),
    };
    let lines: Vec<(usize, &Line, i64, i64)> = sketch
        .lines
        .iter()
        .enumerate()
        .zip(&spans)
        .map(|((i, line), (from, to))| (i, line, *from, to.unwrap_or(end).min(end)))
        .collect();
    for (i, line, from, _) in &lines {
        maker.flow(report, *i, line, *from, sketch.basis.as_ref());
    }
    maker.events(report, &sketch);
    maker.check_rate(report, sketch.place);
    if report.errors() > errors {
        return None;
    }
    let mut cuts: BTreeSet<i64> = lines.iter().flat_map(|(_, _, from, to)| [*from, *to]).collect();
    cuts.extend([0, end]);
    let cuts: Vec<i64> = cuts.into_iter().filter(|cut| (0..=end).contains(cut)).collect();
    for pair in cuts.windows(2) {
        let at_work = lines.iter().filter(|(_, _, from, to)| *from <= pair[0] && pair[1] <= *to);
        let at_work: Vec<(usize, &Line)> = at_work.map(|(i, line, _, _)| (*i, *line)).collect();
        if let Err(place) = maker.segment(pair[0], pair[1], &at_work) {
            let message = "the lines of traffic make too many kinds of requests together".to_owned();
            report.error(place, "too-much-traffic", message, Some("split the test".to_owned()));
            return None;
        }
    }
    for (i, line, ..) in &lines {
        if sketch.whole && matches!(line.what, What::Change { .. }) && !maker.met.contains(i) {
            let message = "this line changes nothing: no line above it makes such requests at that time".to_owned();
            let help = Some("a flow names its request: `100/s POST /pay for 2h`".to_owned());
            report.error(line.place, "no-such-requests", message, help);
        }
    }
    (report.errors() == errors).then_some(maker.plan)
}

/// When a line begins and ends, seconds since the start.
fn span_of(report: &mut Report<'_>, line: &Line, start: i64) -> (i64, Option<i64>) {
    let from = line.from.map_or(0, |time| time.since(start));
    let to = line.to.map(|time| time.since(start)).or(line.span.map(|seconds| from.saturating_add(seconds)));
    let in_reach = file::within(report, from, line.place).is_some()
        && to.is_none_or(|to| file::within(report, to, line.place).is_some());
    if let Some(to) = to.filter(|to| in_reach && *to <= from) {
        let message = format!("the line ends at {}, but begins at {}", span::format(to), span::format(from));
        report.error(line.place, "invalid-traffic", message, None);
    }
    (from, to)
}

fn end(report: &mut Report<'_>, sketch: &Sketch, spans: &[(i64, Option<i64>)]) -> Option<i64> {
    let lines = spans.iter().flat_map(|(from, to)| [*from, to.unwrap_or(0)]);
    let events = sketch.events.iter().map(|event| event.at + event.spread + event.late + 1);
    let last = lines.chain(events).chain([sketch.named]).max().unwrap_or(0);
    let end = sketch.lasts.unwrap_or(last);
    if sketch.named > end {
        let message =
            format!("the test lasts {}, but expects something at {}", span::format(end), span::format(sketch.named));
        report.error(sketch.place, "invalid-time", message, None);
    }
    // Where a line could not be read, that is what is wrong.
    if end == 0 && sketch.whole {
        let message = "nothing says how long this test lasts".to_owned();
        let help = Some("give a flow an end (`100/s for 1h`), or the test `lasts: 1h`".to_owned());
        report.error(sketch.place, "invalid-time", message, help);
    }
    (1..=file::MAX_SPAN).contains(&end).then_some(end)
}

struct Maker {
    plan: TrafficPlan,
    /// Shapes by how they print.
    known: HashMap<String, usize>,
    /// What a change makes of a shape.
    becomes: HashMap<(usize, usize), usize>,
    /// The counter of a change and a part.
    counters: HashMap<(usize, Part), usize>,
    /// Line to flow and shape.
    flows: HashMap<usize, (usize, usize)>,
    effort: usize,
    /// Changes that something met.
    met: BTreeSet<usize>,
}

impl Maker {
    fn shape(&mut self, shape: Shape) -> usize {
        let next = self.plan.shapes.len();
        let index = *self.known.entry(format!("{shape:?}")).or_insert(next);
        if index == next {
            self.plan.shapes.push(shape);
        }
        index
    }

    fn flow(&mut self, report: &mut Report<'_>, i: usize, line: &Line, from: i64, basis: Option<&Shape>) {
        let What::Flow { count, per, request } = &line.what else { return };
        let Some(basis) = based(report, basis, request.service.as_ref(), line.place) else { return };
        let shape = self.shape(basis.with(request));
        self.flows.insert(i, (self.plan.flows.len(), shape));
        self.plan.flows.push(Flow { count: *count, per: *per, from });
    }

    /// So that no count overflows, however long the test lasts.
    fn check_rate(&self, report: &mut Report<'_>, place: Place) {
        let rate: f64 = self.plan.flows.iter().map(|flow| flow.count.as_f64() / flow.per as f64).sum();
        if rate > sketch::MAX_RATE as f64 {
            let message = format!("{rate:.0} requests per second: expected at most {}", sketch::MAX_RATE);
            report.error(place, "too-much-traffic", message, None);
        }
    }

    /// Single events; those that are alike become one.
    fn events(&mut self, report: &mut Report<'_>, sketch: &Sketch) {
        let mut alike: BTreeMap<(i64, i64, usize), u64> = BTreeMap::new();
        for event in &sketch.events {
            let service = event.request.service.as_ref();
            let Some(basis) = based(report, sketch.basis.as_ref(), service, event.place) else { continue };
            let shape = self.shape(basis.with(&event.request));
            for i in 0..i64::from(event.count) {
                let slot = event.at + event.spread * i / i64::from(event.count);
                let tick = slot + event.late;
                match &event.id {
                    None => *alike.entry((tick, slot, shape)).or_default() += u64::from(event.weight),
                    Some(id) => {
                        let weight = u64::from(event.weight);
                        self.plan.single.push(Single { tick, slot, shape, weight, id: Some(id.clone()) });
                    }
                }
            }
        }
        let alike = alike.into_iter();
        self.plan.single.extend(alike.map(|((tick, slot, shape), weight)| Single {
            tick,
            slot,
            shape,
            weight,
            id: None,
        }));
        self.plan.single.sort_by_key(|single| single.tick);
    }

    /// Adds a segment. `Err`: the line with which it became too much.
    fn segment(&mut self, from: i64, to: i64, at_work: &[(usize, &Line)]) -> Result<(), Place> {
        let mut segment = Segment { from, to, ..Segment::default() };
        let mut places: HashMap<Part, usize> = HashMap::new();
        for (i, line) in at_work {
            match &line.what {
                What::Flow { .. } => {
                    let Some((flow, shape)) = self.flows.get(i).copied() else { continue };
                    let part = place_of(&mut places, &mut segment, Part { shape, late: 0 });
                    segment.flows.push((flow, part));
                }
                What::Change { share, .. } => {
                    let splits = self.splits(*i, line, *share, &mut segment, &mut places);
                    segment.changes.push(splits);
                }
            }
            self.effort += segment.parts.len();
            if self.effort > MAX_EFFORT || segment.parts.len() > MAX_PARTS {
                return Err(line.place);
            }
        }
        self.plan.segments.push(segment);
        Ok(())
    }

    fn splits(
        &mut self,
        i: usize,
        line: &Line,
        share: Ratio,
        segment: &mut Segment,
        places: &mut HashMap<Part, usize>,
    ) -> Vec<Split> {
        let What::Change { effect, on, .. } = &line.what else { return Vec::new() };
        let mut splits = Vec::new();
        let named = segment.parts.iter().any(|part| self.plan.shapes[part.shape].is(on));
        // `100/s; 20 % 500 on /pay`: a fifth of requests of which nothing says where they go.
        let open = !named && !effect.lost;
        for from in 0..segment.parts.len() {
            let part = segment.parts[from];
            let shape = &self.plan.shapes[part.shape];
            let meant = shape.is(on) || (open && shape.may_be(on));
            if !meant {
                continue;
            }
            self.met.insert(i);
            let shape = match self.becomes.get(&(i, part.shape)) {
                Some(shape) => *shape,
                None => {
                    let there = Pattern { endpoint: on.endpoint.clone(), ..Pattern::default() };
                    let shape = self.shape(self.plan.shapes[part.shape].with(&there).with(&effect.becomes));
                    self.becomes.insert((i, part.shape), shape);
                    shape
                }
            };
            let made = Part { shape, late: effect.late.unwrap_or(part.late) };
            if made == part && !effect.lost {
                continue;
            }
            let to = (!effect.lost).then(|| place_of(places, segment, made));
            let next = self.plan.counters;
            let counter = *self.counters.entry((i, part)).or_insert(next);
            self.plan.counters += usize::from(counter == next);
            splits.push(Split { counter, share, from, to });
        }
        splits
    }
}

fn place_of(places: &mut HashMap<Part, usize>, segment: &mut Segment, part: Part) -> usize {
    *places.entry(part).or_insert_with(|| {
        segment.parts.push(part);
        segment.parts.len() - 1
    })
}

/// What a request is made from.
fn based(report: &mut Report<'_>, basis: Option<&Shape>, service: Option<&String>, place: Place) -> Option<Shape> {
    let found = basis.cloned().or_else(|| service.map(|service| Shape::of(service)));
    if found.is_none() {
        let message = "expected a service: the definitions are of more than one, or of none".to_owned();
        report.error(place, "missing-field", message, Some("write `service NAME`".to_owned()));
    }
    found
}

/// How far a plan has been played: what its flows and changes have done.
pub(crate) struct Feed {
    seen: Vec<u64>,
    counts: Vec<u64>,
    taken: Vec<u64>,
}

impl Feed {
    /// Before the first second.
    pub(crate) fn new(plan: &TrafficPlan) -> Feed {
        Feed { seen: vec![0; plan.counters], counts: Vec::new(), taken: Vec::new() }
    }

    /// What comes in the seconds `from..to`, all of one segment and next in turn: per part how many.
    pub(crate) fn take<'p>(
        &mut self,
        plan: &TrafficPlan,
        segment: &'p Segment,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = (Part, u64)> + use<'p> {
        self.counts.clear();
        self.counts.resize(segment.parts.len(), 0);
        for (flow, part) in &segment.flows {
            let flow = &plan.flows[*flow];
            self.counts[*part] += flow.made(to) - flow.made(from);
        }
        for change in &segment.changes {
            self.taken.clear();
            for split in change {
                let seen = &mut self.seen[split.counter];
                let met = self.counts[split.from];
                let taken = part_of(split.share, seen.saturating_add(met)) - part_of(split.share, *seen);
                *seen = seen.saturating_add(met);
                self.taken.push(taken);
            }
            for (split, taken) in change.iter().zip(&self.taken) {
                self.counts[split.from] -= taken;
                if let Some(to) = split.to {
                    self.counts[to] += taken;
                }
            }
        }
        let counts = self.counts.clone();
        segment.parts.iter().copied().zip(counts).filter(|(_, count)| *count > 0)
    }
}

impl Flow {
    /// How many requests it has made by a time.
    fn made(&self, at: i64) -> u64 {
        let seconds = u128::from((at - self.from).max(0).unsigned_abs());
        let per = u128::from(self.per.unsigned_abs()) * u128::from(self.count.den);
        u64::try_from(u128::from(self.count.num) * seconds / per).unwrap_or(u64::MAX)
    }
}

/// floor(share x number).
fn part_of(share: Ratio, number: u64) -> u64 {
    u64::try_from(u128::from(share.num) * u128::from(number) / u128::from(share.den)).unwrap_or(u64::MAX)
}
