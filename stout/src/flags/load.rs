//! From the text of one flag to its value and back: which types a flag can have, and which
//! texts are read out of a file first. Called by `parse.rs`; programs add types of their own
//! (a message given as JSON) by implementing [`FlagValue`].
//! Never opens a file: a [`Files`] does.
//! Upstream: `flags::fetch`, `flags::parse<T>`, `stringify`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::bytes::{Bytes, BytesError};
use crate::duration::{self, DurationError};
use crate::flags::BoxedError;
use crate::json::{self, ParseError};
use crate::number::{Number, print_double};

/// Reads the files that flags name.
pub trait Files {
    /// The whole file; its error says what failed, for instance
    /// `Failed to open file '/x': No such file or directory`.
    fn read(&self, path: &str) -> Result<String, BoxedError>;
}

impl<F: Fn(&str) -> Result<String, BoxedError>> Files for F {
    fn read(&self, path: &str) -> Result<String, BoxedError> {
        self(path)
    }
}

/// Why a text is no value for a flag.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// No number of the flag's kind.
    #[error("Failed to convert into required type")]
    Convert,
    /// Neither `true` nor `false`, `1` nor `0`.
    #[error("Expecting a boolean (e.g., true or false)")]
    Boolean,
    /// No length of time.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// No size.
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// No JSON, or not of the kind that is needed.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// The file that holds the value could not be read.
    #[error("Error reading file '{path}': {error}")]
    Read {
        /// The file.
        path: String,
        /// What its reader says.
        error: BoxedError,
    },
    /// A type of the program's own does not take it.
    #[error(transparent)]
    Other(BoxedError),
}

/// Whether a flag's text may name a file that holds the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileNames {
    /// Never: the text itself is wanted, as for paths.
    Literal,
    /// `file://<path>` does.
    Uri,
    /// So does a text that starts with `/`, which is deprecated (all kinds of JSON).
    UriOrAbsolute,
}

/// A type that a flag can have, by itself or as an `Option` of it.
pub trait FlagValue: Sized {
    /// Whether the flag can stand without a value and as `--no-<name>`.
    const IS_BOOLEAN: bool = false;
    /// Which texts name a file.
    const FILE_NAMES: FileNames = FileNames::Uri;

    /// Reads the text, which came from the operator or out of a file.
    fn parse(text: &str) -> Result<Self, ValueError>;

    /// Prints the value as it appears in help, in the log and on the flags page.
    fn print(&self) -> String;
}

/// Where a flag's value is kept: a field, with its type forgotten.
pub trait Place {
    /// See [`FlagValue::IS_BOOLEAN`].
    fn is_boolean(&self) -> bool;
    /// See [`FlagValue::FILE_NAMES`].
    fn file_names(&self) -> FileNames;
    /// Replaces the value.
    fn set(&mut self, text: &str) -> Result<(), ValueError>;
    /// The value as it is shown; `None` while there is none.
    fn print(&self) -> Option<String>;
}

impl<V: FlagValue> Place for V {
    fn is_boolean(&self) -> bool {
        V::IS_BOOLEAN
    }

    fn file_names(&self) -> FileNames {
        V::FILE_NAMES
    }

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        *self = V::parse(text)?;
        Ok(())
    }

    fn print(&self) -> Option<String> {
        Some(FlagValue::print(self))
    }
}

impl<V: FlagValue> Place for Option<V> {
    fn is_boolean(&self) -> bool {
        V::IS_BOOLEAN
    }

    fn file_names(&self) -> FileNames {
        V::FILE_NAMES
    }

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        *self = Some(V::parse(text)?);
        Ok(())
    }

    fn print(&self) -> Option<String> {
        self.as_ref().map(FlagValue::print)
    }
}

/// How a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileName {
    /// The text was the value.
    None,
    /// The value was in a file, named with `file://`.
    Uri,
    /// The value was in a file, named by its path alone.
    BarePath,
}

/// Sets a flag from its text, or from the file that the text names.
pub(crate) fn load(
    place: &mut dyn Place,
    text: &str,
    files: &dyn Files,
) -> Result<FileName, ValueError> {
    let (path, file_name) = match (place.file_names(), text.strip_prefix("file://")) {
        (FileNames::Uri | FileNames::UriOrAbsolute, Some(path)) => (path, FileName::Uri),
        (FileNames::UriOrAbsolute, None) if text.starts_with('/') => (text, FileName::BarePath),
        _ => {
            place.set(text)?;
            return Ok(FileName::None);
        }
    };
    let contents =
        files.read(path).map_err(|error| ValueError::Read { path: path.to_string(), error })?;
    place.set(&contents)?;
    Ok(file_name)
}

// === impl FlagValue ===

impl FlagValue for bool {
    const IS_BOOLEAN: bool = true;

    fn parse(text: &str) -> Result<bool, ValueError> {
        match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(ValueError::Boolean),
        }
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl FlagValue for String {
    fn parse(text: &str) -> Result<String, ValueError> {
        Ok(text.to_string())
    }

    fn print(&self) -> String {
        self.clone()
    }
}

impl FlagValue for PathBuf {
    const FILE_NAMES: FileNames = FileNames::Literal;

    fn parse(text: &str) -> Result<PathBuf, ValueError> {
        Ok(PathBuf::from(text))
    }

    fn print(&self) -> String {
        self.display().to_string()
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl FlagValue for $integer {
            fn parse(text: &str) -> Result<$integer, ValueError> {
                <$integer>::from_decimal(skip_blanks(text)).ok_or(ValueError::Convert)
            }

            fn print(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
integers!(u16 u32 u64 usize i16 i32 i64 isize);

impl FlagValue for f64 {
    fn parse(text: &str) -> Result<f64, ValueError> {
        let value = f64::from_decimal(skip_blanks(text)).ok_or(ValueError::Convert)?;
        if value.is_finite() { Ok(value) } else { Err(ValueError::Convert) }
    }

    fn print(&self) -> String {
        const STREAM_DIGITS: usize = 6;
        print_double(*self, STREAM_DIGITS)
    }
}

impl FlagValue for Duration {
    fn parse(text: &str) -> Result<Duration, ValueError> {
        Ok(duration::parse(text)?)
    }

    fn print(&self) -> String {
        duration::display(*self).to_string()
    }
}

impl FlagValue for Bytes {
    fn parse(text: &str) -> Result<Bytes, ValueError> {
        Ok(text.parse()?)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl FlagValue for Map<String, Value> {
    const FILE_NAMES: FileNames = FileNames::UriOrAbsolute;

    fn parse(text: &str) -> Result<Map<String, Value>, ValueError> {
        Ok(json::parse_object(text)?)
    }

    fn print(&self) -> String {
        json::to_string(self)
    }
}

/// COMPAT: a C++ stream skips blanks before a number, but not behind it; held by
/// `flags::tests::numbers_may_follow_blanks`.
fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}
