//! Flags of containers: which there are, how they are kept apart, what goes into them.
//! Declared here, read by `main`. Upstream: `slave::Flags`.

use std::time::Duration;

use common::json::JsonFlag;
use proto::mesos::ContainerInfo;
use stout::bytes::Bytes;
use stout::flags::{Flag, Flags};

/// Which containers there are, and what goes into them.
#[derive(Clone, Debug)]
pub struct ContainerFlags {
    /// `--containerizers`.
    pub containerizers: String,
    /// `--containerizer_path`.
    pub containerizer_path: Option<String>,
    /// `--default_container_image`.
    pub default_container_image: Option<String>,
    /// `--default_container_info`.
    pub default_container_info: Option<JsonFlag<ContainerInfo>>,
    /// `--isolation`.
    pub isolation: String,
    /// `--launcher`.
    pub launcher: Option<String>,
    /// `--container_logger`.
    pub container_logger: Option<String>,
    /// `--container_disk_watch_interval`.
    pub container_disk_watch_interval: Duration,
    /// `--enforce_container_disk_quota`.
    pub enforce_container_disk_quota: bool,
    /// `--fetcher_cache_size`.
    pub fetcher_cache_size: Bytes,
    /// `--fetcher_cache_dir`.
    pub fetcher_cache_dir: String,
    /// `--frameworks_home`.
    pub frameworks_home: String,
    /// `--hadoop_home`.
    pub hadoop_home: String,
    /// `--image_providers`.
    pub image_providers: Option<String>,
    /// `--image_provisioner_backend`.
    pub image_provisioner_backend: String,
    /// `--appc_simple_discovery_uri_prefix`.
    pub appc_simple_discovery_uri_prefix: String,
    /// `--appc_store_dir`.
    pub appc_store_dir: String,
    /// `--docker_registry`.
    pub docker_registry: String,
    /// `--docker_store_dir`.
    pub docker_store_dir: String,
}

impl Default for ContainerFlags {
    fn default() -> Self {
        Self {
            containerizers: "mesos".to_owned(),
            containerizer_path: None,
            default_container_image: None,
            default_container_info: None,
            isolation: "posix/cpu,posix/mem".to_owned(),
            launcher: None,
            container_logger: None,
            container_disk_watch_interval: Duration::from_secs(15),
            enforce_container_disk_quota: false,
            fetcher_cache_size: Bytes::from_gigabytes(2),
            fetcher_cache_dir: "/tmp/mesos/fetch".to_owned(),
            frameworks_home: String::new(),
            hadoop_home: String::new(),
            image_providers: None,
            image_provisioner_backend: "copy".to_owned(),
            appc_simple_discovery_uri_prefix: "http://".to_owned(),
            appc_store_dir: "/tmp/mesos/store/appc".to_owned(),
            docker_registry: "https://registry-1.docker.io".to_owned(),
            docker_store_dir: "/tmp/mesos/store/docker".to_owned(),
        }
    }
}

impl Flags for ContainerFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "containerizers",
            "The kinds of containers, separated by commas, in the order in which\n\
             they are tried.",
            |flags| &mut flags.containerizers,
        ),
        Flag::new("containerizer_path", "The program of the external containerizer.", |flags| {
            &mut flags.containerizer_path
        }),
        Flag::new(
            "default_container_image",
            "The image for tasks that name none, for the external containerizer.",
            |flags| &mut flags.default_container_image,
        ),
        Flag::new(
            "default_container_info",
            "The container of executors that bring none: JSON of a ContainerInfo\n\
             message.",
            |flags| &mut flags.default_container_info,
        ),
        Flag::new(
            "isolation",
            "How containers are kept apart: names of isolators, separated by\n\
             commas.",
            |flags| &mut flags.isolation,
        ),
        Flag::new("launcher", "How containers are started: posix or linux.", |flags| {
            &mut flags.launcher
        }),
        Flag::new(
            "container_logger",
            "The name of the module that takes the output of containers. It goes to\n\
             stdout and stderr in the sandbox if unset.",
            |flags| &mut flags.container_logger,
        ),
        Flag::new(
            "container_disk_watch_interval",
            "How often the disk usage of containers is measured (posix/disk).",
            |flags| &mut flags.container_disk_watch_interval,
        ),
        Flag::new(
            "enforce_container_disk_quota",
            "Whether a container that uses more disk than it has is ended\n\
             (posix/disk).",
            |flags| &mut flags.enforce_container_disk_quota,
        ),
        Flag::new("fetcher_cache_size", "The size of the cache of fetched files.", |flags| {
            &mut flags.fetcher_cache_size
        }),
        Flag::new(
            "fetcher_cache_dir",
            "The directory of the caches of fetched files, one for each slave.",
            |flags| &mut flags.fetcher_cache_dir,
        ),
        Flag::new("frameworks_home", "What relative URIs of executors are relative to.", |flags| {
            &mut flags.frameworks_home
        }),
        Flag::new(
            "hadoop_home",
            "Where Hadoop is, to fetch from HDFS. HADOOP_HOME or the PATH say so if\n\
             unset.",
            |flags| &mut flags.hadoop_home,
        ),
        Flag::new(
            "image_providers",
            "The kinds of images, separated by commas: APPC, DOCKER.",
            |flags| &mut flags.image_providers,
        ),
        Flag::new(
            "image_provisioner_backend",
            "How the root of a container is made of its image: bind, copy or\n\
             overlay.",
            |flags| &mut flags.image_provisioner_backend,
        ),
        Flag::new(
            "appc_simple_discovery_uri_prefix",
            "What the URIs of appc images begin with.",
            |flags| &mut flags.appc_simple_discovery_uri_prefix,
        ),
        Flag::new("appc_store_dir", "The directory of appc images.", |flags| {
            &mut flags.appc_store_dir
        }),
        Flag::new(
            "docker_registry",
            "Where docker images come from: a registry, or a directory of what\n\
             docker save has written.",
            |flags| &mut flags.docker_registry,
        ),
        Flag::new("docker_store_dir", "The directory of docker images.", |flags| {
            &mut flags.docker_store_dir
        }),
    ];
}
