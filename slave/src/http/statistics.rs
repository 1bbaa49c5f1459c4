//! What each executor consumes, for `/monitor/statistics`.
//! Called by the monitor. Upstream: `Slave::usage`, `ResourceMonitorProcess::statistics`.

use std::future::Future;

use common::json::protobuf::SortedProtobuf;
use futures_util::future::join_all;
use proto::mesos::{ExecutorInfo, ResourceStatistics};
use stout::json::{Slot, ToJson};
use tracing::warn;

use crate::slave::Slave;

/// What one executor consumes.
pub(crate) struct Consumption {
    executor: ExecutorInfo,
    statistics: ResourceStatistics,
}

impl Slave {
    /// What the executors consume; those are left out of which that is not known.
    pub(crate) fn usage(&self) -> impl Future<Output = Vec<Consumption>> + Send + use<> {
        let asked = self.frameworks.executors().map(|executor| {
            let usage = self.parts.containerizer.usage(&executor.run.container_id);
            let (run, info) = (executor.run.clone(), executor.info.clone());
            async move {
                match usage.await {
                    Ok(statistics) => Some(Consumption { executor: info, statistics }),
                    Err(why) => {
                        warn!(
                            "Failed to get resource statistics for executor '{}' of framework {}: \
                             {why}",
                            run.executor_id, run.framework_id
                        );
                        None
                    }
                }
            }
        });
        let asked: Vec<_> = asked.collect();
        async move { join_all(asked).await.into_iter().flatten().collect() }
    }
}

/// The answer to a request for statistics.
pub(crate) struct Statistics<'a>(pub(crate) &'a [Consumption]);

impl ToJson for Statistics<'_> {
    fn to_json(&self, slot: Slot<'_>) {
        slot.array(|array| self.0.iter().for_each(|one| array.element(one)));
    }
}

impl ToJson for Consumption {
    fn to_json(&self, slot: Slot<'_>) {
        let executor = &self.executor;
        let framework_id = executor.framework_id.as_ref().map_or("", |id| id.value.as_str());
        slot.sorted_object(|object| {
            object.field("executor_id", &executor.executor_id.value);
            object.field("executor_name", executor.name());
            object.field("framework_id", framework_id);
            object.field("source", executor.source());
            object.field("statistics", SortedProtobuf(&self.statistics));
        });
    }
}
