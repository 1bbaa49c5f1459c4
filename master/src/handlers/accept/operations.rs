//! One RESERVE, UNRESERVE, CREATE or DESTROY of an accepted offer: applied, or dropped with a
//! line in the log; the framework sees in its next offers which.
//! Upstream: the other parts of `Master::_accept`, `apply`, `_apply`, `drop(Offer::Operation)`.

use common::ids::SlaveId;
use common::resources::{ApplyError, print_messages};
use libprocess::Ctx;
use proto::mesos::internal::CheckpointResourcesMessage;
use proto::mesos::offer::{Operation, operation};
use tracing::{error, info};

use super::call::Accepted;
use crate::authorizer::Verdict;
use crate::master::Master;
use crate::state::{Framework, Slave};
use crate::validation::operation::{
    OperationError, validate_create, validate_destroy, validate_reserve, validate_unreserve,
};

/// Why an operation is dropped.
#[derive(Debug, thiserror::Error)]
enum Dropped {
    #[error("Authorization of principal '{principal}' to {what} failed: {why}")]
    AuthorizationFailed { principal: String, what: &'static str, why: String },
    #[error("Not authorized to {what} as '{principal}'")]
    Unauthorized { principal: String, what: &'static str },
    #[error(transparent)]
    Invalid(#[from] OperationError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl Master {
    /// Applies an operation to what is left of the offers, and to the slave.
    pub(super) fn operate(
        &mut self,
        ctx: &mut Ctx<Self>,
        accepted: &mut Accepted,
        operation: &Operation,
        verdict: Verdict,
    ) {
        let Some(framework) = self.cluster.frameworks.get(&accepted.framework_id) else { return };
        let Some(slave) = self.cluster.slaves.get_mut(&accepted.slave_id) else { return };
        let applied = check_authorized(framework, operation, verdict)
            .and_then(|()| Ok(validate(framework, slave, operation)?))
            .and_then(|()| Ok(accepted.remaining.apply(operation)?))
            .and_then(|remaining| Ok(slave.apply(operation).map(|()| remaining)?));
        match applied {
            Ok(remaining) => accepted.remaining = remaining,
            Err(why) => {
                let name = operation.r#type().as_str_name();
                return error!("Dropping {name} offer operation from framework {framework}: {why}");
            }
        }
        log(framework, slave, operation);
        let operations = vec![operation.clone()];
        self.allocator.update_allocation(&accepted.framework_id, &accepted.slave_id, operations);
        self.tell_checkpointed(ctx, &accepted.slave_id);
    }

    /// Tells a slave what it has to remember from now on.
    fn tell_checkpointed(&self, ctx: &Ctx<Self>, id: &SlaveId) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        info!("Sending checkpointed resources {} to slave {slave}", slave.checkpointed);
        let message = CheckpointResourcesMessage { resources: slave.checkpointed.to_messages() };
        ctx.send(&slave.pid, &message);
    }
}

fn check_authorized(
    framework: &Framework,
    operation: &Operation,
    verdict: Verdict,
) -> Result<(), Dropped> {
    let what = match operation.r#type() {
        operation::Type::Unreserve => "unreserve resources",
        operation::Type::Create => "create persistent volumes",
        operation::Type::Destroy => "destroy persistent volumes",
        operation::Type::Reserve | operation::Type::Launch => "reserve resources",
    };
    let principal = framework.info.principal().to_owned();
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Denied => Err(Dropped::Unauthorized { principal, what }),
        Verdict::Failed(why) => Err(Dropped::AuthorizationFailed { principal, what, why }),
    }
}

/// Absent data are found by `Resources::apply`.
fn validate(
    framework: &Framework,
    slave: &Slave,
    operation: &Operation,
) -> Result<(), OperationError> {
    let principal = framework.info.principal.as_deref();
    let Operation { reserve, unreserve, create, destroy, .. } = operation;
    match operation.r#type() {
        operation::Type::Launch => Ok(()),
        operation::Type::Reserve => reserve
            .as_ref()
            .map_or(Ok(()), |reserve| validate_reserve(reserve, principal, Some(framework.role()))),
        operation::Type::Unreserve => unreserve.as_ref().map_or(Ok(()), validate_unreserve),
        operation::Type::Create => {
            create.as_ref().map_or(Ok(()), |create| validate_create(create, &slave.checkpointed))
        }
        operation::Type::Destroy => destroy
            .as_ref()
            .map_or(Ok(()), |destroy| validate_destroy(destroy, &slave.checkpointed)),
    }
}

fn log(framework: &Framework, slave: &Slave, operation: &Operation) {
    let Operation { reserve, unreserve, create, destroy, .. } = operation;
    let (noun, resources) = match (reserve, unreserve, create, destroy) {
        (Some(reserve), ..) => ("resources", &reserve.resources),
        (_, Some(unreserve), ..) => ("resources", &unreserve.resources),
        (.., Some(create), _) => ("volumes", &create.volumes),
        (.., Some(destroy)) => ("volumes", &destroy.volumes),
        (None, None, None, None) => return,
    };
    info!(
        "Applying {} operation for {noun} {} from framework {framework} to slave {slave}",
        operation.r#type().as_str_name(),
        print_messages(resources)
    );
}
