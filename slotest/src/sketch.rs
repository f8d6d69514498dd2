//! The sketch language: lines of traffic such as `100/s for 2h` and `20 % 500 on /pay from 10m to 25m`.

use crate::event::{Limit, METHODS, Pattern, status};
use crate::span::{self, Time};
use slipstream_definitions::definition::Ratio;
use slipstream_definitions::document::report::Place;
use slipstream_definitions::suggest;

/// A line of a sketch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub place: Place,
    pub what: What,
    pub from: Option<Time>,
    pub to: Option<Time>,
    /// `for`, seconds.
    pub span: Option<i64>,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// Requests come.
    Flow {
        /// So many ...
        count: Ratio,
        /// ... in so many seconds.
        per: i64,
        request: Pattern,
    },
    /// A share of them is altered.
    Change { share: Ratio, effect: Effect, on: Pattern },
}

/// What becomes of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Effect {
    pub becomes: Pattern,
    /// Seconds until the log hears of it.
    pub late: Option<i64>,
    /// It never comes.
    pub lost: bool,
}

/// A mistake in a line: the word it is about, by its place among the line's characters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mistake {
    pub at: usize,
    pub width: usize,
    pub message: String,
    pub help: Option<String>,
}

/// Most requests per second.
pub(crate) const MAX_RATE: u64 = 1_000_000_000;
/// Longest delay of late events, seconds.
const MAX_LATE: i64 = 30 * 86_400;
/// Words that may follow.
const WORDS: [&str; 14] = [
    "service",
    "endpoint",
    "method",
    "status",
    "latency",
    "environment",
    "attributes.KEY=VALUE",
    "late",
    "lost",
    "on",
    "from",
    "to",
    "for",
    "by",
];
const PER: [(&str, i64); 8] =
    [("s", 1), ("sec", 1), ("m", 60), ("min", 60), ("h", 3_600), ("hour", 3_600), ("d", 86_400), ("day", 86_400)];

#[derive(Debug, Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    at: usize,
}

impl Word<'_> {
    fn mistake(self, message: String, help: Option<String>) -> Mistake {
        Mistake { at: self.at, width: self.text.chars().count().max(1), message, help }
    }
}

/// Splits a text at `;` and line ends: the lines with their places among its characters.
pub(crate) fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for (index, (byte, character)) in text.char_indices().enumerate() {
        if matches!(character, ';' | '\n') {
            found.push((at, &text[begin..byte]));
            (begin, at) = (byte + 1, index + 1);
        }
    }
    found.push((at, &text[begin..]));
    found.retain(|(_, line)| !line.trim().is_empty());
    found
}

