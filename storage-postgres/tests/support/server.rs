//! A PostgreSQL to test with: a throw-away cluster on loopback, or the server of `LATCHBOOK_TEST_POSTGRES`.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub const PASSWORD: &str = "correct%20horse";

/// A server that takes tests.
pub struct Server {
    url: String,
    own: Option<Cluster>,
    schemas: AtomicU32,
}

impl Server {
    /// A server, or `None` where there is no PostgreSQL, which is said.
    pub fn find() -> Option<Self> {
        if let Ok(url) = std::env::var("LATCHBOOK_TEST_POSTGRES") {
            return Some(Self { url, own: None, schemas: AtomicU32::new(0) });
        }
        Self::own()
    }

    /// A server that may be killed; `LATCHBOOK_TEST_POSTGRES` is none.
    pub fn own() -> Option<Self> {
        let Some(programs) = programs() else {
            println!("skipped: no PostgreSQL");
            return None;
        };
        Some(Self::on(Cluster::start(programs)))
    }

    /// A standby that follows this server: it takes what is written here, and no writes of its own until it is promoted.
    pub fn standby(&self) -> Self {
        Self::on(self.own.as_ref().expect("a cluster of our own").standby())
    }

    fn on(cluster: Cluster) -> Self {
        let url = format!("postgres://tester:{PASSWORD}@127.0.0.1:{}/postgres", cluster.port);
        Self { url, own: Some(cluster), schemas: AtomicU32::new(0) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn port(&self) -> u16 {
        self.own.as_ref().expect("a cluster of our own").port
    }

    pub fn cluster(&mut self) -> &mut Cluster {
        self.own.as_mut().expect("a cluster of our own")
    }

    /// A schema's name that no other test uses.
    pub fn schema(&self) -> String {
        format!("test_{}_{}", std::process::id(), self.schemas.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Removes the schemas of this process, where the server outlives it.
    pub async fn clean(&self) {
        if self.own.is_none() {
            let client = self.client().await;
            for number in 0..self.schemas.load(Ordering::Relaxed) {
                let name = format!("test_{}_{number}", std::process::id());
                client.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await.unwrap();
            }
        }
    }
}

/// A cluster in a folder of its own.
pub struct Cluster {
    pub port: u16,
    folder: tempfile::TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    server: Option<Child>,
    /// Settings beside those of every test, such as `ssl=on`.
    pub settings: Vec<&'static str>,
}

impl Cluster {
    fn start(programs: PathBuf) -> Self {
        let mut cluster = Self::empty(programs);
        let password = cluster.folder.path().join("password");
        fs::write(&password, PASSWORD.replace("%20", " ")).unwrap();
        let made = cluster
            .command("initdb")
            .args(["--username=tester", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg(format!("--pwfile={}", password.display()))
            .arg("-D")
            .arg(cluster.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        cluster.run();
        cluster
    }

    /// A folder and a port.
    fn empty(programs: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("latchbook-postgres-").tempdir().unwrap();
        // PostgreSQL refuses to run as root.
        let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let user = root.then(|| user("postgres").or_else(|| user("nobody")).expect("a user other than root"));
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { port, folder, programs, user, server: None, settings: Vec::new() }
    }

    fn standby(&self) -> Self {
        let mut standby = Self::empty(self.programs.clone());
        let password = PASSWORD.replace("%20", " ");
        let made = standby
            .command("pg_basebackup")
            .args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"])
            .arg(format!("--dbname=host=127.0.0.1 port={} user=tester password='{password}'", self.port))
            .arg("-D")
            .arg(standby.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&made.stderr));
        standby.run();
        standby
    }

    /// Makes a standby the server that takes writes, and waits until it does.
    pub fn promote(&self) {
        let made = self.command("pg_ctl").args(["promote", "--wait", "-D"]).arg(self.data()).output().unwrap();
        assert!(made.status.success(), "pg_ctl promote: {}", String::from_utf8_lossy(&made.stderr));
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Puts a file into the cluster's folder that its user alone can read.
    pub fn put(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.data().join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(&file, Some(uid), Some(gid)).unwrap();
        }
    }

    /// Starts the server, and waits until it takes connections.
    pub fn run(&mut self) {
        for _ in 0..100 {
            let mut server = self
                .command("postgres")
                .arg("-D")
                .arg(self.data())
                .args(["-p", &self.port.to_string(), "-k", "", "-c", "listen_addresses=127.0.0.1"])
                .args(["-c", "fsync=off", "-c", "max_connections=200", "-c", "deadlock_timeout=100ms"])
                .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            while server.try_wait().unwrap().is_none() {
                let status = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
                let of_this = status.lines().next() == Some(&server.id().to_string());
                if of_this && status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                    self.server = Some(server);
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            // What a killed server left behind has not ended yet.
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not start");
    }

    /// Ends the server and every process of it by `kill -9`, so that nothing of it runs on. What it wrote without
    /// `fsync` is not lost by this: the system still has it.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Where this cannot be read they end by themselves, once they miss the first process.
            let list = format!("/proc/{0}/task/{0}/children", server.id());
            let children = fs::read_to_string(list).unwrap_or_default();
            server.kill().unwrap();
            if !children.trim().is_empty() {
                // Some may be gone already.
                let kill = format!("kill -9 {children} 2>/dev/null");
                Command::new("sh").args(["-c", &kill]).status().unwrap();
            }
            server.wait().unwrap();
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // Its own way of ending at once, so that no process is left.
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
    }
}

/// The folder of `initdb` and `postgres`.
fn programs() -> Option<PathBuf> {
    let complete = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    installed.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    installed.into_iter().rev().chain(std::env::split_paths(&path)).find(|folder| complete(folder))
}

fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
