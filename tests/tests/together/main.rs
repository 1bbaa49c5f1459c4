//! A master, a slave, executors and a scheduler, all real and each with a libprocess of its own,
//! in the process of the test: it appoints who leads, ends containers and loses messages.

mod containers;
mod fault_tolerance;
mod world;
