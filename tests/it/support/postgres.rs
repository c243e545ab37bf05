//! A throw-away Postgres on a Unix socket in a temporary folder.
//!
//! Tests that run at the same time share one; it stops with the last of them. Postgres does not run
//! as root, so a test run by root starts it as `nobody`.

use sqlx::{Connection, PgConnection};
use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

const NOBODY: u32 = 65_534;
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A running server; stopped, and its files deleted, when dropped.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    server: Mutex<Option<Child>>,
    databases: AtomicU32,
    durable: bool,
}

/// The server that tests share.
pub(crate) fn shared() -> Arc<Cluster> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Cluster::start(false));
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

impl Cluster {
    /// Starts a server of its own; `durable` = commits are flushed to the disk.
    pub(crate) fn start(durable: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("shopkeeper-pg").tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let cluster =
            Self { folder, server: Mutex::default(), databases: AtomicU32::new(0), durable };
        let made = cluster
            .command("initdb")
            .args(["--no-sync", "--auth=trust", "--username=shopkeeper", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(cluster.folder.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        cluster.resume();
        cluster
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program_path(program));
        command.current_dir(self.folder.path()).env("TZ", "UTC").stdin(Stdio::null());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Starts the server again after [`stop`](Self::stop).
    pub(crate) fn resume(&self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let fsync = if self.durable { "fsync=on" } else { "fsync=off" };
        let server = self
            .command("postgres")
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .arg("-k")
            .arg(self.folder.path())
            .args(["-c", "listen_addresses=", "-c", fsync, "-c", "max_connections=200"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.server.lock().unwrap() = Some(server);
        let begun = Instant::now();
        let ready = || std::fs::read_to_string(self.folder.path().join("data/postmaster.pid"));
        // The last line of this file is the server's own word for its state.
        while !ready().is_ok_and(|state| state.trim_end().ends_with("ready")) {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < START_TIMEOUT, "Postgres does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server at once; connections break.
    pub(crate) fn stop(&self) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            if let Some(pid) = rustix::process::Pid::from_raw(server.id().cast_signed()) {
                let _gone = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            }
            server.wait().unwrap();
        }
    }

    /// The address of a database on this server.
    fn url(&self, database: &str) -> String {
        let socket = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://shopkeeper@{socket}/{database}")
    }

    /// A new, empty database; answers its address.
    pub(crate) async fn database(&self) -> String {
        let name = format!("shop_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::query(create).execute(&mut admin).await.unwrap();
        self.url(&name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The program on the path, or where Debian keeps it; the newest version there.
fn program_path(name: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    let first = std::env::split_paths(&on_path).map(|folder| folder.join(name));
    first.chain(found.into_iter().rev()).find(|path| Path::new(path).exists()).unwrap_or_else(
        || {
            panic!(
                "the tests need a Postgres server, and `{name}` was not found: run .ci/test, which \
             installs one, or install it (Debian: apt-get install postgresql)"
            )
        },
    )
}
