//! THE table of messages: which a master understands, and what handles each.
//! A handler bears the message's name. Upstream: the `install` calls of `Master::initialize`.

use libprocess::Router;
use prost::{Message, Name};

use crate::master::Master;
use crate::phase::Handler;

/// Fills the router.
pub(crate) fn install(router: &mut Router<Master>) {
    on(router, Master::receive);
    on(router, Master::submit_scheduler);

    on(router, Master::register_framework);
    on(router, Master::reregister_framework);
    on(router, Master::unregister_framework);
    on(router, Master::deactivate_framework);
    on(router, Master::resource_request);
    on(router, Master::launch_tasks);
    on(router, Master::revive_offers);
    on(router, Master::kill_task);
    on(router, Master::status_update_acknowledgement);
    on(router, Master::scheduler_message);
    on(router, Master::reconcile_tasks);

    on(router, Master::register_slave);
    on(router, Master::reregister_slave);
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
    router.on(move |master: &mut Master, ctx, from, message| {
        master.admit(ctx, from, message, handler);
    });
}
