//! A parameter: its name, what it means, and what its values look like.

use std::marker::PhantomData;

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::openapi::{RefOr, Required};

use super::values::Value;

/// A parameter whose values are of a type.
pub struct Param<T> {
    /// Its name.
    pub name: &'static str,
    about: &'static str,
    example: &'static str,
    default: Option<&'static str>,
    of: PhantomData<fn() -> T>,
}

impl<T: Value> Param<T> {
    /// What it is called, what it means, and a value that works.
    pub const fn new(name: &'static str, about: &'static str, example: &'static str) -> Self {
        Param { name, about, example, default: None, of: PhantomData }
    }

    /// What holds if it is not given, for the document.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Param { default: Some(default), ..self }
    }

    /// As the document has it.
    pub(super) fn documented(&self, place: Place) -> Documented {
        let Param { name, about, example, default, .. } = *self;
        Documented { name, about, example, default, place, schema: T::schema() }
    }
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path: always there.
    Path,
    /// In the query string, once.
    Query,
    /// In the query string, any number of times.
    Repeated,
}

/// A parameter for the document.
pub struct Documented {
    /// Its name.
    pub name: &'static str,
    about: &'static str,
    example: &'static str,
    default: Option<&'static str>,
    /// Where it stands.
    pub place: Place,
    schema: Schema,
}

impl Documented {
    /// As OpenAPI has it.
    pub fn parameter(&self) -> Parameter {
        let schema = match self.place {
            Place::Repeated => {
                RefOr::T(Schema::Array(ArrayBuilder::new().items(RefOr::T(self.schema.clone())).build()))
            }
            Place::Path | Place::Query => RefOr::T(self.schema.clone()),
        };
        let example = match self.place {
            Place::Repeated => serde_json::json!([self.example]),
            Place::Path | Place::Query => self.typed(self.example),
        };
        let about = match self.default {
            Some(default) => format!("{}. Default: {default}", self.about),
            None => self.about.to_owned(),
        };
        let (place, required) = match self.place {
            Place::Path => (ParameterIn::Path, Required::True),
            Place::Query | Place::Repeated => (ParameterIn::Query, Required::False),
        };
        let parameter = ParameterBuilder::new().name(self.name).parameter_in(place).required(required);
        let parameter = parameter.description(Some(about)).schema(Some(schema)).example(Some(example));
        match self.place {
            Place::Repeated => parameter.style(Some(ParameterStyle::Form)).explode(Some(true)).build(),
            Place::Path | Place::Query => parameter.build(),
        }
    }

    /// Numbers and booleans as such: an example has to fit its schema.
    fn typed(&self, text: &str) -> serde_json::Value {
        use utoipa::openapi::schema::{SchemaType, Type};
        let is_text = |schema: &Schema| match schema {
            Schema::Object(object) => object.schema_type == SchemaType::Type(Type::String),
            _ => true,
        };
        let as_text = || serde_json::Value::String(text.to_owned());
        if is_text(&self.schema) { as_text() } else { serde_json::from_str(text).unwrap_or_else(|_| as_text()) }
    }
}
