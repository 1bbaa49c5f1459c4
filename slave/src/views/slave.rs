//! The slave as a whole. Upstream: `Slave::Http::state`.

use common::attributes::Attributes;
use common::json::Form;
use common::resources::Resources;
use stout::json::{Slot, ToJson};

use crate::slave::Slave;
use crate::views::framework::FrameworkView;

/// The answer to `/state`.
pub(crate) struct State<'a>(pub(crate) &'a Slave);

impl ToJson for State<'_> {
    fn to_json(&self, slot: Slot<'_>) {
        let slave = self.0;
        let (config, info) = (&slave.config, &slave.info);
        slot.sorted_object(|object| {
            config.build.iter().for_each(|(name, value)| object.field(name, value));
            object.field("start_time", slave.started_at.secs());
            object.field("id", info.id.as_ref().map_or("", |id| id.value.as_str()));
            object.field("pid", slave.pid.to_string());
            object.field("hostname", &info.hostname);
            object.field("resources", Form::Sorted.show(&Resources::from(&info.resources)));
            let attributes = Attributes::from(info.attributes.as_slice());
            object.field("attributes", Form::Sorted.show(&attributes));
            for (name, value) in [
                ("master_hostname", &slave.master_hostname),
                ("log_dir", &config.logging.log_dir),
                ("external_log_file", &config.logging.external_log_file),
            ] {
                value.iter().for_each(|value| object.field(name, value));
            }
            object.array("frameworks", |array| {
                slave.frameworks.iter().for_each(|one| array.element(FrameworkView(one)));
            });
            object.array("completed_frameworks", |array| {
                slave.frameworks.completed().for_each(|one| array.element(FrameworkView(one)));
            });
            object.field("flags", &config.shown);
        });
    }
}
