//! From a command line and an environment to a program's flags.
//! Called by each program's `main` and, with the environment alone, by the drivers.
//! Reads neither by itself, never prints and never exits: the program decides.
//! Upstream: `FlagsBase::load`, `FlagsBase::extract`, `operator<<(std::ostream&, FlagsBase)`.

use std::collections::BTreeMap;
use std::fmt;

use crate::flags::load::{FileName, Files, ValueError, load};
use crate::flags::{BoxedError, Declaration, Flags, Group, WithHelp, declarations};
use crate::json::{Slot, ToJson};
use crate::text::trim;

/// Why flags could not be loaded; the text is for the operator, usually above the usage.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Typed twice.
    #[error("Duplicate flag '{0}' on command line")]
    Duplicate(String),
    /// There is no such flag.
    #[error("Failed to load unknown flag '{0}'")]
    Unknown(String),
    /// There is no such flag to be negated.
    #[error("Failed to load unknown flag '{0}' via 'no-{0}'")]
    UnknownNegated(String),
    /// Typed without a value.
    #[error("Failed to load non-boolean flag '{0}': Missing value")]
    MissingValue(&'static str),
    /// Only booleans can be negated.
    #[error("Failed to load non-boolean flag '{0}' via 'no-{0}'")]
    NotBoolean(&'static str),
    /// Negated and given a value at once.
    #[error("Failed to load boolean flag '{name}' via 'no-{name}' with value '{text}'")]
    NegatedWithValue {
        /// The flag without its `no-`.
        name: &'static str,
        /// The value.
        text: String,
    },
    /// The value is not of the flag's type.
    #[error("Failed to load flag '{name}': Failed to load value '{text}': {error}")]
    Value {
        /// The flag.
        name: &'static str,
        /// The value as it was typed.
        text: String,
        /// What is wrong with it.
        error: ValueError,
    },
    /// A check of the program's own failed ([`Flag::checked`](crate::flags::Flag::checked)).
    #[error(transparent)]
    Invalid(BoxedError),
}

/// What was loaded.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The program's flags.
    pub flags: T,
    /// Whether `--help` was given.
    pub help: bool,
    /// All flags that have a value, for the log and the flags page.
    pub shown: Shown,
    /// The last part of the first argument's path; empty without arguments.
    pub program: String,
    /// What was typed besides flags, and all that followed `--`; without the program.
    pub arguments: Vec<String>,
    /// Flags whose value named a file by its bare path, which the program should warn about:
    /// `file://` is to be put before it.
    pub deprecated_paths: Vec<&'static str>,
}

/// Names and texts of all flags that have a value, by name. Nothing is hidden.
/// Prints as `--name="text"`, with blanks between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(BTreeMap<&'static str, String>);

impl Shown {
    /// Name and text of each flag, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// The text of one flag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, text)) in self.iter().enumerate() {
            let separator = if position == 0 { "" } else { " " };
            write!(f, "{separator}--{name}=\"{text}\"")?;
        }
        Ok(())
    }
}

impl ToJson for Shown {
    fn to_json(&self, slot: Slot<'_>) {
        self.0.to_json(slot);
    }
}

/// How to load: where values come from and what is let pass.
pub struct Loader<'a> {
    files: &'a dyn Files,
    environment: Vec<(String, String)>,
    refuses_unknown: bool,
    refuses_duplicates: bool,
}

impl<'a> Loader<'a> {
    /// Takes the command line only, refuses unknown and duplicate flags.
    pub fn new(files: &'a dyn Files) -> Loader<'a> {
        Loader { files, environment: Vec::new(), refuses_unknown: true, refuses_duplicates: true }
    }

    /// Also takes variables that begin with the prefix: `MESOS_x` and `MESOS_X` are flag `x`.
    /// Others are ignored; what the command line says of a flag comes first.
    pub fn environment(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Loader<'a> {
        for (variable, text) in variables {
            if let Some(name) = variable.strip_prefix(prefix) {
                self.environment.push((name.to_string(), text));
            }
        }
        self.environment.sort();
        self
    }

    /// Ignores flags that do not exist (not so their `--no-` form).
    pub fn ignore_unknown(mut self) -> Loader<'a> {
        self.refuses_unknown = false;
        self
    }

