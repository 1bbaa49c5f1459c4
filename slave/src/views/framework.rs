//! A framework. Upstream: `model(const Framework&)`.

use stout::json::{Slot, ToJson};

use crate::state::framework::Framework;
use crate::views::executor::ExecutorView;

pub(crate) struct FrameworkView<'a>(pub(crate) &'a Framework);

impl ToJson for FrameworkView<'_> {
    fn to_json(&self, slot: Slot<'_>) {
        let FrameworkView(framework) = self;
        let info = &framework.info;
        slot.sorted_object(|object| {
            object.field("id", framework.id.as_str());
            object.field("name", &info.name);
            object.field("user", &info.user);
            object.field("failover_timeout", info.failover_timeout());
            object.field("checkpoint", info.checkpoint());
            object.field("role", info.role());
            object.field("hostname", info.hostname());
            object.array("executors", |array| {
                framework.executors.values().for_each(|one| array.element(ExecutorView(one)));
            });
            object.array("completed_executors", |array| {
                framework.completed_executors.iter().for_each(|one| {
                    array.element(ExecutorView(one));
                });
            });
        });
    }
}
