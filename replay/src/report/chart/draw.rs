//! Drawing a chart. Charts of a page have the same left and right edge, so that a moment is at the same place in all of them.

use super::labels;
use super::{Band, BandKind, Chart, Line, Look, hours};
use crate::report::markup::Markup;
use crate::report::times::Micros;

const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 850.0;
const ROW: f64 = 15.0;
const BELOW: f64 = 24.0;
/// Thickness of the edge above a band.
const EDGE: f64 = 4.0;
/// Distance of labels at the right.
const LINE_HEIGHT: f64 = 14.0;
/// Characters that fit at the right.
const LONGEST_AT_RIGHT: usize = 15;
/// Ticks of the time axis.
const MOST_TICKS: i64 = 10;

/// Draws a chart as a figure. `id` is its own on the page.
pub fn draw(m: &mut Markup, id: &str, chart: &Chart<'_>) {
    let frame = Frame::new(chart);
    m.within("figure", &[("class", "chart"), ("id", id)], |m| {
        m.within("figcaption", &[], |m| {
            m.leaf("strong", &[], &chart.title);
            m.text(" ");
            m.leaf("span", &[], &chart.caption);
        });
        let view_box = format!("0 0 {WIDTH} {}", short(frame.height));
        let (title, description) = (format!("{id}-title"), format!("{id}-desc"));
        let named = format!("{title} {description}");
        let attributes = [("viewBox", view_box.as_str()), ("role", "img"), ("aria-labelledby", &named)];
        m.within("svg", &attributes, |m| {
            m.leaf("title", &[("id", &title)], &chart.title);
            m.leaf("desc", &[("id", &description)], &chart.description);
            frame.draw(m);
        });
    });
}

/// A chart and where its plot is.
struct Frame<'a> {
    chart: &'a Chart<'a>,
    above: Vec<labels::Placed>,
    top: f64,
    bottom: f64,
    height: f64,
}

impl<'a> Frame<'a> {
    fn new(chart: &'a Chart<'a>) -> Self {
        let x = |time| x_of(chart, time);
        let bands = chart.bands.iter().filter(|band| !band.label.is_empty());
        let wanted: Vec<(f64, &str)> = (bands.map(|band| (x(band.from), band.label.as_str())))
            .chain(chart.marks.iter().map(|mark| (x(mark.at), mark.label.as_str())))
            .collect();
        let above = labels::in_rows(&wanted, RIGHT);
        let rows = above.iter().map(|label| label.row + 1).max().unwrap_or(0);
        let top = 6.0 + EDGE + rows as f64 * ROW;
        Frame { chart, above, top, bottom: top + chart.height, height: top + chart.height + BELOW }
    }

    fn x(&self, time: Micros) -> f64 {
        x_of(self.chart, time)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.chart.scale.place(value) * (self.bottom - self.top)
    }

    fn draw(&self, m: &mut Markup) {
        m.within("g", &[("class", "bands")], |m| self.chart.bands.iter().for_each(|band| self.band(m, band)));
        m.within("g", &[("class", "axis")], |m| self.axes(m));
        m.within("g", &[("class", "lines")], |m| self.chart.lines.iter().for_each(|line| self.line(m, line)));
        m.within("g", &[("class", "levels")], |m| {
            for level in &self.chart.thresholds {
                stroke(m, "level", (LEFT, self.y(level.value)), (RIGHT, self.y(level.value)));
            }
        });
        m.within("g", &[("class", "marks")], |m| self.marks(m));
        m.within("g", &[("class", "keys")], |m| self.keys(m));
    }

