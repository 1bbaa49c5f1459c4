//! containerizer
