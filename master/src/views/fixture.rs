//! Books of a master, filled by hand. Used by the tests of views and endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::attributes::Attributes;
use common::ids::{OfferId, SlaveId, TaskId};
use common::resources::Resources;
use common::status::NewUpdate;
use libprocess::clock::Time;
use libprocess::{Address, Upid};
use proto::mesos::internal::StatusUpdate;
use proto::mesos::task_status::Source;
use proto::mesos::{FrameworkInfo, MasterInfo, SlaveInfo, TaskInfo, TaskState};
use serde_json::json;
use stout::flags::parse::{Loader, Shown};
use stout::flags::{BoxedError, Flag, Flags};

use super::View;
use crate::state::cluster::Limits;
use crate::state::slave::NewSlave;
use crate::state::{Cluster, Connection, Framework, Offer, Slave, Task, TaskKey};

/// What a view shows, owned.
pub(crate) struct Books {
    pub(crate) cluster: Cluster,
    pub(crate) info: MasterInfo,
    pub(crate) leader: Option<MasterInfo>,
    pub(crate) build: Vec<(String, serde_json::Value)>,
    pub(crate) flags: Shown,
    pub(crate) role_whitelist: Option<BTreeSet<String>>,
    pub(crate) weights: BTreeMap<String, f64>,
}

/// A few of a master's flags.
#[derive(Default)]
struct SomeFlags {
    cluster: Option<String>,
    log_dir: Option<String>,
    quorum: Option<usize>,
    zk: Option<String>,
}

impl Flags for SomeFlags {
    const FLAGS: &'static [Flag<SomeFlags>] = &[
        Flag::new("cluster", "", |flags| &mut flags.cluster),
        Flag::new("log_dir", "", |flags| &mut flags.log_dir),
        Flag::new("quorum", "", |flags| &mut flags.quorum),
        Flag::new("zk", "", |flags| &mut flags.zk),
    ];
}

fn no_files(path: &str) -> Result<String, BoxedError> {
    Err(path.into())
}

/// The flags that these arguments set.
pub(crate) fn flags(arguments: &[&str]) -> Shown {
    let arguments: Vec<_> =
        ["mesos-master"].iter().chain(arguments).map(|a| a.to_string()).collect();
    Loader::new(&no_files).load::<SomeFlags>(&arguments).unwrap().shown
}

/// So many seconds after a fixed time, or before it.
pub(crate) fn at(secs: f64) -> Time {
    let micros = 1_795_216_098_986_850_u64.saturating_add_signed((secs * 1e6) as i64);
    Time::from_epoch(Duration::from_micros(micros))
}

pub(crate) fn resources(text: &str) -> Resources {
    Resources::parse(text, "*").unwrap()
}

pub(crate) fn pid(id: &str, port: u16) -> Upid {
    Upid::new(id, Address::new([127, 0, 0, 1].into(), port))
}

pub(crate) fn key(framework: &str, slave: &str, task: &str) -> TaskKey {
    TaskKey { framework_id: framework.into(), slave_id: slave.into(), task_id: task.into() }
}

/// A task that uses one CPU and 32 MB.
pub(crate) fn task_info(slave: &str, task: &str) -> TaskInfo {
    TaskInfo {
        name: format!("name of {task}"),
        task_id: TaskId::from(task).into(),
        slave_id: SlaveId::from(slave).into(),
        resources: resources("cpus:1;mem:32").to_messages(),
        ..TaskInfo::default()
    }
}

/// News of a task, a second after the fixed time for each state it has been through.
pub(crate) fn update(key: &TaskKey, state: TaskState, secs: f64) -> StatusUpdate {
    let timestamp = at(secs).secs();
    NewUpdate::new(&key.framework_id, &key.task_id, state, Source::Slave, timestamp).build()
}

