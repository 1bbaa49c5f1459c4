//! Whether a slave that comes back is still the one that the master knows. It may have got more
//! resources and attributes meanwhile; what running tasks and accepted offers rest upon must be
//! there as it was. Called by `handlers::recovery`. Pure.
//! Upstream: the comparison in `Slave::recover`; `--reconfiguration_policy=additive` of 1.5.

use std::fmt;

use common::attributes::{Attributes, print};
use common::ids::print_list;
use common::resources::Resources;
use proto::mesos::SlaveInfo;

/// How a slave differs from what it was in a way that it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatible(Vec<Difference>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    what: &'static str,
    old: String,
    new: String,
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incompatible slave info detected.")?;
        for Difference { what, old, new } in &self.0 {
            write!(f, "\n  {what}\n    was:  {old}\n    is:   {new}")?;
        }
        write!(
            f,
            "\nResources and attributes may be added while tasks run, and not changed or taken \
             away. Start the slave with what it had, or give it up as said below."
        )
    }
}

/// What the slave goes on as: `new` with the id of `old`.
///
/// # Errors
/// What has changed that must not.
pub(crate) fn reconfigured(old: &SlaveInfo, new: &SlaveInfo) -> Result<SlaveInfo, Incompatible> {
    let mut differences = Vec::new();
    let mut check = |fits: bool, what, old: String, new: String| {
        if !fits {
            differences.push(Difference { what, old, new });
        }
    };
    let (was, is) = (&old.hostname, &new.hostname);
    check(was == is, "hostname", was.clone(), is.clone());
    let (was, is) = (old.port(), new.port());
    check(was == is, "port", was.to_string(), is.to_string());
    let (was, is) = (old.checkpoint(), new.checkpoint());
    check(was == is, "checkpoint", was.to_string(), is.to_string());
    let (was, is) = (Resources::from(&old.resources), Resources::from(&new.resources));
    check(is.contains(&was), "resources", was.to_string(), is.to_string());
    let (was, is) = (&old.attributes, &new.attributes);
    let is_kept = was.iter().all(|attribute| is.contains(attribute));
    check(is_kept, "attributes", shown(was.as_slice()), shown(is.as_slice()));
    match differences.is_empty() {
        true => Ok(SlaveInfo { id: old.id.clone(), ..new.clone() }),
        false => Err(Incompatible(differences)),
    }
}

fn shown(attributes: &[proto::mesos::Attribute]) -> String {
    print_list(Attributes::from(attributes).iter().map(print))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(resources: &str, attributes: &str) -> SlaveInfo {
        SlaveInfo {
            hostname: "host".to_owned(),
            port: Some(5051),
            resources: resources.parse::<Resources>().unwrap().to_messages(),
            attributes: attributes.parse::<Attributes>().unwrap().to_messages(),
            id: None,
            checkpoint: Some(true),
        }
    }

    fn old() -> SlaveInfo {
        let id = Some(proto::mesos::SlaveId { value: "S0".to_owned() });
        SlaveInfo { id, ..info("cpus:2;mem:512", "rack:1") }
    }

    #[test]
    fn what_is_added_is_taken() {
        for new in
            [info("mem:512;cpus:2", "rack:1"), info("cpus:3;mem:512;disk:5", "zone:a;rack:1")]
        {
            let expected = SlaveInfo { id: old().id, ..new.clone() };
            assert_eq!(reconfigured(&old(), &new), Ok(expected));
        }
    }

    #[test]
    fn what_is_changed_or_gone_is_told() {
        let check = |new: SlaveInfo, expected: &str| {
            let told = reconfigured(&old(), &new).unwrap_err().to_string();
            let lines: Vec<&str> = told.lines().collect();
            assert_eq!(lines[0], "Incompatible slave info detected.");
            let differences = lines[1..lines.len() - 1].iter().map(|line| line.trim());
            assert_eq!(differences.collect::<Vec<_>>().join(" | "), expected);
        };
        let same = || info("cpus:2;mem:512", "rack:1");
        check(
            SlaveInfo { hostname: "other".to_owned(), ..same() },
            "hostname | was:  host | is:   other",
        );
        check(SlaveInfo { port: Some(1), ..same() }, "port | was:  5051 | is:   1");
        check(
            info("cpus:2;mem:511", "rack:1"),
            "resources | was:  cpus(*):2; mem(*):512 | is:   cpus(*):2; mem(*):511",
        );
        check(info("cpus:2;mem:512", "rack:2"), "attributes | was:  [ rack=1 ] | is:   [ rack=2 ]");
    }
}
