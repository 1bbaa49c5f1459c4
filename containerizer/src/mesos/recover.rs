//! Containers that an earlier run of the slave has left: their processes are found again, or found
//! to have ended, and from then on they are containers like others. Called by `containerizer` once,
//! before any launch.
//! Upstream: `MesosContainerizerProcess::recover`, `_recover`, `__recover`.

use std::sync::Arc;

use common::resources::Resources;
use proto::mesos::container_info::Type;
use tokio::task::spawn_blocking;
use tracing::info;

use super::containerizer::{Container, Inner};
use super::launch::MARKER;
use super::state::Stage;
use crate::RecoverableContainer;
use crate::errors::RecoverError;
use crate::launcher::{Exit, LauncherError, Left};

impl Inner {
    pub(super) async fn recover(
        self: &Arc<Self>,
        mut left: Vec<RecoverableContainer>,
    ) -> Result<(), RecoverError> {
        info!("Recovering containerizer");
        left.retain(is_ours);
        for each in &left {
            let executor = &each.executor_info;
            let framework_id = executor.framework_id.as_ref();
            info!(
                "Recovering container '{}' for executor '{}' of framework '{}'",
                each.container_id,
                executor.executor_id.value,
                framework_id.map(|id| id.value.as_str()).unwrap_or_default()
            );
            let exit = self.find(each).await?;
            let resources = Resources::from(&executor.resources);
            let container = Container::recovered(resources, exit.clone());
            self.containers.lock().insert(each.container_id.clone(), container);
        }
        for isolator in &self.isolators {
            isolator.recover(&left).await?;
        }
        for RecoverableContainer { container_id, .. } in &left {
            self.watch_limits(container_id);
            let exit = self.containers.lock().get(container_id).and_then(|one| one.exit.clone());
            if let Some(exit) = exit {
                self.reap(container_id, exit);
            }
        }
        Ok(())
    }

    async fn find(&self, left: &RecoverableContainer) -> Result<Exit, LauncherError> {
        let (launcher, id) = (self.launcher.clone(), left.container_id.clone());
        let marker = (MARKER.to_owned(), left.directory.to_string_lossy().into_owned());
        let left = Left { pid: left.pid, started: left.started, marker };
        spawn_blocking(move || launcher.recover(&id, left)).await?
    }
}

fn is_ours(left: &RecoverableContainer) -> bool {
    let container = left.executor_info.container.as_ref();
    let is_ours = container.is_none_or(|container| container.r#type() == Type::Mesos);
    if !is_ours {
        info!(
            "Skipping recovery of container '{}' because it was not launched from mesos \
             containerizer",
            left.container_id
        );
    }
    is_ours
}

impl Container {
    fn recovered(resources: Resources, exit: Exit) -> Container {
        Container { stage: Stage::Running, exit: Some(exit), ..Container::new(resources) }
    }
}