/// Reads a line. `place` is where it stands.
///
/// # Errors
/// The first mistake in it.
pub(crate) fn parse(text: &str, place: Place) -> Result<Line, Mistake> {
    let words = words(text);
    let Some(first) = words.first().copied() else {
        return Err(Mistake { at: 0, width: 1, message: "expected a line of traffic".to_owned(), help: None });
    };
    let mut reader = Reader { words: &words, next: 0, times: Times::default() };
    let what = reader.what(first)?;
    let Times { from, to, span } = reader.times;
    let by = |time: Option<(Word<'_>, Time)>| time.map(|(_, time)| time);
    if let (Some(_), Some((word, _))) = (to, span) {
        return Err(word.mistake("expected `to` or `for`, found both".to_owned(), None));
    }
    Ok(Line { place, what, from: by(from), to: by(to), span: span.map(|(_, seconds)| seconds) })
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut begin = None;
    for (index, (byte, character)) in text.char_indices().chain([(text.len(), ' ')]).enumerate() {
        match (character.is_whitespace(), begin) {
            (false, None) => begin = Some((byte, index)),
            (true, Some((from, at))) => {
                words.push(Word { text: &text[from..byte], at });
                begin = None;
            }
            _ => {}
        }
    }
    words
}

#[derive(Default, Clone, Copy)]
struct Times<'t> {
    from: Option<(Word<'t>, Time)>,
    to: Option<(Word<'t>, Time)>,
    span: Option<(Word<'t>, i64)>,
}

struct Reader<'t> {
    words: &'t [Word<'t>],
    next: usize,
    times: Times<'t>,
}

impl<'t> Reader<'t> {
    fn what(&mut self, first: Word<'t>) -> Result<What, Mistake> {
        if first.text == "silence" {
            self.next = 1;
            let mut effect = Effect { lost: true, ..Effect::default() };
            let on = self.change(&mut effect)?;
            return Ok(What::Change { share: Ratio { num: 1, den: 1 }, effect, on });
        }
        if let Some(share) = self.share()? {
            let mut effect = Effect::default();
            let on = self.change(&mut effect)?;
            if effect == Effect::default() {
                let help = Some("such as `20 % 500 on /pay`, `5 % late by 10m` or `10 % lost`".to_owned());
                return Err(first.mistake("expected what becomes of this share of the requests".to_owned(), help));
            }
            return Ok(What::Change { share, effect, on });
        }
        let (count, per) = rate(first)?;
        self.next = 1;
        let mut request = Pattern::default();
        while let Some(word) = self.word() {
            if word.text != "on" && !self.time(word)? && !self.field(word, &mut request)? {
                return Err(unknown(word));
            }
        }
        Ok(What::Flow { count, per, request })
    }

    /// The effect of a change, which is put into `effect`, and what it is on.
    fn change(&mut self, effect: &mut Effect) -> Result<Pattern, Mistake> {
        let mut on = Pattern::default();
        let mut picking = false;
        while let Some(word) = self.word() {
            match word.text {
                "on" => picking = true,
                "lost" if !picking => effect.lost = true,
                "late" if !picking => {
                    let by = self.value(word)?;
                    let by = if by.text == "by" { self.value(by)? } else { by };
                    let seconds = span::parse(by.text).filter(|seconds| (1..=MAX_LATE).contains(seconds));
                    let wrong = || by.mistake(format!("expected 1s to 30d, found `{}`", by.text), None);
                    effect.late = Some(seconds.ok_or_else(wrong)?);
                }
                _ if self.time(word)? => {}
                _ if picking && self.field(word, &mut on)? => {}
                _ if !picking && self.field(word, &mut effect.becomes)? => {}
                _ => return Err(unknown(word)),
            }
        }
        Ok(on)
    }

    /// `20 %` or `20%` at the beginning.
    fn share(&mut self) -> Result<Option<Ratio>, Mistake> {
        let [first, rest @ ..] = self.words else { return Ok(None) };
        let digits = match (first.text.strip_suffix('%'), rest.first().map(|word| word.text)) {
            (Some(digits), _) => {
                self.next = 1;
                digits
            }
            (None, Some("%")) => {
                self.next = 2;
                first.text
            }
            _ => return Ok(None),
        };
        let share = Ratio::parse(digits).ok().and_then(|number| number.checked_mul(Ratio { num: 1, den: 100 }));
        match share.filter(|share| share.num <= share.den) {
            Some(share) => Ok(Some(share)),
            None => Err(first.mistake(format!("expected a percentage from 0 to 100, found `{digits}`"), None)),
        }
    }

    fn word(&mut self) -> Option<Word<'t>> {
        let word = self.words.get(self.next).copied();
        self.next += 1;
        word
    }

    /// The word after `before`.
    fn value(&mut self, before: Word<'_>) -> Result<Word<'t>, Mistake> {
        self.word().ok_or_else(|| before.mistake(format!("expected something after `{}`", before.text), None))
    }

    /// Takes `from`, `to` and `for`. False: the word is none of them.
    fn time(&mut self, word: Word<'t>) -> Result<bool, Mistake> {
        let slot = match word.text {
            "from" => self.times.from.is_some(),
            "to" => self.times.to.is_some(),
            "for" => self.times.span.is_some(),
            _ => return Ok(false),
        };
        if slot {
            return Err(word.mistake(format!("`{}` is there twice", word.text), None));
        }
        let value = self.value(word)?;
        let time = || Time::parse(value.text).map_err(|message| value.mistake(message, None));
        match word.text {
            "from" => self.times.from = Some((word, time()?)),
            "to" => self.times.to = Some((word, time()?)),
            _ => {
                let seconds = span::parse(value.text);
                let wrong = || value.mistake(format!("expected a duration such as 2h, found `{}`", value.text), None);
                self.times.span = Some((word, seconds.ok_or_else(wrong)?));
            }
        }
        Ok(true)
    }

    /// Takes a field of a request. False: the word begins none.
    fn field(&mut self, word: Word<'t>, into: &mut Pattern) -> Result<bool, Mistake> {
        let mut text = |limit: Limit| -> Result<Option<String>, Mistake> {
            let value = self.value(word)?;
            limit.check(value.text).map_err(|message| value.mistake(message, None))?;
            Ok(Some(value.text.to_owned()))
        };
        match word.text {
            "service" => into.service = text(Limit::NAME)?,
            "environment" => into.environment = text(Limit::ENVIRONMENT)?,
            "endpoint" => into.endpoint = text(Limit::ENDPOINT)?,
            "method" => into.method = text(Limit::NAME)?,
            "status" => {
                let value = self.value(word)?;
                into.status = Some(status(value.text).ok_or_else(|| no_status(value))?);
            }
            "latency" => into.latency_ms = Some(latency(self.value(word)?)?),
            path if path.starts_with('/') => {
                Limit::ENDPOINT.check(path).map_err(|message| word.mistake(message, None))?;
                into.endpoint = Some(path.to_owned());
            }
            method if METHODS.contains(&method) => into.method = Some(method.to_owned()),
            code if code.bytes().all(|byte| byte.is_ascii_digit()) => {
                into.status = Some(status(code).ok_or_else(|| no_status(word))?);
            }
            other => return attribute(other, word, into),
        }
        Ok(true)
    }
}

fn no_status(word: Word<'_>) -> Mistake {
    word.mistake(format!("expected a status code from 100 to 599, found `{}`", word.text), None)
}

fn attribute(text: &str, word: Word<'_>, into: &mut Pattern) -> Result<bool, Mistake> {
    let Some(pair) = text.strip_prefix("attributes.").or_else(|| text.strip_prefix("attribute.")) else {
        return Ok(false);
    };
    let Some((key, value)) = pair.split_once('=') else {
        return Err(word.mistake("expected attributes.KEY=VALUE".to_owned(), None));
    };
    Limit::KEY.check(key).and(Limit::VALUE.check(value)).map_err(|message| word.mistake(message, None))?;
    into.attributes.retain(|(known, _)| known != key);
    into.attributes.push((key.to_owned(), value.to_owned()));
    Ok(true)
}

/// `80ms`, `1.5s`, `none`.
fn latency(word: Word<'_>) -> Result<Option<f64>, Mistake> {
    if word.text == "none" {
        return Ok(None);
    }
    let number = |text: &str, unit: f64| Ratio::parse(text).ok().map(|number| number.as_f64() * unit);
    let milliseconds = match (word.text.strip_suffix("ms"), word.text.strip_suffix('s')) {
        (Some(digits), _) => number(digits, 1.0),
        (None, Some(digits)) => number(digits, 1_000.0),
        (None, None) => None,
    };
    let found = milliseconds.filter(|ms| *ms <= 86_400_000.0);
    let wrong = || {
        let help = Ratio::parse(word.text).is_ok().then(|| format!("write the unit: {}ms", word.text));
        word.mistake(format!("expected a latency such as 80ms, 1.5s or none, found `{}`", word.text), help)
    };
    found.map(Some).ok_or_else(wrong)
}

/// `100/s`.
fn rate(word: Word<'_>) -> Result<(Ratio, i64), Mistake> {
    let wrong = || {
        let help = Some("a line begins with a rate (`100/s`), a share (`20 %`) or `silence`".to_owned());
        word.mistake(format!("expected a line of traffic, found `{}`", word.text), help)
    };
    let (count, per) = word.text.split_once('/').ok_or_else(wrong)?;
    let count = Ratio::parse(count).map_err(|_| wrong())?;
    let Some((_, per)) = PER.iter().find(|(name, _)| *name == per) else {
        return Err(word.mistake(format!("expected a rate per s, m, h or d, found `{per}`"), None));
    };
    if u128::from(count.num) > u128::from(MAX_RATE) * u128::from(count.den) * per.unsigned_abs() as u128 {
        return Err(word.mistake(format!("expected at most {MAX_RATE} requests per second"), None));
    }
    Ok((count, *per))
}

fn unknown(word: Word<'_>) -> Mistake {
    let upper = word.text.to_ascii_uppercase();
    let method = METHODS.iter().find(|method| **method == upper).copied();
    let help = match method.or_else(|| suggest::nearest(word.text, &WORDS)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if word.text.contains('=') => "attributes are written attributes.KEY=VALUE".to_owned(),
        None => format!("the words are {}", WORDS.join(", ")),
    };
    word.mistake(format!("`{}` is not known here", word.text), Some(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { file: 0, line: 1, column: 1, width: 1 };

    fn read(text: &str) -> Line {
        parse(text, PLACE).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"))
    }

    #[test]
    fn flows() {
        let line = read("100/s POST /pay service payment latency 1.5s attributes.tier=gold for 2h");
        let What::Flow { count, per, request } = line.what else { panic!() };
        assert_eq!((count, per, line.span), (Ratio { num: 100, den: 1 }, 1, Some(7_200)));
        let expected = Pattern {
            service: Some("payment".into()),
            endpoint: Some("/pay".into()),
            method: Some("POST".into()),
            latency_ms: Some(Some(1_500.0)),
            attributes: vec![("tier".into(), "gold".into())],
            ..Pattern::default()
        };
        assert_eq!(request, expected);
        for (text, expected) in [("6_0/m", None), ("1.5/min", Some((3, 2, 60))), ("7/d", Some((7, 1, 86_400)))] {
            let got = parse(text, PLACE).ok().map(|line| match line.what {
                What::Flow { count, per, .. } => (count.num, count.den, per),
                What::Change { .. } => panic!("{text}"),
            });
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn changes() {
        let line = read("20 % 500 latency none late by 10m on /pay GET from 10m to 2026-01-05T00:25:00Z");
        let What::Change { share, effect, on } = line.what else { panic!() };
        assert_eq!(share, Ratio { num: 1, den: 5 });
        assert_eq!((effect.becomes.status, effect.becomes.latency_ms, effect.late), (Some(500), Some(None), Some(600)));
        assert_eq!((on.endpoint.as_deref(), on.method.as_deref()), (Some("/pay"), Some("GET")));
        assert_eq!(line.from, Some(Time::Since(600)));
        assert!(matches!(line.to, Some(Time::Moment(_))));
        let silence = read("silence on service payment from 1h for 5m");
        assert_eq!(silence.what, {
            let on = Pattern { service: Some("payment".into()), ..Pattern::default() };
            What::Change { share: Ratio { num: 1, den: 1 }, effect: Effect { lost: true, ..Effect::default() }, on }
        });
        assert!(matches!(read("0.5% lost").what, What::Change { share: Ratio { num: 1, den: 200 }, .. }));
    }

    #[test]
    fn mistakes_point_at_their_word() {
        let table = [
            ("hundred/s", 0, "expected a line of traffic"),
            ("100/x", 0, "per s, m, h or d"),
            ("9999999999/s", 0, "at most"),
            ("120 % 500", 0, "0 to 100"),
            ("20 %", 0, "what becomes"),
            ("20 % 700", 5, "100 to 599"),
            ("20 % 500 on /pay form 10m", 17, "`form` is not known"),
            ("20 % 500 from", 9, "after `from`"),
            ("20 % 500 from soon", 14, "found `soon`"),
            ("100/s latency 80", 14, "found `80`"),
            ("100/s for 1h to 2h", 6, "found both"),
            ("100/s from 1h from 2h", 14, "twice"),
            ("5 % late by 0s", 12, "1s to 30d"),
            ("100/s late by 5m", 6, "`late` is not known"),
            ("100/s tier=gold", 6, "not known"),
        ];
        for (text, at, message) in table {
            let mistake = parse(text, PLACE).expect_err(text);
            assert_eq!(mistake.at, at, "{text}: {mistake:?}");
            assert!(mistake.message.contains(message), "{text}: {mistake:?}");
        }
        let near = parse("20 % 500 on /pay form 10m", PLACE).expect_err("form").help;
        assert_eq!(near.as_deref(), Some("did you mean `from`?"));
        let method = parse("10/s post /", PLACE).expect_err("post").help;
        assert_eq!(method.as_deref(), Some("did you mean `POST`?"));
    }

    #[test]
    fn a_text_may_hold_several_lines() {
        assert_eq!(lines("100/s; 20 % 500\n\n é ; x"), [(0, "100/s"), (6, " 20 % 500"), (17, " é "), (21, " x")]);
    }
}
