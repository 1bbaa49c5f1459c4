//! Executors that speak HTTP: they subscribe, and their calls do what the messages of others do.
//! Called by the table of endpoints; what a request says is read in `http::executor`.
//! The end of a stream means nothing: its executor subscribes again, and the earlier stream closes.
//! Upstream: `Slave::Http::executor`, `Slave::subscribe`.

use std::collections::BTreeSet;

use common::calls::executor::{ExecutorAction, ExecutorCall};
use common::content_type::ContentType;
use common::ids::{ExecutorId, FrameworkId, TaskId};
use futures_util::TryFutureExt;
use http::StatusCode;
use libprocess::http::{Body, Failed, Reply, Request, Response};
use libprocess::{Ctx, Upid};
use proto::mesos::TaskStatus;
use proto::mesos::executor::call::Subscribe;
use proto::mesos::internal::{
    ExecutorRegisteredMessage, ExecutorToFrameworkMessage, ShutdownExecutorMessage, StatusUpdate,
};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::events::ExecutorMessage;
use crate::handlers::executor::send_to_executor;
use crate::http::executor::{CallRefusal, accepted_by, call_of};
use crate::phase::Phase;
use crate::slave::Slave;
use crate::state::connection::{Connection, EventStream};
use crate::state::executor::{Executor, ExecutorPhase, Run, UpdateOrigin};
use crate::state::framework::FrameworkPhase;

impl Slave {
    /// Serves a request to `/api/v1/executor`.
    pub(crate) fn executor_call(
        &mut self,
        ctx: &mut Ctx<Self>,
        request: &Request,
    ) -> Result<Reply, CallRefusal> {
        let ExecutorCall { executor_id, framework_id, action } = call_of(request)?;
        match action {
            ExecutorAction::Subscribe(subscribe) => {
                let content_type = accepted_by(request)?;
                if !self.takes_subscribers() {
                    return Err(CallRefusal::Recovering);
                }
                let run = self.caller(&framework_id, &executor_id)?.run.clone();
                return Ok(self.subscribe(ctx, run, subscribe, content_type));
            }
            ExecutorAction::Update(update) => {
                let run = self.subscriber(&framework_id, &executor_id)?;
                self.update_by_subscriber(ctx, run, update.status);
            }
            // It would be dropped.
            ExecutorAction::Message(_) if self.phase == Phase::Recovering => {
                return Err(CallRefusal::Recovering);
            }
            ExecutorAction::Message(message) => {
                self.subscriber(&framework_id, &executor_id)?;
                let message = ExecutorToFrameworkMessage {
                    slave_id: self.info.id.clone().unwrap_or_default(),
                    framework_id: framework_id.into(),
                    executor_id: executor_id.into(),
                    data: message.data,
                };
                self.executor_to_framework(ctx, Upid::empty(), message);
            }
        }
        Ok(Response::new(StatusCode::ACCEPTED).into())
    }

    /// While we recover, not before the executors are known and their containers found.
    fn takes_subscribers(&self) -> bool {
        self.phase != Phase::Recovering || self.reregistration_timer.is_some()
    }

