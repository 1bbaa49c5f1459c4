//! Every question with its answers, in upstream's words.

mod operations;
mod resources;
mod tasks;

use common::resources::Resources;
use proto::mesos::resource::disk_info::Persistence;
use proto::mesos::resource::{DiskInfo, ReservationInfo, RevocableInfo};
use proto::mesos::volume::Mode;
use proto::mesos::{self, Volume};

/// A resource of a role, `*` if unreserved.
fn resource(text: &str, role: &str) -> mesos::Resource {
    let resources = Resources::parse(text, role).expect("well-formed");
    resources.to_messages().remove(0)
}

fn reserved(text: &str, role: &str, principal: Option<&str>) -> mesos::Resource {
    let reservation =
        ReservationInfo { principal: principal.map(str::to_owned), ..ReservationInfo::default() };
    mesos::Resource { reservation: Some(reservation), ..resource(text, role) }
}

fn revocable(resource: mesos::Resource) -> mesos::Resource {
    mesos::Resource { revocable: Some(RevocableInfo::default()), ..resource }
}

fn disk(id: Option<&str>, mode: Option<Mode>) -> DiskInfo {
    DiskInfo {
        persistence: id.map(|id| Persistence { id: id.to_owned(), ..Persistence::default() }),
        volume: mode.map(|mode| Volume {
            mode: mode.into(),
            container_path: "path".to_owned(),
            ..Volume::default()
        }),
        ..DiskInfo::default()
    }
}

fn with_disk(resource: mesos::Resource, disk: DiskInfo) -> mesos::Resource {
    mesos::Resource { disk: Some(disk), ..resource }
}

/// A volume of a role.
fn volume(id: &str, role: &str) -> mesos::Resource {
    with_disk(resource("disk:128", role), disk(Some(id), Some(Mode::Rw)))
}
