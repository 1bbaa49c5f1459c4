//! Upstream's `resources_tests.cpp`, by subject, and the algebra's laws.

mod arithmetic;
mod disk;
mod laws;
mod operations;
mod parsing;
mod printing;
mod reserved;

use proto::mesos;
use proto::mesos::resource::disk_info::{Persistence, Source, source};
use proto::mesos::resource::{DiskInfo, ReservationInfo, RevocableInfo};
use proto::mesos::{Labels, Volume};

use super::{Resource, Resources};
use crate::labels::label;

fn resources(text: &str) -> Resources {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A message from `cpus(role):8`.
fn message(text: &str) -> mesos::Resource {
    resources(text).to_messages().remove(0)
}

fn of(message: &mesos::Resource) -> Resources {
    Resources::from(&Resource::try_from(message).expect("well-formed"))
}

fn reservation(principal: &str) -> ReservationInfo {
    ReservationInfo { principal: Some(principal.into()), ..ReservationInfo::default() }
}

fn labeled(principal: &str, key: &str, value: &str) -> ReservationInfo {
    let labels = Labels { labels: vec![label(key, Some(value))] };
    ReservationInfo { labels: Some(labels), ..reservation(principal) }
}

fn reserved(text: &str, reservation: &ReservationInfo) -> mesos::Resource {
    mesos::Resource { reservation: Some(reservation.clone()), ..message(text) }
}

fn revocable(text: &str) -> mesos::Resource {
    mesos::Resource { revocable: Some(RevocableInfo::default()), ..message(text) }
}

fn path_source(root: &str) -> Source {
    let path = Some(source::Path { root: Some(root.into()) });
    Source { r#type: source::Type::Path.into(), path, ..Source::default() }
}

fn mount_source(root: &str) -> Source {
    let mount = Some(source::Mount { root: Some(root.into()) });
    Source { r#type: source::Type::Mount.into(), mount, ..Source::default() }
}

/// A disk; the persistence id and the container path are left out when empty.
fn disk(text: &str, id: &str, path: &str) -> mesos::Resource {
    disk_on(None, text, id, path)
}

fn disk_on(source: Option<&Source>, text: &str, id: &str, path: &str) -> mesos::Resource {
    let persistence =
        (!id.is_empty()).then(|| Persistence { id: id.into(), ..Persistence::default() });
    let volume =
        (!path.is_empty()).then(|| Volume { container_path: path.into(), ..Volume::default() });
    let info = DiskInfo { persistence, volume, source: source.cloned() };
    let is_plain = info == DiskInfo::default();
    mesos::Resource { disk: (!is_plain).then_some(info), ..message(text) }
}