    /// Takes the last one of duplicate flags.
    pub fn ignore_duplicates(mut self) -> Loader<'a> {
        self.refuses_duplicates = false;
        self
    }

    /// Loads and checks the flags. The first argument is the program; of several errors the
    /// one whose flag comes first in the alphabet is returned.
    pub fn load<T: Flags>(&self, arguments: &[String]) -> Result<Loaded<T>, LoadError> {
        let declared = declarations::<T>();
        let mut typed = self.split(arguments)?;
        self.add_environment(&declared, &mut typed.settings);

        let mut loaded = WithHelp::<T>::default();
        let deprecated_paths = self.apply(&mut loaded, &declared, typed.settings)?;
        let mut failed = BTreeMap::new();
        loaded.check(&mut failed);
        if let Some((_, error)) = failed.pop_first() {
            return Err(LoadError::Invalid(error));
        }
        Ok(Loaded {
            shown: shown(&mut loaded),
            help: loaded.help,
            flags: loaded.flags,
            program: program_name(arguments).to_string(),
            arguments: typed.rest,
            deprecated_paths,
        })
    }

    fn split(&self, arguments: &[String]) -> Result<Typed, LoadError> {
        let mut settings = Settings::new();
        let mut rest = Vec::new();
        let mut arguments = arguments.iter().skip(1);
        while let Some(argument) = arguments.next() {
            match trim(argument).strip_prefix("--") {
                Some("") => rest.extend(arguments.by_ref().cloned()),
                None => rest.push(argument.clone()),
                Some(setting) => {
                    let (name, text) = match setting.split_once('=') {
                        Some((name, text)) => (name, Some(text.to_string())),
                        None => (setting, None),
                    };
                    let name = name.to_ascii_lowercase();
                    let positive = name.strip_prefix("no-").unwrap_or(&name);
                    let is_duplicate =
                        settings.contains_key(&name) || settings.contains_key(positive);
                    if is_duplicate && self.refuses_duplicates {
                        return Err(LoadError::Duplicate(name));
                    }
                    settings.insert(name, text);
                }
            }
        }
        Ok(Typed { settings, rest })
    }

    fn add_environment(&self, declared: &Declared, settings: &mut Settings) {
        let mut from_environment = Settings::new();
        for (name, text) in &self.environment {
            let name = name.to_ascii_lowercase();
            let positive = name.strip_prefix("no-").unwrap_or(&name);
            let is_typed =
                settings.contains_key(positive) || settings.contains_key(&format!("no-{positive}"));
            if declared.contains_key(positive) && !is_typed {
                from_environment.insert(name, Some(text.clone()));
            }
        }
        settings.append(&mut from_environment);
    }

    /// Gives each setting to its flag, in the order of names as they were typed. Returns the
    /// flags whose value named a file by its bare path.
    fn apply(
        &self,
        flags: &mut dyn Group,
        declared: &Declared,
        settings: Settings,
    ) -> Result<Vec<&'static str>, LoadError> {
        let mut deprecated_paths = Vec::new();
        for (name, text) in settings {
            let (flag, text) = match (declared.get(name.as_str()), name.strip_prefix("no-")) {
                (Some(flag), _) => (flag, positive_text(flag, text)?),
                (None, Some(positive)) => match declared.get(positive) {
                    Some(flag) => (flag, negated_text(flag, text)?),
                    None => return Err(LoadError::UnknownNegated(positive.to_string())),
                },
                (None, None) if self.refuses_unknown => return Err(LoadError::Unknown(name)),
                (None, None) => continue,
            };
            if self.assign(flags, flag.name, text)? == FileName::BarePath {
                deprecated_paths.push(flag.name);
            }
        }
        Ok(deprecated_paths)
    }

    fn assign(
        &self,
        flags: &mut dyn Group,
        name: &'static str,
        text: String,
    ) -> Result<FileName, LoadError> {
        let mut outcome = Ok(FileName::None);
        flags.visit(&mut |visited, _, place| {
            if visited == name {
                outcome = load(place, &text, self.files);
            }
        });
        outcome.map_err(|error| LoadError::Value { name, text, error })
    }
}

/// Names as typed (`x`, `no-x`) and values, if any.
type Settings = BTreeMap<String, Option<String>>;
type Declared = BTreeMap<&'static str, Declaration>;

struct Typed {
    settings: Settings,
    rest: Vec<String>,
}

/// The last part of the first argument's path, as usage names the program.
pub fn program_name(arguments: &[String]) -> &str {
    let path = arguments.first().map(String::as_str).unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// What `--name` and `--name=text` load. An empty text stands for `true` where that is meant.
fn positive_text(flag: &Declaration, text: Option<String>) -> Result<String, LoadError> {
    match text {
        None if !flag.is_boolean => Err(LoadError::MissingValue(flag.name)),
        Some(text) if !(flag.is_boolean && text.is_empty()) => Ok(text),
        _ => Ok("true".to_string()),
    }
}

/// What `--no-name` loads; `--no-name=` does the same.
fn negated_text(flag: &Declaration, text: Option<String>) -> Result<String, LoadError> {
    let text = text.unwrap_or_default();
    if !flag.is_boolean {
        return Err(LoadError::NotBoolean(flag.name));
    }
    if !text.is_empty() {
        return Err(LoadError::NegatedWithValue { name: flag.name, text });
    }
    Ok("false".to_string())
}

fn shown(flags: &mut dyn Group) -> Shown {
    let mut shown = BTreeMap::new();
    flags.visit(&mut |name, _, place| {
        if let Some(text) = place.print() {
            shown.insert(name, text);
        }
    });
    Shown(shown)
}
