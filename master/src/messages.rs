//! THE table of messages: which a master understands, and what handles each.
//! A handler bears the message's name. Upstream: the `install` calls of `Master::initialize`.

use libprocess::Router;
use prost::{Message, Name};
use proto::mesos::scheduler::call;

use crate::master::Master;
use crate::phase::{Handler, Phase};

/// Fills the router.
pub(crate) fn install(router: &mut Router<Master>) {
    on_arrival(router, Master::receive, |call| call.r#type() == call::Type::Subscribe);
    on(router, Master::submit_scheduler);

    on_arrival(router, Master::register_framework, |_| true);
    on_arrival(router, Master::reregister_framework, |_| true);
    on(router, Master::unregister_framework);
    on(router, Master::deactivate_framework);
    on(router, Master::resource_request);
    on(router, Master::launch_tasks);
    on(router, Master::revive_offers);
    on(router, Master::kill_task);
    on(router, Master::status_update_acknowledgement);
    on(router, Master::scheduler_message);
    on(router, Master::reconcile_tasks);

    on_arrival(router, Master::register_slave, |_| true);
    on_arrival(router, Master::reregister_slave, |_| true);
    on(router, Master::unregister_slave);
    on(router, Master::update_slave);
    on(router, Master::status_update);
    on(router, Master::executor_message);
    on(router, Master::exited_executor);

    on(router, Master::authenticate);
}

fn on<M>(router: &mut Router<Master>, handler: Handler<M>)
where
    M: Message + Name + Default + 'static,
{
    on_arrival(router, handler, |_| false);
}

/// As [`on`] for messages by which somebody arrives, if `arrives` says that this is one: they wait
/// for a master that is about to lead.
fn on_arrival<M>(router: &mut Router<Master>, handler: Handler<M>, arrives: fn(&M) -> bool)
where
    M: Message + Name + Default + 'static,
{
    router.on(move |master: &mut Master, ctx, from, message| {
        if master.phase == Phase::Recovering && arrives(&message) {
            return master.keep_waiting(from, message, handler);
        }
        master.admit(ctx, from, message, handler);
    });
}
