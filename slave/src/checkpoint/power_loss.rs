//! A slave may end, and its host with it, between any two steps and within any of them: whatever is
//! on the disk then can be recovered, and holds all that was promised.
