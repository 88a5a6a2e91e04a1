//! The fields of a JSON object, taken one by one. What nobody took in the end is refused
//! unless it is known to be harmless or has its neutral value.
//!
//! **Invariant**: a refusal names its field with its whole path, `messages[2].role`.

use crate::call::CallError;
use ambar_base::ErrorCode;
use serde_json::{Map, Value};

/// Fields of a request's body that do not change the answer.
pub const HARMLESS: &[&str] = &[
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
];

/// A field that changes the answer, and the JSON of its values that do not.
pub type Neutral = (&'static str, &'static [&'static str]);

/// What is left of a request once its own fields are taken.
#[derive(Debug, Default)]
pub struct Rest {
    /// Fields that change the answer.
    pub fields: Map<String, Value>,
    /// Fields that do not.
    pub hints: Map<String, Value>,
}

/// The fields of an object that are still to be taken.
#[derive(Debug, Default)]
pub struct Fields {
    members: Map<String, Value>,
    /// The object's own path, with a point behind; empty at the top.
    prefix: String,
}

impl Fields {
    /// The fields of a body.
    pub fn top(members: Map<String, Value>) -> Self {
        Self { members, prefix: String::new() }
    }

    /// The fields of the object that stands at `path`.
    ///
    /// # Errors
    /// [`ErrorCode::RequestInvalid`] for anything but an object.
    pub fn of(value: Value, path: &str) -> Result<Self, CallError> {
        match value {
            Value::Object(members) => Ok(Self { members, prefix: format!("{path}.") }),
            _ => Err(refuse(path, "is not an object")),
        }
    }

    /// The whole path of a field.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A refusal of this field: its path, and what is wrong with it.
    pub fn refuse(&self, name: &str, what: &str) -> CallError {
        refuse(&self.path(name), what)
    }

    /// A look at a field, unless it is absent or `null`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// The field, unless it is absent or `null`.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// A text.
    ///
    /// # Errors
    /// [`ErrorCode::RequestInvalid`], here and below, for a value of another kind.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, CallError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(name, "is not a string")),
        }
    }

    /// A text that must be there and not be empty.
    pub fn required_text(&mut self, name: &str) -> Result<String, CallError> {
        let text = self.text(name)?.ok_or_else(|| self.refuse(name, "is missing"))?;
        if text.is_empty() { Err(self.refuse(name, "is empty")) } else { Ok(text) }
    }

    /// Yes or no; absent is no.
    pub fn flag(&mut self, name: &str) -> Result<bool, CallError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(self.refuse(name, "is not a boolean")),
        }
    }

    /// A natural number.
    pub fn natural(&mut self, name: &str) -> Result<Option<u64>, CallError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64();
        number.map(Some).ok_or_else(|| self.refuse(name, "is not a natural number below 2^64"))
    }

    /// A number, as a 32-bit float.
    pub fn number(&mut self, name: &str) -> Result<Option<f32>, CallError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().map(|number| number as f32);
        number.map(Some).ok_or_else(|| self.refuse(name, "is not a number"))
    }

    /// What is left: fields that change the answer, and hints, which `harmless` names. What is
    /// absent, `null` or has its `neutral` value is neither.
    pub fn rest(self, harmless: &[&str], neutral: &[Neutral]) -> Rest {
        let mut rest = Rest::default();
        let is_neutral = |name: &str, value: &Value| {
            let values = neutral.iter().find(|(field, _)| *field == name);
            values.is_some_and(|(_, values)| values.contains(&value.to_string().as_str()))
        };
        for (name, value) in self.members {
            if value.is_null() || is_neutral(&name, &value) {
                continue;
            }
            let hint = harmless.contains(&name.as_str());
            let place = if hint { &mut rest.hints } else { &mut rest.fields };
            place.insert(name, value);
        }
        rest
    }

    /// Refuses whatever is left, unless `harmless` names it or it is `neutral`.
    ///
    /// # Errors
    /// [`ErrorCode::RequestInvalid`] for the first such field.
    pub fn finish(self, harmless: &[&str], neutral: &[Neutral]) -> Result<(), CallError> {
        let known = |name: &str| harmless.contains(&name);
        let left = self.members.iter().filter(|(name, value)| !known(name) && !value.is_null());
        for (name, value) in left {
            let values = neutral.iter().find(|(field, _)| field == name).map(|(_, values)| *values);
            match values {
                Some(values) if values.contains(&value.to_string().as_str()) => (),
                Some([]) => return Err(self.refuse(name, "is not supported")),
                Some([value, ..]) => {
                    let what = format!("is not supported, except as {value}");
                    return Err(self.refuse(name, &what));
                }
                None => return Err(self.refuse(name, "is not known")),
            }
        }
        Ok(())
    }
}

/// A refusal of the field at `path`.
pub fn refuse(path: &str, what: &str) -> CallError {
    CallError::new(ErrorCode::RequestInvalid, format!("`{path}` {what}")).at(path)
}
