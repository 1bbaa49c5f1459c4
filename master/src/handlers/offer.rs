//! Offers: how they go out, and how they come back unused.

mod decline;
mod inverse;
mod rescind;
mod send;

pub(crate) use rescind::Recall;
