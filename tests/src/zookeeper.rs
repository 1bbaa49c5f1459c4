//! Real ZooKeeper servers on loopback, each with a folder of its own: one, or a quorum; killed,
//! stopped, started again, asked what they know; and a proxy before one that can be cut.
//! Called by tests of what several masters do:
//! `let Some(zookeeper) = ZooKeeper::start("this_test") else { return };`
//! Ends only what it started.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coordination::zookeeper::{Session, Url};
use libprocess::Runtime;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::daemon::{Daemon, eventually};
use crate::needs;

/// Where Debian's package has the server.
const JAR: &str = "/usr/share/java/zookeeper.jar";

/// What ends the secret of every session, in all versions of ZooKeeper.
const SUPER_SECRET: u64 = 0xB341_5C00;

/// How long one look into a server may take.
const GLANCE: Duration = Duration::from_secs(2);

/// Some servers that work together; all end with it.
pub struct ZooKeeper {
    servers: Vec<Server>,
    ip: Ipv4Addr,
    _folder: TempDir,
}

/// How the servers are to be.
#[derive(Clone, Copy)]
pub struct Builder {
    size: usize,
    tick: Duration,
    /// The least and the most that clients get.
    session_timeouts: [Duration; 2],
    ip: Ipv4Addr,
}

struct Server {
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

impl Builder {
    /// So many servers, which is odd.
    pub fn size(mut self, size: usize) -> Self {
        self.size = size;
        self
    }

    /// How long sessions last without a sign of life, whatever their clients ask for.
    pub fn session_timeout(self, timeout: Duration) -> Self {
        self.session_timeouts(timeout, timeout)
    }

    /// How long sessions last at least and at most without a sign of life.
    pub fn session_timeouts(mut self, least: Duration, most: Duration) -> Self {
        self.session_timeouts = [least, most];
        self
    }

    /// Where they listen, if not on loopback.
    pub fn ip(mut self, ip: Ipv4Addr) -> Self {
        self.ip = ip;
        self
    }

    /// Starts them and waits until they serve; `None`, said aloud, if there is no ZooKeeper here.
    pub fn start(self, test: &str) -> Option<ZooKeeper> {
        needs::zookeeper(JAR, test).then(|| ZooKeeper::start_servers(self))
    }
}

impl ZooKeeper {
    /// One server, or as many as the builder is told, whose sessions last for two seconds.
    pub fn builder() -> Builder {
        let tick = Duration::from_millis(200);
        let session_timeouts = [Duration::from_secs(2); 2];
        Builder { size: 1, tick, session_timeouts, ip: Ipv4Addr::LOCALHOST }
    }

    /// One server; `None`, said aloud, if there is no ZooKeeper here.
    pub fn start(test: &str) -> Option<ZooKeeper> {
        ZooKeeper::builder().start(test)
    }

    fn start_servers(builder: Builder) -> ZooKeeper {
        let folder = tempfile::tempdir().expect("a folder");
        let ports = free_ports(builder.size * 3);
        let (clients, peers) = ports.split_at(builder.size);
        let members = peers.chunks(2).enumerate().map(|(number, ports)| {
            let number = number + 1;
            format!("server.{number}={}:{}:{}\n", builder.ip, ports[0], ports[1])
        });
        let quorum: String = if builder.size > 1 { members.collect() } else { String::new() };
        let servers = clients.iter().enumerate().map(|(number, &port)| {
            let server = folder.path().join(format!("{}", number + 1));
            std::fs::create_dir(&server).expect("a folder");
            std::fs::write(server.join("myid"), format!("{}", number + 1)).expect("a file");
            let config = configuration(&builder, &server, port) + &quorum;
            std::fs::write(server.join("zoo.cfg"), config).expect("a file");
            Server { folder: server, port, daemon: None }
        });
        let servers = servers.collect();
        let mut zookeeper = ZooKeeper { servers, ip: builder.ip, _folder: folder };
        (0..builder.size).for_each(|number| zookeeper.launch(number));
        zookeeper.wait_until_serving();
        zookeeper
    }

    /// `host:port` of all servers, with commas between.
    pub fn servers(&self) -> String {
        let servers = self.servers.iter().map(|server| format!("{}:{}", self.ip, server.port));
        servers.collect::<Vec<_>>().join(",")
    }

