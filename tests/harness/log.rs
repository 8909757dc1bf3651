//! The sink behind /dev/log and the journal's socket: what the machine's programs log.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// All that was logged, one entry for each record.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Listens at a path of the calling thread's namespace for as long as someone holds the log.
    pub(crate) fn listen(&self, path: &str) {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        let socket =
            UnixDatagram::bind(path).unwrap_or_else(|error| panic!("bind {path}: {error}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let lines = Arc::clone(&self.0);
        thread::spawn(move || {
            let mut record = vec![0; 256 * 1024];
            while Arc::strong_count(&lines) > 1 {
                if let Ok(length) = socket.recv(&mut record) {
                    lines
                        .lock()
                        .unwrap()
                        .push(String::from_utf8_lossy(&record[..length]).into_owned());
                }
            }
        });
    }

    /// Everything up to now.
    pub fn records(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until a record contains `text`.
    pub fn expect(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(5);
        while !self.records().iter().any(|record| record.contains(text)) {
            assert!(
                Instant::now() < end,
                "nothing logged contains {text:?}:\n{}",
                self.records().join("\n")
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}
