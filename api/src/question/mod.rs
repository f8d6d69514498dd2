//! Typed questions out of a request: its query string and the variable parts of its path.
//!
//! A [`Question`] reads its parameters one by one from an [`Asking`], which notes every mistake and goes on. The parameters
//! that it asked for are the ones there are: any other one in the request is a mistake, and the OpenAPI document lists
//! the same ones ([`documented`]). So neither can drift from what is read.

mod param;
mod text;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use slipstream_runtime::config::nearest;

use crate::refusal::Mistake;

pub use param::{Documented, Param, Place};
pub use values::{
    Choice, EndpointName, Length, Limit, Millis, Name, StatusClass, StatusCode, Text, Time, TraceId, Value, Yes,
};

/// Parameters with names of the asker's: no event has more attributes, and no SLO more labels.
const MOST_NAMED: usize = 32;
/// Bytes of such a name.
const NAMED: usize = 64;

fn is_name(name: &str) -> bool {
    name.len() <= NAMED && !name.chars().any(char::is_control)
}

fn wrong_name(prefix: &str) -> String {
    format!("expected a name of {NAMED} bytes at most, without control characters, after `{prefix}`")
}

/// Parameters of a request, as they were sent.
pub type Pairs = Vec<(String, String)>;

/// What a request can ask.
pub trait Question: Sized + Send + 'static {
    /// Reads every parameter there is, whatever the others are: the list of what was read is the list of parameters.
    /// What is wrong is noted, and has any value here: the question is not asked then.
    fn read(asking: &mut Asking) -> Self;
}

/// No parameters at all.
impl Question for () {
    fn read(_: &mut Asking) -> Self {}
}

/// A request that is being read.
pub struct Asking {
    path: Pairs,
    query: Pairs,
    asked: Vec<Documented>,
    mistakes: Vec<Mistake>,
}

/// Reads a question from the parts of a path and a query string.
///
/// # Errors
/// Every mistake there is.
pub fn read<Q: Question>(path: Pairs, query: &str) -> Result<Q, Vec<Mistake>> {
    let mut asking = Asking { path, query: Vec::new(), asked: Vec::new(), mistakes: Vec::new() };
    match text::pairs(query) {
        Ok(pairs) => asking.query = pairs,
        Err(mistakes) => asking.mistakes = mistakes,
    }
    let question = Q::read(&mut asking);
    let mistakes = asking.finish();
    if mistakes.is_empty() { Ok(question) } else { Err(mistakes) }
}

/// The parameters of a question, in the order in which it reads them.
pub fn documented<Q: Question>() -> Vec<Documented> {
    let mut asking = Asking { path: Vec::new(), query: Vec::new(), asked: Vec::new(), mistakes: Vec::new() };
    Q::read(&mut asking);
    asking.asked
}

impl Asking {
    /// A part of the path. It is there, or the route would not have been found.
    pub fn path<T: Value + Default>(&mut self, param: &Param<T>) -> T {
        self.asked.push(param.documented(Place::Path));
        let sent = self.path.iter().find(|(name, _)| name == param.name).map(|(_, value)| value.clone());
        sent.and_then(|sent| self.value(param.name, &sent)).unwrap_or_default()
    }

    /// A parameter that may be given once.
    pub fn one<T: Value>(&mut self, param: &Param<T>) -> Option<T> {
        self.asked.push(param.documented(Place::Query));
        let sent = self.take(param.name);
        if sent.len() > 1 {
            self.complain(param.name, format!("given {} times; give it once", sent.len()));
        }
        sent.first().and_then(|sent| self.value(param.name, sent))
    }

    /// A parameter that may be given several times, or once with commas between its values.
    pub fn all<T: Value>(&mut self, param: &Param<T>) -> Vec<T> {
        self.asked.push(param.documented(Place::Repeated));
        let sent = self.take(param.name);
        let words: Vec<&str> = sent.iter().flat_map(|sent| sent.split(',')).collect();
        words.into_iter().filter_map(|word| self.value(param.name, word)).collect()
    }

    /// `PREFIX.NAME=VALUE` with a name of the asker's, as many as an event may have attributes.
    pub fn named(&mut self, prefix: &str, param: &Param<Text>) -> BTreeMap<String, String> {
        self.asked.push(param.documented(Place::Query));
        let (named, rest) = std::mem::take(&mut self.query).into_iter().partition(|(name, _)| name.starts_with(prefix));
        self.query = rest;
        let mut found = BTreeMap::new();
        for (name, value) in Pairs::into_iter(named) {
            match &name[prefix.len()..] {
                "" => self.complain(&name, format!("expected the name after `{prefix}`")),
                of if !is_name(of) => self.complain(&name, wrong_name(prefix)),
                of if found.contains_key(of) => self.complain(&name, "given twice; give it once".to_owned()),
                of => {
                    if let Some(Text(text)) = self.value(&name, &value) {
                        found.insert(of.to_owned(), text);
                    }
                }
            }
        }
        if found.len() > MOST_NAMED {
            self.complain(param.name, format!("{} of them; give {MOST_NAMED} at most", found.len()));
        }
        found
    }

    /// Notes a mistake, also one that only several parameters together make.
    pub fn complain(&mut self, parameter: &str, message: String) {
        self.mistakes.push(Mistake::new(parameter, message));
    }

    fn take(&mut self, name: &str) -> Vec<String> {
        let (taken, rest): (Pairs, Pairs) = std::mem::take(&mut self.query).into_iter().partition(|(n, _)| n == name);
        self.query = rest;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    fn value<T: Value>(&mut self, name: &str, sent: &str) -> Option<T> {
        match T::read(sent) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.complain(name, format!("{expected}, found {}", text::quoted(sent)));
                None
            }
        }
    }

    /// Every mistake, unknown parameters among them.
    fn finish(mut self) -> Vec<Mistake> {
        let names: Vec<&str> = self.asked.iter().filter(|p| p.place != Place::Path).map(|p| p.name).collect();
        for (name, _) in &self.query {
            let hint = match nearest(name, names.iter().copied()) {
                Some(near) => format!("unknown parameter; did you mean `{near}`?"),
                None if names.is_empty() => "unknown parameter; there are none here".to_owned(),
                None => format!("unknown parameter; known: {}", names.join(", ")),
            };
            self.mistakes.push(Mistake::new(name, hint));
        }
        self.mistakes
    }
}