    /// `zk://` these servers and `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("zk://{}{path}", self.servers())
    }

    /// The address of server `number`, counted from 0.
    pub fn address(&self, number: usize) -> SocketAddr {
        (self.ip, self.servers[number].port).into()
    }

    /// Kills server `number`.
    pub fn kill(&mut self, number: usize) {
        self.servers[number].daemon = None;
    }

    /// Starts server `number` again, with the data that it had.
    pub fn launch(&mut self, number: usize) {
        let server = &mut self.servers[number];
        let mut command = Command::new("java");
        command
            .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", JAR])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(server.folder.join("zoo.cfg"))
            .current_dir(&server.folder);
        server.daemon = Some(Daemon::spawn("zookeeper", command));
    }

    /// Sends a signal, such as SIGSTOP or SIGCONT, to server `number`.
    pub fn signal(&self, number: usize, signal: Signal) {
        self.servers[number].daemon.as_ref().expect("it runs").signal(signal);
    }

    /// Waits until all servers that run serve clients.
    pub fn wait_until_serving(&self) {
        for (number, _) in self.running() {
            eventually("a ZooKeeper server that serves", || self.mode(number).map(drop));
        }
    }

    /// The server that leads the others, if that is settled.
    pub fn leader(&self) -> Option<usize> {
        let mode = |number| self.mode(number);
        self.running().map(|(number, _)| number).find(|&n| mode(n).as_deref() == Some("leader"))
    }

    fn running(&self) -> impl Iterator<Item = (usize, &Server)> {
        self.servers.iter().enumerate().filter(|(_, server)| server.daemon.is_some())
    }

    /// `standalone`, `leader` or `follower`; nothing while the server does not serve.
    fn mode(&self, number: usize) -> Option<String> {
        let answer = self.command(number, "srvr")?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// What server `number` answers to a command of four letters.
    pub fn command(&self, number: usize, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.address(number), GLANCE).ok()?;
        stream.set_read_timeout(Some(GLANCE)).ok()?;
        stream.write_all(command.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// All nodes that last as long as a session: their paths, in order, with the session's number.
    pub fn ephemerals(&self) -> Vec<(String, i64)> {
        let dumped = self.running().find_map(|(number, _)| self.command(number, "dump"));
        let dumped = dumped.unwrap_or_default();
        let mut found = Vec::new();
        let mut session = 0;
        for line in dumped.lines().skip_while(|line| !line.starts_with("Sessions with")) {
            if let Some(path) = line.strip_prefix('\t').filter(|path| path.starts_with('/')) {
                found.push((path.to_owned(), session));
            } else if let Some(number) = line.trim_end_matches(':').strip_prefix("0x") {
                session = u64::from_str_radix(number, 16).expect("a number").cast_signed();
            }
        }
        found.sort();
        found
    }

    /// Ends a session as if its time was over: its client learns of it when it asks next.
    pub fn expire(&self, session: i64) {
        let number = self.running().next().expect("a server runs").0;
        let name = format!("0x{session:x}");
        let is_there = || self.command(number, "dump").is_some_and(|dump| dump.contains(&name));
        assert!(is_there(), "there is no session {name}");
        eventually("the end of a session", || {
            // Its client may be as quick to take it back.
            close(self.address(number), session);
            (!is_there()).then_some(())
        });
    }

    /// A session of the test's own, in `runtime`, as `credentials` (`user:password`) if any.
    pub fn session(&self, runtime: &Runtime, credentials: Option<&str>) -> Session {
        let url = Url {
            credentials: credentials.map(str::to_owned),
            servers: self.servers(),
            path: "/".to_owned(),
        };
        let credentials = url.credentials.clone();
        within(runtime, async move {
            let session = Session::connect(url, Duration::from_secs(10)).await.expect("a session");
            if let Some(credentials) = credentials {
                session.authenticate(&credentials).await.expect("any credentials will do");
            }
            session
        })
    }

    /// A proxy before server 0.
    pub fn proxy(&self) -> Proxy {
        Proxy::start(self.address(0))
    }
}

/// Blocks a test until `future` has completed in `runtime`, where sessions live.
pub fn within<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    let (done, outcome) = mpsc::channel();
    runtime.run(async move {
        // The test waits just below, or has given up.
        let _ = done.send(future.await);
    });
    outcome.recv_timeout(crate::daemon::PATIENCE).expect("completes in time")
}

fn configuration(builder: &Builder, folder: &std::path::Path, port: u16) -> String {
    let [least, most] = builder.session_timeouts.map(|timeout| timeout.as_millis());
    format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress={}\ntickTime={}\n\
         minSessionTimeout={least}\nmaxSessionTimeout={most}\ninitLimit=50\nsyncLimit=25\n\
         maxClientCnxns=0\nadmin.enableServer=false\nforceSync=no\n\
         4lw.commands.whitelist=*\n",
        folder.display(),
        builder.ip,
        builder.tick.as_millis(),
    )
}

