//! What a slave does about each message and each thing that comes to pass. One file a subject;
//! each handler looks up, checks, lets `state` decide, and tells.

mod recovery;

mod registration;

mod authentication;

mod ping;

mod run_task;

mod launch;

mod kill_task;

mod framework;

mod executor;

mod subscription;

mod executor_exit;

mod status;

mod relay;

mod resources;

mod disk;
