//! The end of a container, at whatever stage it is: its launch is let finish, its processes are
//! killed, its isolators clean up in reverse order. Called by `containerizer` on request and by
//! `launch` for processes that end by themselves.
//! Upstream: `MesosContainerizerProcess::destroy` to `_____destroy`, `reaped`, `limited`.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::ids::ContainerId;
use common::resources::print_messages;
use libprocess::vlog;
use proto::mesos::containerizer::Termination;
use proto::mesos::slave::ContainerLimitation;
use tracing::{error, info};

use super::containerizer::{Ended, Inner};
use super::state::{Ending, Stage, termination};
use crate::errors::TerminationError;

impl Inner {
    /// Starts the end of a container.
    pub(super) fn destroy(self: &Arc<Self>, id: &ContainerId) {
        let mut containers = self.containers.lock();
        let Some(container) = containers.get_mut(id) else {
            vlog!(1, "Ignoring destroy of unknown container: {id}");
            return;
        };
        if container.stage == Stage::Destroying {
            vlog!(1, "Destroy has already been initiated for '{id}'");
            return;
        }
        info!("Destroying container '{id}'");
        let interrupted = mem::replace(&mut container.stage, Stage::Destroying);
        container.killed.notify_one();
        let launching = container.launching.clone();
        let (inner, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            drop(launching.lock().await);
            let outcome = inner.end(&id, interrupted).await;
            if let Err(why) = &outcome {
                error!("{why}");
                inner.destroy_errors.fetch_add(1, Ordering::Relaxed);
            }
            inner.report(id, outcome);
        });
    }

    /// Takes a container out of the table and tells its end to those who wait, or keeps it.
    fn report(&self, id: ContainerId, ended: Ended) {
        let mut containers = self.containers.lock();
        match containers.remove(&id) {
            Some(container) if container.claimed => {
                container.outcome.send_replace(Some(ended));
            }
            _ => drop(self.unclaimed.lock().put(id, ended)),
        }
    }

    /// The first process has ended, so that the container has.
    pub(super) fn reaped(self: &Arc<Self>, id: &ContainerId) {
        if self.containers.lock().contains_key(id) {
            info!("Executor for container '{id}' has exited");
            self.destroy(id);
        }
    }

    /// The container has reached a limit.
    pub(super) fn limited(self: &Arc<Self>, id: &ContainerId, limitation: ContainerLimitation) {
        match self.containers.lock().get_mut(id) {
            Some(container) if container.stage != Stage::Destroying => {
                info!(
                    "Container {id} has reached its limit for resource {} and will be terminated",
                    print_messages(&limitation.resources)
                );
                container.limitations.push(limitation);
            }
            _ => return,
        }
        self.destroy(id);
    }

    async fn end(
        &self,
        id: &ContainerId,
        interrupted: Stage,
    ) -> Result<Termination, TerminationError> {
        let exit = self.containers.lock().get(id).and_then(|container| container.exit.clone());
        let ending = match exit {
            Some(exit) => {
                self.launcher.destroy(id).await.map_err(|why| TerminationError::Kill {
                    container_id: id.clone(),
                    source: Arc::new(why),
                })?;
                Ending::AfterFork(exit.await)
            }
            None if interrupted == Stage::Provisioning => Ending::WhileProvisioning,
            None => Ending::WhilePreparing,
        };
        self.clean_up(id).await?;
        let containers = self.containers.lock();
        let limitations = containers.get(id).map_or(&[][..], |container| &container.limitations);
        Ok(termination(ending, limitations))
    }

    /// Lets all isolators clean up, even if one cannot; says what the first failure was.
    async fn clean_up(&self, id: &ContainerId) -> Result<(), TerminationError> {
        let mut failure = None;
        for isolator in self.isolators.iter().rev() {
            if let Err(why) = isolator.cleanup(id).await {
                failure.get_or_insert(why);
            }
        }
        match failure {
            None => Ok(()),
            Some(why) => {
                Err(TerminationError::Cleanup { container_id: id.clone(), source: Arc::new(why) })
            }
        }
    }
}
