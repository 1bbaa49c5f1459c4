//! stout
