//! Whatever stands for resources, as flag text or as JSON, parsing gives resources or an error
//! that says something, never a panic; and resources contain, and leave nothing of, themselves.
#![no_main]

use common::resources::Resources;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match text.parse::<Resources>() {
    Ok(resources) => {
        assert!(resources.contains(&resources), "{resources} do not contain themselves");
        let rest = &resources - &resources;
        assert!(rest.is_empty(), "{resources} without themselves leave {rest}");
    }
    Err(error) => assert!(!error.to_string().is_empty(), "an error says what is wrong"),
});
