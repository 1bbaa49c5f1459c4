//! Flags as data. A program declares what may be typed once, in a list; loading, `--help`,
//! the flags page, the line logged at start-up and the ledger all read that list.
//!
//! Declaring is this module's; [`load`] turns texts into values, [`parse`] the command line
//! and the environment into settings, [`help`] prints the list. Each program has one
//! `flags.rs` that implements [`Flags`], and one place that gives meaning to what was typed.
//! Reads no file and no environment variable itself; both are handed in.
//!
//! Why not `clap`: names in any case, any word that is no flag skipped wherever it stands,
//! `--no-x`, `MESOS_x`, errors reported in the order of names, and every text of errors and
//! help are upstream's, so that nothing of a library's own engine would remain in use.
//!
//! Upstream: `flags::FlagsBase`, `flags::Flag`.

pub mod help;
pub mod load;
pub mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::error::Error;

use crate::flags::load::Place;

/// An error in somebody else's words: of a reader, of a check, of a value type.
pub type BoxedError = Box<dyn Error + Send + Sync>;

/// One flag of the program whose flags are a `T`.
pub struct Flag<T> {
    name: &'static str,
    help: &'static str,
    place: fn(&mut T) -> &mut dyn Place,
    check: fn(&T) -> Result<(), BoxedError>,
}

impl<T> Flag<T> {
    /// A flag by its name (lower case, words joined by `_`), what `--help` says about it
    /// (lines as they shall be printed, without the default), and the field that holds it.
    pub const fn new(
        name: &'static str,
        help: &'static str,
        place: fn(&mut T) -> &mut dyn Place,
    ) -> Flag<T> {
        Flag::checked(name, help, place, |_| Ok(()))
    }

    /// A flag with a check that runs once all flags are loaded, whether this one was given or
    /// not. The error's text is shown to the operator as it is.
    pub const fn checked(
        name: &'static str,
        help: &'static str,
        place: fn(&mut T) -> &mut dyn Place,
        check: fn(&T) -> Result<(), BoxedError>,
    ) -> Flag<T> {
        Flag { name, help, place, check }
    }
}

/// The flags of a program, or a group of flags that several programs share.
/// Defaults are those of [`Default`]; a field that is an `Option` has none.
pub trait Flags: Default + 'static {
    /// What may be typed, in any order.
    const FLAGS: &'static [Flag<Self>];

    /// Fields that hold groups of flags, which may be typed just as well.
    fn groups(&mut self) -> Vec<&mut dyn Group> {
        Vec::new()
    }

    /// What `--help` prints above the list.
    fn heading(program: &str) -> String {
        format!("Usage: {program} [options]")
    }
}

/// Flags of an unnamed type, as part of a larger set. Every [`Flags`] is one.
pub trait Group {
    /// Calls the visitor with name, help and place of every flag.
    fn visit(&mut self, visitor: &mut dyn FnMut(&'static str, &'static str, &mut dyn Place));

    /// Runs every check and adds what failed, by the name of its flag.
    fn check(&mut self, failed: &mut BTreeMap<&'static str, BoxedError>);
}

impl<T: Flags> Group for T {
    fn visit(&mut self, visitor: &mut dyn FnMut(&'static str, &'static str, &mut dyn Place)) {
        for flag in T::FLAGS {
            visitor(flag.name, flag.help, (flag.place)(self));
        }
        for group in self.groups() {
            group.visit(visitor);
        }
    }

    fn check(&mut self, failed: &mut BTreeMap<&'static str, BoxedError>) {
        for flag in T::FLAGS {
            if let Err(error) = (flag.check)(self) {
                failed.insert(flag.name, error);
            }
        }
        for group in self.groups() {
            group.check(failed);
        }
    }
}

/// What the list says about one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The name as it is typed behind `--`.
    pub name: &'static str,
    /// What `--help` says, without the default.
    pub help: &'static str,
    /// Whether it can be given without a value and as `--no-<name>`.
    pub is_boolean: bool,
    /// The default as `--help` prints it, if there is one.
    pub default: Option<String>,
}

/// All flags of a program and of its groups, `--help` included, by name.
///
/// # Panics
/// When two flags have the same name, or one begins with `no-`: the list is wrong.
pub fn declarations<T: Flags>() -> BTreeMap<&'static str, Declaration> {
    let mut declarations = BTreeMap::new();
    WithHelp::<T>::default().visit(&mut |name, help, place| {
        let is_boolean = place.is_boolean();
        let declaration = Declaration { name, help, is_boolean, default: place.print() };
        assert!(!name.starts_with("no-"), "flag '{name}' has the reserved prefix 'no-'");
        assert!(declarations.insert(name, declaration).is_none(), "two flags are named '{name}'");
    });
    declarations
}

/// A program's flags and the one that every program has.
#[derive(Default)]
struct WithHelp<T> {
    help: bool,
    flags: T,
}

impl<T: Flags> Flags for WithHelp<T> {
    const FLAGS: &'static [Flag<Self>] =
        &[Flag::new("help", "Prints this help message", |with_help| &mut with_help.help)];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.flags]
    }
}
