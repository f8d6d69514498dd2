//! What an alert holds back while it fires, as its rule names it. It travels with the alert, in an annotation: so whoever
//! reads the alert knows it, in any version, and the rule need not be looked up.

use std::fmt;

/// The annotation of an alert, and of an AlertPolicy or AlertCondition.
pub const ANNOTATION: &str = "slipstream.dev/inhibits";

const SEVERITIES: &str = "severities=";
const DEPENDANTS: &str = "dependants";

/// What an alert holds back while it fires.
///
/// ```
/// use slipstream_definitions::inhibits::Inhibits;
///
/// let inhibits = Inhibits::parse("severities=ticket,info; dependants")?;
/// assert!(inhibits.dependants && inhibits.holds_severity("Ticket"));
/// assert_eq!(inhibits.to_string(), "severities=ticket,info; dependants");
/// # Ok::<(), slipstream_definitions::inhibits::InhibitsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inhibits {
    /// Alerts of its SLO that have one of these severities.
    pub severities: Vec<String>,
    /// Alerts of services that depend on its service.
    pub dependants: bool,
}

/// Why a text does not say what is held back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InhibitsError {
    /// It says nothing.
    #[error("expected `severities=ticket,info`, `dependants`, or both with `;` between")]
    Nothing,
    /// A part of it is something else.
    #[error("`{0}`: expected `severities=ticket,info` or `dependants`")]
    Unknown(String),
    /// A severity has no name, or one that this text cannot hold.
    #[error("`{0}`: expected the name of a severity, without `,` and `;`")]
    Severity(String),
}

impl Inhibits {
    /// Reads the text of an annotation.
    ///
    /// # Errors
    /// The first part of it that is wrong.
    pub fn parse(text: &str) -> Result<Inhibits, InhibitsError> {
        let mut inhibits = Inhibits::default();
        for part in parts(text) {
            inhibits.add(part)?;
        }
        if inhibits == Inhibits::default() { Err(InhibitsError::Nothing) } else { Ok(inhibits) }
    }

    /// What an alert in the log says. What this version does not know holds nothing back.
    pub fn of_alert(text: &str) -> Inhibits {
        let mut inhibits = Inhibits::default();
        for part in parts(text) {
            let _ = inhibits.add(part);
        }
        inhibits
    }

    fn add(&mut self, part: &str) -> Result<(), InhibitsError> {
        if part == DEPENDANTS {
            self.dependants = true;
            return Ok(());
        }
        let names = part.strip_prefix(SEVERITIES).ok_or_else(|| InhibitsError::Unknown(part.to_owned()))?;
        for name in names.split(',').map(str::trim) {
            self.severities.push(severity(name)?);
        }
        Ok(())
    }

    /// Whether alerts of its SLO with this severity are held back.
    pub fn holds_severity(&self, severity: &str) -> bool {
        self.severities.iter().any(|held| held.eq_ignore_ascii_case(severity))
    }
}

/// The name of a severity.
///
/// # Errors
/// When it is empty, or the text of an annotation cannot hold it.
pub fn severity(name: &str) -> Result<String, InhibitsError> {
    let fits =
        !name.is_empty() && name.trim() == name && !name.contains([',', ';']) && !name.contains(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(InhibitsError::Severity(name.to_owned())) }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty())
}

impl fmt::Display for Inhibits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severities = (!self.severities.is_empty()).then(|| format!("{SEVERITIES}{}", self.severities.join(",")));
        let dependants = self.dependants.then(|| DEPENDANTS.to_owned());
        f.write_str(&severities.into_iter().chain(dependants).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_is_held_back_or_what_is_wrong_with_it() {
        let cases = [
            ("severities=ticket", Ok("severities=ticket")),
            (" dependants ;severities= ticket , Sev 3 ", Ok("severities=ticket,Sev 3; dependants")),
            ("dependants;", Ok("dependants")),
            ("", Err(InhibitsError::Nothing)),
            ("severities=", Err(InhibitsError::Severity(String::new()))),
            ("severities=a,,b", Err(InhibitsError::Severity(String::new()))),
            ("dependents", Err(InhibitsError::Unknown("dependents".to_owned()))),
        ];
        for (text, want) in cases {
            let found = Inhibits::parse(text).map(|inhibits| inhibits.to_string());
            assert_eq!(found, want.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_understood_as_far_as_it_goes() {
        let inhibits = Inhibits::of_alert("severities=ticket; regions=eu; dependants");
        assert_eq!(inhibits.to_string(), "severities=ticket; dependants");
        assert_eq!(Inhibits::of_alert("regions=eu"), Inhibits::default());
    }
}
