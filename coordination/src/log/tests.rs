//! The pure parts of the log: as tables of text, and on a bad network.

mod machines;
mod table;