    fn band(&self, m: &mut Markup, band: &Band) {
        let (class, edge) = match band.kind {
            BandKind::Pending => ("band pending", "edge pending"),
            BandKind::Firing => ("band firing", "edge firing"),
            BandKind::Missing => ("band missing", "edge missing"),
        };
        let (from, to) = (self.x(band.from), self.x(band.to));
        let (x, width) = (short(from), short((to - from).max(1.0)));
        let (y, height) = (short(self.top), short(self.bottom - self.top));
        m.void("rect", &[("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)]);
        // An edge above it tells what it is without its colour.
        let thick = if band.kind == BandKind::Pending { 1.5 } else { EDGE };
        let (y, height) = (short(self.top - thick), short(thick));
        m.void("rect", &[("class", edge), ("x", &x), ("y", &y), ("width", &width), ("height", &height)]);
    }

    fn axes(&self, m: &mut Markup) {
        for tick in self.chart.scale.ticks() {
            let y = self.y(tick);
            stroke(m, "grid", (LEFT, y), (RIGHT, y));
            label(m, "end", (LEFT - 8.0, y + 4.0), &(self.chart.figure)(tick));
        }
        let times = self.chart.times;
        for (time, name) in hours::ticks(times.from, times.to, MOST_TICKS) {
            let x = self.x(time);
            stroke(m, "tick", (x, self.bottom), (x, self.bottom + 5.0));
            label(m, "middle", (x, self.bottom + 18.0), &name);
        }
        stroke(m, "base", (LEFT, self.bottom), (RIGHT, self.bottom));
    }

    fn line(&self, m: &mut Markup, line: &Line) {
        for run in runs(&line.points) {
            let points: Vec<String> =
                run.iter().map(|(time, value)| format!("{} {}", short(self.x(*time)), short(self.y(*value)))).collect();
            if let [alone] = points.as_slice() {
                let (x, y) = alone.split_once(' ').unwrap_or_default();
                m.void("circle", &[("class", line.look.class()), ("cx", x), ("cy", y), ("r", "2.5")]);
                continue;
            }
            let path = format!("M{}", points.join("L"));
            if let (true, [first, .., last]) = (line.look.is_filled(), run.as_slice()) {
                let bottom = short(self.bottom);
                let below = format!("{path}L{} {bottom}L{} {bottom}Z", short(self.x(last.0)), short(self.x(first.0)));
                let class = if line.look == Look::Errors { "fill errors" } else { "fill" };
                m.void("path", &[("class", class), ("d", &below)]);
            }
            m.void("path", &[("class", line.look.class()), ("d", &path)]);
        }
    }

    fn marks(&self, m: &mut Markup) {
        for mark in self.chart.marks {
            let x = self.x(mark.at);
            stroke(m, "mark", (x, self.top), (x, self.bottom));
        }
        for label in &self.above {
            let y = self.top - EDGE - 4.0 - label.row as f64 * ROW;
            stroke(m, "stem", (label.stem, y - 9.0), (label.stem, self.top));
            // Beside its stem, on the side on which the text is.
            let x = label.x + if label.x < label.stem { -4.0 } else { 4.0 };
            m.within("text", &[("x", &short(x)), ("y", &short(y)), ("text-anchor", "start")], |m| {
                m.leaf("title", &[], &label.full);
                m.text(&label.text);
            });
        }
    }

    /// Labels at the right: a sample of each line, and of each threshold.
    fn keys(&self, m: &mut Markup) {
        let ends = self.chart.lines.iter().filter_map(|line| {
            let last = line.points.iter().rev().find_map(|(_, value)| *value)?;
            Some((last, line.look.class(), line.label.as_str()))
        });
        let levels = self.chart.thresholds.iter().map(|level| (level.value, "level", level.label.as_str()));
        let keys: Vec<(f64, &str, &str)> = ends.chain(levels).collect();
        let wanted: Vec<f64> = keys.iter().map(|(value, ..)| self.y(*value)).collect();
        let places = labels::apart(&wanted, LINE_HEIGHT, self.top, self.bottom);
        for ((_, class, text), y) in keys.iter().zip(places) {
            stroke(m, class, (RIGHT + 6.0, y), (RIGHT + 26.0, y));
            label(m, "start", (RIGHT + 31.0, y + 4.0), &labels::shortened(text, LONGEST_AT_RIGHT));
        }
    }
}

fn x_of(chart: &Chart<'_>, time: Micros) -> f64 {
    let length = (chart.times.to - chart.times.from) as f64;
    LEFT + ((time - chart.times.from) as f64 / length).clamp(0.0, 1.0) * (RIGHT - LEFT)
}

/// Stretches without a gap.
fn runs(points: &[(Micros, Option<f64>)]) -> Vec<Vec<(Micros, f64)>> {
    let parts = points.split(|(_, value)| value.is_none());
    let runs = parts.map(|part| part.iter().filter_map(|(time, value)| Some((*time, (*value)?))).collect());
    runs.filter(|run: &Vec<_>| !run.is_empty()).collect()
}

fn stroke(m: &mut Markup, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(short);
    m.void("line", &[("class", class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)]);
}

fn label(m: &mut Markup, anchor: &str, (x, y): (f64, f64), text: &str) {
    m.leaf("text", &[("x", &short(x)), ("y", &short(y)), ("text-anchor", anchor)], text);
}

/// A coordinate: a tenth of a pixel is enough.
fn short(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
