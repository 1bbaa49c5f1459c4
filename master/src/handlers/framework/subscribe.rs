//! A scheduler becomes a framework, or comes back as one: entry, checks, and the new framework.
//! What happens to one that is known is in `failover.rs`.
//! Upstream: `Master::registerFramework`, `reregisterFramework`, `subscribe`, `_subscribe`,
//! `addFramework`.

use common::ids::{FrameworkId, print_list};
use libprocess::{Ctx, Upid};
use proto::mesos::internal::{
    FrameworkErrorMessage, FrameworkRegisteredMessage, RegisterFrameworkMessage,
    ReregisterFrameworkMessage,
};
use proto::mesos::scheduler::call::Subscribe;
use proto::mesos::{FrameworkInfo, framework_info};
use tracing::info;

use crate::authorizer::{Action, Request, Verdict};
use crate::master::Master;
use crate::refusal::SubscribeRefusal;
use crate::state::{Connection, Framework};

impl Master {
    /// The old form of a first [`Master::subscribe`].
    pub(crate) fn register_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: RegisterFrameworkMessage,
    ) {
        self.metrics.messages_register_framework.increment();
        let info = message.framework;
        if framework_id(&info).is_some() {
            let refusal = SubscribeRefusal::IdAlreadySet;
            return refuse(ctx, &from, &info.name, "registration request", &refusal);
        }
        self.subscribe(ctx, from, Subscribe { framework_info: info, ..Subscribe::default() });
    }

    /// The old form of a later [`Master::subscribe`].
    pub(crate) fn reregister_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ReregisterFrameworkMessage,
    ) {
        self.metrics.messages_reregister_framework.increment();
        let info = message.framework;
        if framework_id(&info).is_none() {
            let refusal = SubscribeRefusal::NoId;
            return refuse(ctx, &from, &info.name, "re-registration request", &refusal);
        }
        let subscribe = Subscribe { framework_info: info, force: Some(message.failover) };
        self.subscribe(ctx, from, subscribe);
    }

    /// A scheduler wants to be a framework.
    pub(crate) fn subscribe(&mut self, ctx: &mut Ctx<Self>, from: Upid, subscribe: Subscribe) {
        let info = &subscribe.framework_info;
        if let Err(refusal) = self.validate_subscription(info) {
            return refuse(ctx, &from, &info.name, "subscription", &refusal);
        }
        info!("Received SUBSCRIBE call for framework '{}' at {from}", info.name);
        if self.authorizer.is_some() {
            info!(
                "Authorizing framework principal '{}' to receive offers for role '{}'",
                info.principal(),
                info.role()
            );
        }
        let action = Action::RegisterFramework { role: info.role().to_owned() };
        let request = Request { principal: info.principal.clone(), action };
        self.when_authorized(ctx, vec![request], move |master, ctx, verdicts| {
            master.on_subscription_authorized(ctx, from, subscribe, &verdicts[0]);
        });
    }

    fn validate_subscription(&self, info: &FrameworkInfo) -> Result<(), SubscribeRefusal> {
        let role = info.role();
        if self.config.roles.as_ref().is_some_and(|roles| !roles.contains(role)) {
            return Err(SubscribeRefusal::Role(role.to_owned()));
        }
        if info.user == "root" && !self.config.root_submissions {
            return Err(SubscribeRefusal::Root);
        }
        let Some(id) = framework_id(info) else { return Ok(()) };
        if self.cluster.frameworks.completed.contains(&id) {
            return Err(SubscribeRefusal::Removed);
        }
        Ok(id.validate()?)
    }

    fn on_subscription_authorized(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        subscribe: Subscribe,
        verdict: &Verdict,
    ) {
        let info = &subscribe.framework_info;
        let refusal = match verdict {
            Verdict::Allowed => None,
            Verdict::Denied => Some(SubscribeRefusal::Unauthorized(info.role().to_owned())),
            Verdict::Failed(why) => Some(SubscribeRefusal::AuthorizationFailed(why.clone())),
        };
        if let Some(refusal) = refusal {
            return refuse(ctx, &from, &info.name, "subscription", &refusal);
        }
        info!(
            "Subscribing framework {} with checkpointing {} and capabilities {}",
            info.name,
            if info.checkpoint() { "enabled" } else { "disabled" },
            print_capabilities(info)
        );
        let known_at_pid = self.cluster.frameworks.at(&from).map(|framework| framework.id.clone());
        match (framework_id(info), known_at_pid) {
            (None, Some(known)) => self.acknowledge_subscription(ctx, &known),
            (None, None) => self.add_new_framework(ctx, &from, subscribe.framework_info),
            (Some(id), Some(known)) if id != known => {
                let refusal = SubscribeRefusal::PidInUse(from.clone());
                refuse(ctx, &from, &info.name, "subscription", &refusal);
            }
            (Some(id), _) if self.cluster.frameworks.get(&id).is_some() => {
                self.resubscribe(ctx, &from, &id, &subscribe);
            }
            (Some(id), _) => self.add_known_framework(ctx, &from, id, subscribe.framework_info),
        }
    }

    /// It is a framework already and did not hear so.
    fn acknowledge_subscription(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        if let Some(framework) = self.cluster.frameworks.get(id) {
            info!("Framework {framework} already subscribed, resending acknowledgement");
            self.tell_registered(ctx, framework);
        }
    }

    fn add_new_framework(&mut self, ctx: &mut Ctx<Self>, from: &Upid, mut info: FrameworkInfo) {
        let id = self.ids.next_framework();
        info.id = Some((&id).into());
        self.add_framework(ctx, from, id, info);
    }

    /// A framework of an earlier master.
    ///
    /// COMPAT: `Master::_subscribe` answers with Registered and not Reregistered (MESOS-786);
    /// held by `fault_tolerance_test_framework_registers_with_new_master_by_its_old_id`.
    fn add_known_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: &Upid,
        id: FrameworkId,
        info: FrameworkInfo,
    ) {
        self.add_framework(ctx, from, id.clone(), info);
        self.tell_slaves_of_scheduler(ctx, &id);
    }

    fn add_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: &Upid,
        id: FrameworkId,
        info: FrameworkInfo,
    ) {
        ctx.link(from);
        if let Some(principal) = &info.principal {
            self.metrics.add_principal(principal);
        }
        let framework = Framework::new(id.clone(), info, Connection::Pid(from.clone()), ctx.now());
        self.cluster.add_framework(framework);
        if let Some(framework) = self.cluster.frameworks.get(&id) {
            self.allocator.add_framework(&id, &framework.info, framework.used.clone());
            self.tell_registered(ctx, framework);
        }
    }

    /// Tells a framework who it is and who leads.
    pub(super) fn tell_registered(&self, ctx: &Ctx<Self>, framework: &Framework) {
        let message = FrameworkRegisteredMessage {
            framework_id: (&framework.id).into(),
            master_info: self.info.clone(),
        };
        self.tell_framework(ctx, framework, &message);
    }
}

/// The id that a framework says it has; an empty one is none.
fn framework_id(info: &FrameworkInfo) -> Option<FrameworkId> {
    info.id.as_ref().filter(|id| !id.value.is_empty()).map(FrameworkId::from)
}

/// Tells a scheduler that it cannot do what it asked for.
pub(super) fn refuse(
    ctx: &Ctx<Master>,
    from: &Upid,
    name: &str,
    what: &str,
    refusal: &SubscribeRefusal,
) {
    info!("Refusing {what} of framework '{name}' at {from}: {refusal}");
    ctx.send(from, &FrameworkErrorMessage { message: refusal.to_string() });
}

fn print_capabilities(info: &FrameworkInfo) -> String {
    let known = info.capabilities.iter().filter_map(|capability| capability.r#type);
    let known = known.filter_map(|kind| framework_info::capability::Type::try_from(kind).ok());
    print_list(known.map(|kind| kind.as_str_name()))
}