impl Books {
    /// Nobody there.
    pub(crate) fn empty() -> Books {
        let info = MasterInfo {
            id: "M".into(),
            pid: Some("master@127.0.0.1:5050".into()),
            hostname: Some("localhost".into()),
            port: 5050,
            ..MasterInfo::default()
        };
        Books {
            cluster: Cluster::new(Limits {
                removed_slaves_max: 2,
                completed_frameworks_max: 2,
                completed_tasks_max: 2,
            }),
            leader: Some(info.clone()),
            info,
            build: vec![("version".into(), json!("0.28.3"))],
            flags: flags(&[]),
            role_whitelist: None,
            weights: BTreeMap::new(),
        }
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            cluster: &self.cluster,
            info: &self.info,
            leader: self.leader.as_ref(),
            start_time: at(-2.0),
            elected_time: Some(at(-1.0)),
            build: &self.build,
            flags: &self.flags,
            role_whitelist: self.role_whitelist.as_ref(),
            weights: &self.weights,
        }
    }

    /// A slave with attributes and the resources of two roles.
    pub(crate) fn add_slave(&mut self, id: &str, port: u16) {
        let text = "cpus:4;mem:1024;ports:[31000-32000];cpus(ads):1;mem(ads):64;disk(ads):100";
        let info = SlaveInfo {
            hostname: "localhost".into(),
            resources: resources(text).to_messages(),
            attributes: "rack:r1;zone:[1-3]".parse::<Attributes>().unwrap().to_messages(),
            ..SlaveInfo::default()
        };
        let new = NewSlave {
            id: id.into(),
            info,
            pid: pid("slave(1)", port),
            version: "0.28.3".into(),
            checkpointed: Resources::new(),
        };
        self.cluster.add_slave(Slave::new(new, at(0.0)).unwrap());
    }

    pub(crate) fn add_framework(&mut self, id: &str, port: u16, info: FrameworkInfo) {
        let connection = Connection::Pid(pid("scheduler-1", port));
        self.cluster.add_framework(Framework::new(id.into(), info, connection, at(0.0)));
    }

    /// Launches a task; it has no status yet.
    pub(crate) fn add_task(&mut self, key: &TaskKey) {
        let info = task_info(key.slave_id.as_str(), key.task_id.as_str());
        assert!(self.cluster.add_task(Task::launched(&info, &key.framework_id)));
    }

    pub(crate) fn add_offer(&mut self, id: &str, framework: &str, slave: &str, text: &str) {
        self.cluster.add_offer(Offer {
            id: OfferId::from(id),
            framework_id: framework.into(),
            slave_id: slave.into(),
            resources: resources(text),
        });
    }

    /// The framework ends, and with it all that it has.
    pub(crate) fn complete(&mut self, id: &str) {
        let framework = self.cluster.frameworks.get_mut(&id.into()).unwrap();
        framework.unregistered_time = Some(at(9.0));
        framework.active = false;
        framework.connected = false;
        let slaves = framework.tasks.clone();
        for (task, slave) in slaves {
            self.cluster.remove_task(&key(id, slave.as_str(), task.as_str()));
        }
        self.cluster.remove_framework(&id.into());
    }

    /// What upstream's recording shows: a slave, a framework with a running task, and one that
    /// ended after its task had finished.
    pub(crate) fn recorded() -> Books {
        let mut books = Books::empty();
        let known = ["git_sha", "git_tag", "build_date"].map(|name| (name.into(), json!("x")));
        books.build.extend(known);
        books.build.extend([("build_time".into(), json!(1.5)), ("build_user".into(), json!("x"))]);
        books.flags = flags(&["--cluster=c", "--zk=zk://host/mesos"]);
        books.add_slave("S", 5051);
        let info = FrameworkInfo { name: "one".into(), ..FrameworkInfo::default() };
        books.add_framework("F1", 1, FrameworkInfo { principal: Some("p".into()), ..info.clone() });
        books.add_framework("F2", 2, info);
        for (framework, state) in [("F1", TaskState::TaskFinished), ("F2", TaskState::TaskRunning)]
        {
            let key = key(framework, "S", "t");
            books.add_task(&key);
            let mut update = update(&key, state, 1.0);
            update.status.container_status = Some(container_status());
            books.cluster.update_task(&key, &update);
        }
        books.complete("F1");
        books
    }
}

fn container_status() -> proto::mesos::ContainerStatus {
    use proto::mesos::network_info::IpAddress;
    use proto::mesos::{ContainerStatus, NetworkInfo};
    let address = Some("127.0.0.1".to_owned());
    let info = NetworkInfo {
        ip_address: address.clone(),
        ip_addresses: vec![IpAddress { ip_address: address, ..IpAddress::default() }],
        ..NetworkInfo::default()
    };
    ContainerStatus { network_infos: vec![info], ..ContainerStatus::default() }
}