/// Ports that were free a moment ago; all are held until all are found.
fn free_ports(count: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let listeners: Vec<TcpListener> = (0..count).map(bind).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    listeners.iter().map(port).collect()
}

/// The password that the server made for a session: what Java's generator gives from its number.
fn password(session: i64) -> [u8; 16] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut seed = (session.cast_unsigned() ^ SUPER_SECRET ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for chunk in password.chunks_mut(4) {
        seed = seed.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        let number = u32::try_from(seed >> 16).expect("48 bits without 16");
        chunk.copy_from_slice(&number.to_le_bytes());
    }
    password
}

/// Takes over a session and closes it.
fn close(server: SocketAddr, session: i64) {
    const CLOSE_SESSION: i32 = -11;
    let mut connect = Vec::new();
    connect.extend(0_i32.to_be_bytes());
    connect.extend(0_i64.to_be_bytes());
    connect.extend(10_000_i32.to_be_bytes());
    connect.extend(session.to_be_bytes());
    connect.extend(16_i32.to_be_bytes());
    connect.extend(password(session));
    let close = [1_i32.to_be_bytes(), CLOSE_SESSION.to_be_bytes()].concat();
    let packet = |body: &[u8]| {
        let length = u32::try_from(body.len()).expect("a small packet");
        [&length.to_be_bytes(), body].concat()
    };
    let mut stream = TcpStream::connect(server).expect("a server listens");
    stream.write_all(&[packet(&connect), packet(&close)].concat()).expect("it listens");
    // What it answers does not matter, only that it has heard.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Passes bytes between clients and one server until it is cut: from then on nothing passes, in
/// neither direction, and nobody is told.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    is_cut: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

/// How often a cut line is looked at.
const PAUSE: Duration = Duration::from_millis(10);

impl Proxy {
    fn start(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let line = Arc::new(Line::default());
        let shared = line.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let line = shared.clone();
                std::thread::spawn(move || connect(client, server, &line));
            }
        });
        Proxy { address, line }
    }

    /// `zk://` the proxy and `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("zk://{}{path}", self.address)
    }

    /// Lets nothing pass any more. What was sent is kept for later.
    pub fn cut(&self) {
        self.line.is_cut.store(true, Ordering::SeqCst);
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.line.is_cut.store(false, Ordering::SeqCst);
    }

    /// Ends all connections.
    pub fn reset(&self) {
        let mut streams = self.line.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.drain(..).for_each(|stream| {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn connect(client: TcpStream, server: SocketAddr, line: &Arc<Line>) {
    line.wait();
    let Ok(server) = TcpStream::connect(server) else { return };
    let copy = |stream: &TcpStream| stream.try_clone().expect("a stream can be shared");
    let mut streams = line.streams.lock().unwrap_or_else(PoisonError::into_inner);
    streams.extend([copy(&client), copy(&server)]);
    drop(streams);
    let (back, forth) = ((copy(&server), copy(&client)), (client, server));
    let other = line.clone();
    std::thread::spawn(move || pass(back, &other));
    pass(forth, line);
}

fn pass((mut from, mut to): (TcpStream, TcpStream), line: &Line) {
    let mut bytes = [0; 4096];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => {
                line.wait();
                if to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    line.wait();
    // It may have ended already.
    let _ = to.shutdown(Shutdown::Both);
}

impl Line {
    fn wait(&self) {
        while self.is_cut.load(Ordering::SeqCst) {
            std::thread::sleep(PAUSE);
        }
    }
}
