//! Labels that do not overlap: above the plot in rows, at its right one below the other.

/// Width of a character at the size of labels, on average and a little more.
const CHARACTER: f64 = 7.0;
/// Rows above the plot.
const ROWS: usize = 5;
/// Space between two labels of a row.
const GAP: f64 = 12.0;
/// Space between a label and another's stem.
const BESIDE: f64 = 6.0;
/// Longest label, characters; ...
const LONGEST: usize = 24;
/// ... where there is no room for it, it is shortened to this.
const SHORTEST: usize = 13;
/// More labels are not tried: there is no room for so many.
const MOST_TRIED: usize = 100;

/// Shortened to what fits above a plot.
pub fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let begin: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", begin.trim_end())
}

/// A label above the plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Where its stem is.
    pub stem: f64,
    /// Left end.
    pub x: f64,
    /// Row, from the plot upwards.
    pub row: usize,
    /// What is written.
    pub text: String,
    /// All of it.
    pub full: String,
}

impl Placed {
    fn right(&self) -> f64 {
        self.x + width(&self.text)
    }
}

/// Puts labels, given as (x, text), the most important first, above a plot that ends at `right`. Those for which there is no room are
/// left out.
pub fn in_rows(labels: &[(f64, &str)], right: f64) -> Vec<Placed> {
    let mut chosen: Vec<(f64, &str)> = Vec::new();
    let mut placed = Vec::new();
    for label in labels.iter().take(MOST_TRIED) {
        chosen.push(*label);
        match all_in_rows(&mut chosen.clone(), right) {
            Some(all) => placed = all,
            None => {
                chosen.pop();
            }
        }
    }
    placed
}

/// From the right to the left, each at the right of its stem in the lowest row that has room, else at its left, else shortened. `None`
/// if one has no room.
fn all_in_rows(labels: &mut [(f64, &str)], right: f64) -> Option<Vec<Placed>> {
    labels.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut placed: Vec<Placed> = Vec::new();
    for (stem, full) in labels {
        let new = candidates(*stem, full)
            .find(|new| new.x >= 0.0 && new.right() <= right && placed.iter().all(|other| agree(new, other)))?;
        placed.push(new);
    }
    Some(placed)
}

/// Where a label can be, the best place first.
fn candidates(stem: f64, full: &str) -> impl Iterator<Item = Placed> {
    let texts = [LONGEST, SHORTEST].map(|longest| shortened(full, longest));
    let sides = texts.into_iter().flat_map(move |text| [(stem, text.clone()), (stem - width(&text), text)]);
    let rows = sides.flat_map(|(x, text)| (0..ROWS).map(move |row| (x, row, text.clone())));
    rows.map(move |(x, row, text)| Placed { stem, x, row, text, full: full.to_owned() })
}

/// Whether two labels neither overlap nor are passed by each other's stem.
fn agree(one: &Placed, other: &Placed) -> bool {
    if one.row == other.row {
        return one.right() + GAP <= other.x || other.right() + GAP <= one.x;
    }
    let (lower, higher) = if one.row < other.row { (one, other) } else { (other, one) };
    let (from, to) =
        if lower.x < lower.stem { (lower.x - BESIDE, lower.stem) } else { (lower.stem, lower.right() + BESIDE) };
    !(from < higher.stem && higher.stem < to)
}

fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

/// Moves positions apart, in their order, until no two are nearer than `distance`, within `[top, bottom]` if there is room.
pub fn apart(wanted: &[f64], distance: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut placed = vec![0.0; wanted.len()];
    let mut free = top;
    for i in &order {
        placed[*i] = wanted[*i].max(free);
        free = placed[*i] + distance;
    }
    // What was pushed below the bottom pushes the others up.
    let mut limit = bottom;
    for i in order.iter().rev() {
        placed[*i] = placed[*i].min(limit);
        limit = placed[*i] - distance;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_at_the_right_keep_their_distance() {
        let rows: [(&[f64], &[f64]); 5] = [
            (&[], &[]),
            (&[50.0], &[50.0]),
            (&[50.0, 50.0, 52.0], &[50.0, 64.0, 78.0]),
            (&[99.0, 98.0], &[100.0, 86.0]),
            (&[-5.0, 200.0], &[0.0, 100.0]),
        ];
        for (wanted, expected) in rows {
            assert_eq!(apart(wanted, 14.0, 0.0, 100.0), expected);
        }
    }

    #[test]
    fn labels_above_take_another_row_or_are_left_out() {
        let labels = [
            (0.0, "first"),
            (10.0, "second"),
            (20.0, "third"),
            (30.0, "fourth"),
            (40.0, "fifth"),
            (50.0, "last"),
            (300.0, "far"),
        ];
        let placed = in_rows(&labels, 400.0);
        let rows: Vec<(&str, usize)> = placed.iter().map(|label| (label.text.as_str(), label.row)).collect();
        assert_eq!(rows, [("far", 0), ("fifth", 0), ("fourth", 1), ("third", 2), ("second", 3), ("first", 4)]);
        // The stem of `page` would pass `deploy`, which is put at the left of its own.
        let placed = in_rows(&[(215.0, "page"), (200.0, "deploy")], 400.0);
        let sides: Vec<(&str, usize, bool)> = placed.iter().map(|l| (l.text.as_str(), l.row, l.x < l.stem)).collect();
        assert_eq!(sides, [("page", 0, false), ("deploy", 1, false)]);
        let placed = in_rows(
            &[(240.0, "e"), (236.0, "d"), (230.0, "c"), (220.0, "b"), (215.0, "page"), (200.0, "deploy")],
            400.0,
        );
        let last = placed.last().map(|l| (l.text.as_str(), l.row, l.x < l.stem));
        assert_eq!(last, Some(("deploy", 0, true)));
    }

    #[test]
    fn a_label_at_the_right_end_ends_at_its_stem() {
        let placed = in_rows(&[(190.0, "0123456789")], 200.0);
        assert_eq!(placed[0].x, 190.0 - 10.0 * CHARACTER);
        assert_eq!(shortened("0123456789", 5), "0123…");
    }
}
