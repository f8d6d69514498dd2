//! The fields that figures are grouped by.

use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// The fields to group by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `service`
    Service,
    /// `environment`
    Environment,
    /// `endpoint`
    Endpoint,
    /// `method`
    Method,
    /// `status_code`
    StatusCode,
    /// `status_class`
    StatusClass,
}

impl Field {
    /// Every field, for listing them.
    pub const ALL: [Field; 6] =
        [Field::Service, Field::Environment, Field::Endpoint, Field::Method, Field::StatusCode, Field::StatusClass];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Field::Service => "service",
            Field::Environment => "environment",
            Field::Endpoint => "endpoint",
            Field::Method => "method",
            Field::StatusCode => "status_code",
            Field::StatusClass => "status_class",
        }
    }

    /// Whether it is part of the tuple of dimensions, rather than of the status.
    pub fn is_dimension(self) -> bool {
        !matches!(self, Field::StatusCode | Field::StatusClass)
    }
}

impl std::str::FromStr for Field {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Field::ALL.into_iter().find(|field| field.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
            StoreError::Refused(format!("cannot group by `{text}`; use one of {}", names.join(", ")))
        })
    }
}

/// Value of a field, as part of the key of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Of a status code or class.
    Number(i64),
    /// Of the others.
    Text(String),
}