    fn caller(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Result<&Executor, CallRefusal> {
        let framework = self.frameworks.get(framework_id).ok_or(CallRefusal::UnknownFramework)?;
        framework.executors.get(executor_id).ok_or(CallRefusal::UnknownExecutor)
    }

    /// The executor's run, if it has subscribed. While we recover it may be about to do so.
    fn subscriber(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Result<Run, CallRefusal> {
        let run = match self.caller(framework_id, executor_id) {
            Ok(executor) if executor.phase == ExecutorPhase::Registering => {
                Err(CallRefusal::NotSubscribed)
            }
            found => found.map(|executor| executor.run.clone()),
        };
        run.map_err(|why| match self.phase {
            Phase::Recovering => CallRefusal::Recovering,
            Phase::Disconnected | Phase::Running | Phase::Terminating => why,
        })
    }

    /// Answers when another run of the slave would know that the executor speaks HTTP.
    fn subscribe(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: Run,
        subscribe: Subscribe,
        content_type: ContentType,
    ) -> Reply {
        let executor = self.frameworks.run(&run);
        let unmarked = executor.filter(|executor| !executor.connection.is_http());
        let Some(directory) = unmarked.and_then(|executor| executor.meta.as_ref()) else {
            return self.on_subscriber_marked(ctx, &run, subscribe, content_type).into();
        };
        let (tell, told) = oneshot::channel();
        self.checkpoint(ctx, write::http_marker(directory), move |slave, ctx, written| {
            if let Err(why) = written {
                // It would be lost with us, and is not worse off now.
                error!("{why}");
            }
            // The executor may have given up.
            let _ = tell.send(slave.on_subscriber_marked(ctx, &run, subscribe, content_type));
        });
        Reply::later(told.map_err(|_| Failed("The slave has ended".to_owned())))
    }

    /// Opens the stream of an executor, which gets its tasks, or has to end.
    fn on_subscriber_marked(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: &Run,
        subscribe: Subscribe,
        content_type: ContentType,
    ) -> Response {
        let Some(executor) = self.frameworks.run(run) else {
            return CallRefusal::UnknownExecutor.into();
        };
        info!("Received Subscribe request for HTTP executor {executor}");
        let (stream, reader) = EventStream::new(content_type);
        let response = Response { body: Body::Stream(reader), ..Response::new(StatusCode::OK) };
        let response = response.with_type(content_type.as_str());
        if let Some(why) = self.why_not_subscribe(executor) {
            warn!("Shutting down executor {executor} {why}");
            stream.send(ShutdownExecutorMessage::default().event());
            stream.close();
            return response;
        }
        if matches!(executor.connection, Connection::Stream(_)) {
            warn!("Closing already existing HTTP connection from executor {executor}");
            executor.connection.close();
        }
        self.welcome(ctx, run, stream, subscribe);
        response
    }

    /// Why an executor that subscribes has to end; `None` if it has not.
    fn why_not_subscribe(&self, executor: &Executor) -> Option<String> {
        if self.phase == Phase::Terminating {
            return Some("as the slave is terminating".to_owned());
        }
        let framework = self.frameworks.get(&executor.run.framework_id);
        if framework.is_some_and(|framework| framework.phase == FrameworkPhase::Terminating) {
            return Some("as the framework is terminating".to_owned());
        }
        match executor.phase {
            ExecutorPhase::Registering | ExecutorPhase::Running => None,
            phase @ (ExecutorPhase::Terminating | ExecutorPhase::Terminated) => {
                Some(format!("because it is in unexpected state {phase}"))
            }
        }
    }

    /// Takes an executor in: what it has to tell, then the tasks that wait for it. Tasks that it
    /// should have and does not name were lost on their way.
    fn welcome(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: &Run,
        stream: EventStream,
        subscribe: Subscribe,
    ) {
        let Some(framework) = self.frameworks.get(&run.framework_id) else { return };
        let framework_info = framework.info.clone();
        let Some(executor) = self.frameworks.run_mut(run) else { return };
        executor.phase = ExecutorPhase::Running;
        executor.connection = Connection::Stream(stream);
        let registered = ExecutorRegisteredMessage {
            executor_info: executor.info.clone(),
            framework_id: (&run.framework_id).into(),
            framework_info,
            slave_id: self.info.id.clone().unwrap_or_default(),
            slave_info: self.info.clone(),
        };
        send_to_executor(ctx, executor, &registered);
        let task_ids = executor.ready_tasks();
        // Those that are on the disk already are duplicates, which the manager knows.
        for update in subscribe.unacknowledged_updates {
            self.update_by_subscriber(ctx, run.clone(), update.status);
        }
        self.make_room(ctx, run.clone(), task_ids);
        let known = subscribe.unacknowledged_tasks.iter().map(|task| TaskId::from(&task.task_id));
        self.report_tasks_unknown_to_executor(ctx, run, &known.collect::<BTreeSet<TaskId>>());
        self.finish_recovery_if_all_are_back(ctx);
    }

    fn update_by_subscriber(&mut self, ctx: &mut Ctx<Self>, run: Run, status: TaskStatus) {
        let update = StatusUpdate {
            framework_id: (&run.framework_id).into(),
            executor_id: status.executor_id.clone(),
            slave_id: self.info.id.clone(),
            timestamp: status.timestamp.unwrap_or_else(|| ctx.now().secs()),
            uuid: status.uuid.clone(),
            latest_state: None,
            status,
        };
        self.status_update(ctx, update, UpdateOrigin::Subscriber(run));
    }
}
