//! Tables of the page.

use super::markup::Markup;
use super::words;

/// Names of so many characters stay on one line.
const SHORT: usize = 16;

/// What is in a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A figure: at the right.
    Figure(String),
    /// A name of the users': as it is.
    Name(String),
    /// An address, after some words.
    Link(String, String),
    /// Two shares as bars: of the bad, and of all.
    Bars(f64, f64),
}

impl Cell {
    /// Words, or a dash where there are none.
    pub fn or_dash(text: Option<String>) -> Cell {
        Cell::Text(text.filter(|text| !text.is_empty()).unwrap_or_else(|| "–".to_owned()))
    }

    /// A figure, or a dash where there is none.
    pub fn figure_or_dash(figure: Option<String>) -> Cell {
        Cell::Figure(figure.unwrap_or_else(|| "–".to_owned()))
    }
}

/// A table; the first field of each row names the row. Heads that begin with `#` are of figures.
pub fn write(m: &mut Markup, caption: &str, heads: &[&str], rows: &[Vec<Cell>]) {
    // Wide tables scroll by themselves, with the keyboard too.
    let region = [("class", "table"), ("role", "region"), ("aria-label", caption), ("tabindex", "0")];
    m.within("div", &region, |m| {
        m.within("table", &[], |m| {
            m.leaf("caption", &[], caption);
            m.within("thead", &[], |m| m.within("tr", &[], |m| heads.iter().for_each(|head| self::head(m, head))));
            m.within("tbody", &[], |m| {
                for row in rows {
                    m.within("tr", &[], |m| {
                        row.iter()
                            .enumerate()
                            .for_each(|(i, cell)| if i == 0 { field(m, "th", cell) } else { field(m, "td", cell) });
                    });
                }
            });
        });
    });
}

fn head(m: &mut Markup, head: &str) {
    match head.strip_prefix('#') {
        Some(figure) => m.leaf("th", &[("scope", "col"), ("class", "figure")], figure),
        None => m.leaf("th", &[("scope", "col")], head),
    }
}

fn field(m: &mut Markup, tag: &'static str, cell: &Cell) {
    let scope = ("scope", "row");
    let class = match cell {
        Cell::Figure(_) => Some(("class", "figure")),
        Cell::Bars(..) => Some(("class", "bars")),
        _ => None,
    };
    let attributes: Vec<(&'static str, &str)> = (tag == "th").then_some(scope).into_iter().chain(class).collect();
    m.within(tag, &attributes, |m| match cell {
        Cell::Text(text) | Cell::Figure(text) => m.text(text),
        // A short name is not broken.
        Cell::Name(name) if name.chars().count() <= SHORT => m.leaf("code", &[("class", "whole")], name),
        Cell::Name(name) => m.leaf("code", &[], name),
        Cell::Link(text, address) => {
            m.text(text);
            m.text(" ");
            m.link(address);
        }
        Cell::Bars(bad, all) => bars(m, *bad, *all),
    });
}

fn bars(m: &mut Markup, bad: f64, all: f64) {
    let of = |share: f64| format!("{:.1}", share.clamp(0.0, 1.0) * 100.0);
    let told = format!("{} of the bad, {} of all", words::rough_percent(bad), words::rough_percent(all));
    let attributes = [
        ("class", "bar"),
        ("viewBox", "0 0 100 10"),
        ("preserveAspectRatio", "none"),
        ("role", "img"),
        ("aria-label", &told),
    ];
    m.within("svg", &attributes, |m| {
        m.void("rect", &[("class", "of-bad"), ("y", "0"), ("height", "5.5"), ("width", &of(bad))]);
        m.void("rect", &[("class", "of-all"), ("y", "7"), ("height", "3"), ("width", &of(all))]);
    });
}
