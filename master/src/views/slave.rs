//! One slave: what every listing shows of it, and its resources in full.
//! Called by `cluster.rs`. Knows nothing of frameworks.
//! Upstream: `json` of `Summary<Slave>` and `Full<Slave>`.

use common::attributes::Attributes;
use common::json::Form;
use common::resources::Resources;
use proto::mesos;
use stout::json::{Array, Object};

use crate::state::Slave;

/// The fields that all listings of slaves share.
pub(super) fn write(object: &mut Object<'_>, slave: &Slave) {
    object.field("id", slave.id.as_str());
    object.field("pid", slave.pid.to_string());
    object.field("hostname", &slave.info.hostname);
    object.field("registered_time", slave.registered_time.secs());
    if let Some(time) = slave.reregistered_time {
        object.field("reregistered_time", time.secs());
    }
    object.field("resources", Form::Streamed.show(&slave.total));
    object.field("used_resources", Form::Streamed.show(&slave.total_used()));
    object.field("offered_resources", Form::Streamed.show(&slave.offered));
    let reserved = slave.total.reserved_by_role();
    object.field("reserved_resources", Form::Streamed.show(&reserved));
    object.field("unreserved_resources", Form::Streamed.show(&slave.total.unreserved()));
    let attributes = Attributes::from(slave.info.attributes.as_slice());
    object.field("attributes", Form::Streamed.show(&attributes));
    object.field("active", slave.active);
    object.field("version", &slave.version);
}

/// Reserved, used and offered resources with their reservations and disks, as operators need
/// them to unreserve and to destroy volumes.
pub(super) fn write_full_resources(object: &mut Object<'_>, slave: &Slave) {
    object.object("reserved_resources_full", |object| {
        for (role, resources) in &slave.total.reserved_by_role() {
            object.array(role, |array| write_all(array, resources));
        }
    });
    object.array("used_resources_full", |array| write_all(array, &slave.total_used()));
    object.array("offered_resources_full", |array| write_all(array, &slave.offered));
}

fn write_all(array: &mut Array<'_>, resources: &Resources) {
    for resource in resources.iter() {
        array.element_with(|slot| Form::Streamed.protobuf(slot, &mesos::Resource::from(resource)));
    }
}
