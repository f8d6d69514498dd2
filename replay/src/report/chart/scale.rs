//! Scales: where a value lies on an axis, and which values are written beside it.

/// The vertical axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From the first to the second.
    Linear(f64, f64),
    /// By orders of magnitude.
    Log {
        /// Least value that has a place of its own.
        low: f64,
        /// Greatest.
        high: f64,
        /// Below `low` there is room for 0, and what lies between is spread evenly.
        zero: bool,
    },
}

/// Share of the height that is kept for values from 0 to `low`.
const ROOM_FOR_ZERO: f64 = 0.14;
/// A range of more than this is shown by orders of magnitude.
const WIDE: f64 = 20.0;

impl Scale {
    /// From 0 to a round number that `most` does not exceed; at least to `least`.
    pub fn from_zero(most: f64, least: f64) -> Scale {
        let most = if most.is_finite() { most.max(least) } else { least };
        let step = round_step(most / 4.0);
        Scale::Linear(0.0, (most / step - 1e-9).ceil() * step)
    }

    /// For positive values: by orders of magnitude if they range widely, else from 0.
    pub fn of_positive(least: f64, most: f64) -> Scale {
        if least > 0.0 && most / least > WIDE {
            let low = 10_f64.powf(least.log10().floor());
            Scale::Log { low, high: above(most), zero: false }
        } else {
            Scale::from_zero(most, 1.0)
        }
    }

    /// By orders of magnitude, with room for 0: for rates that are often 0.
    pub fn with_zero(low: f64, most: f64) -> Scale {
        Scale::Log { low, high: above(most.max(low * 100.0)), zero: true }
    }

    /// Where a value lies: 0 at the bottom, 1 at the top; beyond the ends at the ends.
    pub fn place(self, value: f64) -> f64 {
        let place = match self {
            Scale::Linear(low, high) => (value - low) / (high - low),
            Scale::Log { low, high, zero } => {
                let room = if zero { ROOM_FOR_ZERO } else { 0.0 };
                if value < low {
                    room * (value / low).max(0.0)
                } else {
                    room + (1.0 - room) * (value / low).log10() / (high / low).log10()
                }
            }
        };
        place.clamp(0.0, 1.0)
    }

    /// Values to write beside the axis, from the bottom.
    pub fn ticks(self) -> Vec<f64> {
        match self {
            Scale::Linear(low, high) => linear_ticks(low, high),
            Scale::Log { low, high, zero } => zero.then_some(0.0).into_iter().chain(log_ticks(low, high)).collect(),
        }
    }
}

fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let step = round_step((high - low) / 4.0);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of ten; where there are few, 2 and 5 times them; where there are many, each second or third.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().round() as i32, high.log10().ceil() as i32);
    let decades = last - first;
    let within: &[f64] = match decades {
        ..=1 => &[1.0, 2.0, 5.0],
        2 => &[1.0, 3.0],
        _ => &[1.0],
    };
    let every = (decades / 6 + 1) as usize;
    let powers = (first..=last).step_by(every);
    let all = powers.flat_map(|power| within.iter().map(move |part| part * 10_f64.powi(power)));
    all.filter(|tick| *tick >= low * 0.999 && *tick <= high * 1.001).collect()
}

/// The next of 1, 2, 5 times a power of ten, not below `value`.
fn above(value: f64) -> f64 {
    round(value, &[1.0, 2.0, 5.0])
}

/// A step that people count in.
fn round_step(value: f64) -> f64 {
    round(value, &[1.0, 2.0, 2.5, 5.0])
}

fn round(value: f64, parts: &[f64]) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powi(value.log10().floor() as i32);
    let part = parts.iter().find(|part| **part * power >= value * (1.0 - 1e-9));
    part.map_or(10.0 * power, |part| part * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let rows: [(Scale, &[f64]); 9] = [
            (Scale::from_zero(97.0, 1.0), &[0.0, 25.0, 50.0, 75.0, 100.0]),
            (Scale::from_zero(0.0, 1.0), &[0.0, 0.25, 0.5, 0.75, 1.0]),
            (Scale::from_zero(1_300.0, 1.0), &[0.0, 500.0, 1_000.0, 1_500.0]),
            (Scale::from_zero(f64::NAN, 1.0), &[0.0, 0.25, 0.5, 0.75, 1.0]),
            (Scale::Linear(-0.5, 1.0), &[-0.5, 0.0, 0.5, 1.0]),
            (Scale::of_positive(12.0, 90.0), &[0.0, 25.0, 50.0, 75.0, 100.0]),
            (Scale::of_positive(12.0, 4_000.0), &[10.0, 100.0, 1_000.0]),
            (Scale::of_positive(20.0, 450.0), &[10.0, 30.0, 100.0, 300.0]),
            (Scale::with_zero(0.1, 812.0), &[0.0, 0.1, 1.0, 10.0, 100.0, 1_000.0]),
        ];
        for (scale, expected) in rows {
            let ticks = scale.ticks();
            assert_eq!(ticks.len(), expected.len(), "{scale:?}: {ticks:?}");
            for (tick, expected) in ticks.iter().zip(expected) {
                assert!((tick - expected).abs() < 1e-9 * expected.abs().max(1.0), "{scale:?}: {ticks:?}");
            }
        }
    }

    #[test]
    fn places_rise_with_values_and_stay_within_the_axis() {
        for scale in [Scale::Linear(-1.0, 1.0), Scale::with_zero(0.1, 1_000.0), Scale::of_positive(1.0, 900.0)] {
            let values = [f64::NEG_INFINITY, -1.0, 0.0, 0.05, 0.1, 1.0, 14.4, 1_000.0, 1e9];
            let places: Vec<f64> = values.iter().map(|value| scale.place(*value)).collect();
            assert!(places.is_sorted(), "{scale:?}: {places:?}");
            assert!(places.iter().all(|place| (0.0..=1.0).contains(place)), "{scale:?}: {places:?}");
        }
        assert_eq!(Scale::with_zero(0.1, 1_000.0).place(0.0), 0.0);
    }
}
