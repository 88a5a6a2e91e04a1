//! Reads the header of a GGUF file, so that a bad file gives a clear error
//! before a native library sees it.
//!
//! It knows the container format (GGUF versions 2 and 3, little-endian; see
//! `docs/gguf.md` of the ggml project), not what the tensors mean.
//!
//! **Invariant**: whatever the bytes are, reading ends with a header or a typed
//! error, without a panic and without memory beyond the limits.

use std::io::{self, Read};

use crate::limits::{
    GGUF_ARRAY_ELEMENTS_MAX, GGUF_DIMENSIONS_MAX, GGUF_PAIRS_MAX, GGUF_STRING_BYTES_MAX,
    GGUF_TENSORS_MAX,
};

use super::tensor_bytes::tensor_bytes;

const MAGIC: &[u8; 4] = b"GGUF";
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
const ALIGNMENT_DEFAULT: u64 = 32;

/// What is wrong with a header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The first four bytes are not `GGUF`.
    #[error("it does not begin with `GGUF`")]
    NotGguf,
    /// A version that this reader does not know (big-endian files look so too).
    #[error("version {0}, known are 2 and 3")]
    Version(u32),
    /// The file ends before its contents do.
    #[error("it is truncated: {needed} bytes are needed, it has {have}")]
    Truncated {
        /// Bytes that the header asks for, at least.
        needed: u64,
        /// Length of the file.
        have: u64,
    },
    /// A number in the header is beyond a limit.
    #[error("{what} {value} is beyond {max}")]
    Limit {
        /// Which number.
        what: &'static str,
        /// What the header says.
        value: u64,
        /// What is allowed.
        max: u64,
    },
    /// A value type that the format does not have (or an array of arrays).
    #[error("value type {0} is unknown")]
    ValueType(u32),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// A key that every model has is missing or of another type.
    #[error("`{0}` is missing or of the wrong type")]
    Key(&'static str),
    /// The alignment is not a power of two.
    #[error("alignment {0} is not a power of two")]
    Alignment(u64),
    /// The file cannot be read.
    #[error("{0}")]
    Io(io::Error),
}

/// What the header says about the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `general.architecture`, `llama` for example.
    pub architecture: String,
    /// `general.name`.
    pub name: Option<String>,
    /// `{architecture}.context_length`: the context it was trained for, in tokens.
    pub context_tokens: Option<u32>,
    /// `{architecture}.embedding_length`.
    pub embedding_width: Option<u32>,
    /// Whether `tokenizer.chat_template` is there.
    pub has_chat_template: bool,
    /// How many tensors there are.
    pub tensors: u64,
    /// What the memory of a context depends on.
    pub shape: Shape,
}

/// The sizes of a model on which the memory of a context depends. Numbers that
/// a file gives per layer, or not at all, are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// `{architecture}.block_count`.
    pub layers: Option<u32>,
    /// `{architecture}.attention.head_count`.
    pub heads: Option<u32>,
    /// `{architecture}.attention.head_count_kv`.
    pub heads_kv: Option<u32>,
    /// `{architecture}.attention.key_length`.
    pub key_length: Option<u32>,
    /// `{architecture}.attention.value_length`.
    pub value_length: Option<u32>,
    /// Tokens of the vocabulary: the length of `tokenizer.ggml.tokens`.
    pub vocabulary: Option<u32>,
}

/// Reads the header of a file that is `file_bytes` long, and checks that the
/// file is long enough for every tensor that the header lists.
pub fn read_header(reader: impl Read, file_bytes: u64) -> Result<Header, HeaderError> {
    let mut source = Source { reader, at: 0, file_bytes };
    if &source.magic()? != MAGIC {
        return Err(HeaderError::NotGguf);
    }
    let version = source.u32()?;
    if !VERSIONS.contains(&version) {
        return Err(HeaderError::Version(version));
    }
    let tensors = source.limited("tensor count", GGUF_TENSORS_MAX)?;
    let pairs = source.limited("pair count", GGUF_PAIRS_MAX)?;
    let mut found = Found::default();
    for _ in 0..pairs {
        let key = source.string()?;
        let value = source.value()?;
        found.take(&key, value);
    }
    let alignment = found.alignment.unwrap_or(ALIGNMENT_DEFAULT);
    if !alignment.is_power_of_two() {
        return Err(HeaderError::Alignment(alignment));
    }
    source.check_tensors(tensors, alignment)?;
    found.into_header(tensors)
}

/// A value of the header, as far as anybody here wants to know it.
enum Value {
    Number(u64),
    Text(String),
    /// An array of so many elements.
    Array(u64),
    Other,
}

#[derive(Default)]
struct Found {
    architecture: Option<String>,
    name: Option<String>,
    alignment: Option<u64>,
    has_chat_template: bool,
    vocabulary: Option<u64>,
    /// Lengths and counts by their full key; there is one architecture, so there
    /// are few.
    numbers: Vec<(String, u64)>,
}

impl Found {
    fn take(&mut self, key: &str, value: Value) {
        match (key, value) {
            ("general.architecture", Value::Text(text)) => self.architecture = Some(text),
            ("general.name", Value::Text(text)) => self.name = Some(text),
            ("general.alignment", Value::Number(number)) => self.alignment = Some(number),
            ("tokenizer.chat_template", Value::Text(_)) => self.has_chat_template = true,
            ("tokenizer.ggml.tokens", Value::Array(length)) => self.vocabulary = Some(length),
            (key, Value::Number(number))
                if ["_length", "_count", "_count_kv"].iter().any(|end| key.ends_with(end)) =>
            {
                self.numbers.push((key.to_owned(), number));
            }
            _ => {}
        }
    }

    fn number(&self, architecture: &str, what: &str) -> Option<u32> {
        let key = format!("{architecture}.{what}");
        let (_, number) = self.numbers.iter().find(|(name, _)| *name == key)?;
        u32::try_from(*number).ok()
    }

    fn shape(&self, architecture: &str) -> Shape {
        let number = |what| self.number(architecture, what);
        Shape {
            layers: number("block_count"),
            heads: number("attention.head_count"),
            heads_kv: number("attention.head_count_kv"),
            key_length: number("attention.key_length"),
            value_length: number("attention.value_length"),
            vocabulary: self.vocabulary.and_then(|length| u32::try_from(length).ok()),
        }
    }

    fn into_header(self, tensors: u64) -> Result<Header, HeaderError> {
        let architecture =
            self.architecture.clone().ok_or(HeaderError::Key("general.architecture"))?;
        Ok(Header {
            context_tokens: self.number(&architecture, "context_length"),
            embedding_width: self.number(&architecture, "embedding_length"),
            shape: self.shape(&architecture),
            architecture,
            name: self.name,
            has_chat_template: self.has_chat_template,
            tensors,
        })
    }
}

/// The bytes of the header, read forward only.
struct Source<R> {
    reader: R,
    at: u64,
    file_bytes: u64,
}

impl<R: Read> Source<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        self.room(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|e| self.io(e))?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// Refuses to read beyond the file's end.
    fn room(&self, bytes: u64) -> Result<(), HeaderError> {
        let needed = self.at.saturating_add(bytes);
        if needed > self.file_bytes {
            return Err(HeaderError::Truncated { needed, have: self.file_bytes });
        }
        Ok(())
    }

    /// The file may have been cut since its length was taken.
    fn io(&self, error: io::Error) -> HeaderError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return HeaderError::Truncated { needed: self.file_bytes, have: self.at };
        }
        HeaderError::Io(error)
    }

    fn magic(&mut self) -> Result<[u8; 4], HeaderError> {
        // Too short for the magic is no GGUF either, and says more.
        self.bytes().map_err(|e| match e {
            HeaderError::Truncated { .. } => HeaderError::NotGguf,
            other => other,
        })
    }

    fn u32(&mut self) -> Result<u32, HeaderError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, HeaderError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn limited(&mut self, what: &'static str, max: u64) -> Result<u64, HeaderError> {
        let value = self.u64()?;
        if value > max {
            return Err(HeaderError::Limit { what, value, max });
        }
        Ok(value)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), HeaderError> {
        self.room(bytes)?;
        let mut part = self.reader.by_ref().take(bytes);
        let skipped = io::copy(&mut part, &mut io::sink()).map_err(HeaderError::Io)?;
        self.at += skipped;
        if skipped < bytes {
            return Err(HeaderError::Truncated { needed: self.file_bytes, have: self.at });
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, HeaderError> {
        let length = self.limited("text length", GGUF_STRING_BYTES_MAX)?;
        self.room(length)?;
        let mut bytes = Vec::new();
        self.reader.by_ref().take(length).read_to_end(&mut bytes).map_err(HeaderError::Io)?;
        self.at += bytes.len() as u64;
        if (bytes.len() as u64) < length {
            return Err(HeaderError::Truncated { needed: self.file_bytes, have: self.at });
        }
        String::from_utf8(bytes).map_err(|_| HeaderError::Text)
    }

    fn value(&mut self) -> Result<Value, HeaderError> {
        match self.u32()? {
            4 => Ok(Value::Number(u64::from(self.u32()?))),
            10 => Ok(Value::Number(self.u64()?)),
            8 => Ok(Value::Text(self.string()?)),
            9 => self.skip_array(),
            scalar => {
                self.skip(scalar_bytes(scalar)?)?;
                Ok(Value::Other)
            }
        }
    }

    fn skip_array(&mut self) -> Result<Value, HeaderError> {
        let element = self.u32()?;
        let count = self.limited("array length", GGUF_ARRAY_ELEMENTS_MAX)?;
        if element == 8 {
            for _ in 0..count {
                let length = self.limited("text length", GGUF_STRING_BYTES_MAX)?;
                self.skip(length)?;
            }
        } else {
            self.skip(scalar_bytes(element)? * count)?;
        }
        Ok(Value::Array(count))
    }

    fn check_tensors(&mut self, tensors: u64, alignment: u64) -> Result<(), HeaderError> {
        let mut data_bytes = 0;
        for _ in 0..tensors {
            data_bytes = data_bytes.max(self.tensor_end()?);
        }
        if tensors == 0 {
            return Ok(());
        }
        let data_at = self.at.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
        let needed = data_at.saturating_add(data_bytes);
        if needed > self.file_bytes {
            return Err(HeaderError::Truncated { needed, have: self.file_bytes });
        }
        Ok(())
    }

    /// Where a tensor ends, counted from the beginning of the tensor data.
    fn tensor_end(&mut self) -> Result<u64, HeaderError> {
        self.string()?;
        let dimensions = self.u32()?;
        if dimensions > GGUF_DIMENSIONS_MAX {
            let max = u64::from(GGUF_DIMENSIONS_MAX);
            return Err(HeaderError::Limit { what: "dimensions", value: dimensions.into(), max });
        }
        let mut elements: u64 = 1;
        for _ in 0..dimensions {
            elements = elements.saturating_mul(self.u64()?);
        }
        let kind = self.u32()?;
        let offset = self.u64()?;
        Ok(offset.saturating_add(tensor_bytes(kind, elements)))
    }
}

/// Bytes of a scalar of a value type of the format.
fn scalar_bytes(value_type: u32) -> Result<u64, HeaderError> {
    match value_type {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        4..=6 => Ok(4),
        10..=12 => Ok(8),
        other => Err(HeaderError::ValueType(other)),
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
pub(super) mod tests;
